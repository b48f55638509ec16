import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { followedEpoch } from '../../../../ops/reading/progress.ts'
import { isSampled, startTracing, traceIdOf } from '../../../../ops/watch/tracing/follow.ts'
import type { VerdictReason } from '../../../../schemas/types.ts'
import { anchorOf, batchOf, createFixture, MARKET, submissionOf, verdictOf } from '../../look/fixture.ts'
import { startOtlpReceiver } from './otlp-receiver.ts'

const NOW = { at: 0, past: false }
const epoch = followedEpoch(MARKET, 3)
const uuid = (n: number) => `0000000${n}-0000-4000-8000-00000000000${n}`

async function traced(sampleShare: number, url: string) {
  const { put, log, topics } = await createFixture()
  const tracing = await startTracing({ otlpUrl: url, sampleShare }, { topics, version: '1', log, clock: systemClock })
  const { listener } = tracing
  return {
    async decide(n: number, reason: VerdictReason) {
      const submission = submissionOf({ submissionId: uuid(n), receivedAt: 1_000 })
      const key = { dataMarket: MARKET, epochId: 3, projectId: 'project-a' }
      listener.verdict?.(MARKET, verdictOf(submission, await put(topics.submissions, key, submission), reason))
    },
    batch(...ns: number[]) {
      const json = Buffer.from(JSON.stringify({ submissionIDs: ns.map(uuid) }))
      listener.batched?.(MARKET, batchOf({ json }))
    },
    anchor: (state: 'SENT' | 'FINAL' | 'LATE') =>
      listener.anchorChanged?.(epoch, 0, anchorOf({ state }), undefined, NOW),
    close: () => tracing.close(),
  }
}

describe('traces', () => {
  test('default: a submission has one trace, named by its id, from the intake to the chain', async () => {
    const receiver = await startOtlpReceiver()
    const world = await traced(1, receiver.url)
    await world.decide(1, 'COUNTED')
    await world.decide(2, 'BAD_SIGNATURE')
    await world.decide(3, 'OUTVOTED')
    world.batch(1, 3)
    world.anchor('SENT')
    await expect.poll(() => receiver.spans.length, { timeout: 10_000 }).toBe(3)
    world.anchor('FINAL')
    await expect.poll(() => receiver.spans.length, { timeout: 10_000 }).toBe(13)
    await world.close()
    await receiver.close()
    const of = (n: number) => receiver.spans.filter(({ traceId }) => traceId === uuid(n).replaceAll('-', ''))
    expect(
      of(1)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['anchor', 'batch', 'intake', 'submission', 'verdict'])
    expect(
      of(2)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['intake', 'submission', 'verdict'])
    expect(of(3)).toHaveLength(5)
    const root = of(1).find(({ name }) => name === 'submission')!
    expect(root.parentSpanId).toBeUndefined()
    expect(BigInt(root.startTimeUnixNano)).toBe(1_000_000_000n)
    for (const span of of(1)) {
      if (span !== root) expect(span.parentSpanId).toBe(root.spanId)
      expect(BigInt(span.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(root.endTimeUnixNano))
    }
    expect(new Set(receiver.spans.map(({ spanId }) => spanId)).size).toBe(13)
    const text = JSON.stringify(receiver.spans)
    expect(text).toContain('BAD_SIGNATURE')
    expect(text).not.toContain('00'.repeat(65)) // the signature of the fixture
  })

  test('behavior: a batch that came too late is a failure in the trace', async () => {
    const receiver = await startOtlpReceiver()
    const world = await traced(1, receiver.url)
    await world.decide(1, 'COUNTED')
    world.batch(1)
    world.anchor('LATE')
    await expect.poll(() => receiver.spans.length, { timeout: 10_000 }).toBe(5)
    await world.close()
    await receiver.close()
    const failed = receiver.spans.filter(({ status }) => status.code === 2).map(({ name }) => name)
    expect(failed.sort()).toEqual(['anchor', 'submission'])
  })

  test('behavior: the share is by the id, and a collector that is away stops nothing', async () => {
    expect(traceIdOf('no uuid')).toBeUndefined()
    expect(traceIdOf('00000000-0000-0000-0000-000000000000')).toBeUndefined()
    const ids = Array.from({ length: 10_000 }, (_, i) =>
      (Math.imul(i, 2_654_435_761) >>> 0).toString(16).padStart(32, '0'),
    )
    const share = ids.filter((id) => isSampled(id, 0.1)).length / ids.length
    expect(share).toBeCloseTo(0.1, 1)
    expect(ids.filter((id) => isSampled(id, 0)).length).toBe(0)
    const world = await traced(1, 'http://127.0.0.1:1/v1/traces')
    await world.decide(1, 'BAD_SIGNATURE')
    await world.close()
  })
})

test('behavior: without an address nothing of it is loaded', () => {
  const loaded = (module: string): string[] => {
    const program = `
      await import(${JSON.stringify(module)})
      const { default: { _cache } } = await import('node:module')
      console.log(JSON.stringify(Object.keys(_cache).filter((file) => /opentelemetry.(sdk|exporter|resources)/.test(file))))`
    const flags = ['--import', './ops/bin/shim.mjs', '--import', 'tsx', '--input-type=module', '-e', program]
    const root = fileURLToPath(new URL('../../../..', import.meta.url))
    return JSON.parse(execFileSync(process.execPath, flags, { cwd: root, encoding: 'utf8' })) as string[]
  }
  expect(loaded('./ops/run/compose.ts')).toEqual([])
  expect(loaded('./ops/watch/tracing/spans.ts').length).toBeGreaterThan(0)
})
