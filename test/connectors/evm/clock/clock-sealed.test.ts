/** The clock seals its ticks, and knows those that it did not write. */
import { describe, expect, test } from 'vitest'
import type { ClockTopics } from '../../../../connectors/evm/clock/tick-log.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import type { Log } from '../../../../streams/ports.ts'
import type { Unreadable } from '../../../../streams/read-record.ts'
import { SealGuard } from '../../../../streams/seal-guard.ts'
import { sealedTopics } from '../../../../topology/shared/seals.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { markerSigner } from '../../../topology/marker-keys.ts'
import { headTick, openTick } from '../../../topology/world.ts'
import { exampleChain, release } from '../scripted-chain.ts'
import { clockTopics, expectTicksOfChain, readTopic, runClock } from './clock-harness.ts'

const signer = markerSigner('deployment')
const one = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const bare = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions: one })
const topicsOf = (unsealedRecords: boolean): ClockTopics =>
  sealedTopics(bare, { markerKeys: [signer.publicKey], unsignedMarkers: false, unsealedRecords }, signer)
const topics = topicsOf(false)

/** Ticks that tick-fanout takes, and how many it refuses. */
async function taken(log: Log, { epochTicks }: ClockTopics): Promise<{ ticks: number; refused: number }> {
  const guard = new SealGuard(epochTicks.name, 0, epochTicks.seals!)
  let [ticks, refused] = [0, 0]
  for (const record of await readTopic(log, epochTicks.name))
    try {
      guard.take(record)
      ticks++
    } catch {
      refused++
    }
  return { ticks, refused }
}

async function forge(log: Log, ...ticks: readonly ReturnType<typeof headTick>[]): Promise<void> {
  const { name: topic, key, value } = topics.epochTicks
  const appender = await log.appender()
  for (const tick of ticks) {
    const record = { topic, partition: 0, timestamp: 0, key: key.encode({ dataMarket: tick.dataMarket }) }
    await appender.append([{ ...record, value: value.encode(tick) }])
  }
}

describe('sealed ticks', () => {
  test('behavior: each is behind those before it, from clock to clock', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    for (let n = 0; n < 3; n++) {
      chain.mine(release(3 + n))
      const clock = await runClock(log, topics, [chain.node()])
      await clock.reached(13 + n)
      await clock.close()
    }
    expect(await taken(log, topics)).toMatchObject({ refused: 0 })
    await expectTicksOfChain(log, topics, chain)
  })

  test('behavior: a clock goes on behind ticks that none wrote, and tells of them', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const first = await runClock(log, topics, [chain.node()])
    await first.reached(12)
    await first.close()
    const [copied] = await readTopic(log, topics.epochTicks.name)
    await forge(log, headTick(1_000_000_000), openTick(41, 12))
    const appender = await log.appender()
    await appender.append([{ ...copied!, topic: topics.epochTicks.name, partition: 0 }])
    chain.mine(release(3))
    const left: Unreadable[] = []
    const second = await runClock(log, topics, [chain.node()], { observer: { unreadable: (one) => left.push(one) } })
    await second.reached(13)
    await second.close()
    expect(left.map(({ reason }) => reason)).toEqual(['forged', 'forged', 'forged'])
    expect(await taken(log, topics)).toMatchObject({ refused: 3 })
    expect(chain.blocks).toHaveLength(14)
  })

  test('behavior: a log that was begun without seals is gone on with', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const older = await runClock(log, await clockTopics(), [chain.node()])
    await older.reached(12)
    await older.close()
    chain.mine(release(3))
    const newer = await runClock(log, topicsOf(true), [chain.node()])
    await newer.reached(13)
    await newer.close()
    expect(await taken(log, topicsOf(true))).toMatchObject({ refused: 0 })
    await expectTicksOfChain(log, topicsOf(true), chain)
  })
})
