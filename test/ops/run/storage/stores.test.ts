import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { computeCid } from '../../../../connectors/ipfs/cid.ts'
import { createFileBlockStore } from '../../../../connectors/ipfs/file-store.ts'
import { createStorage } from '../../../../connectors/ipfs/storage.ts'
import { keeperOf } from '../../../../connectors/ipfs/store.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { batchesCommand } from '../../../../ops/deploy/batches/command.ts'
import type { OpenedLog } from '../../../../ops/ground/open-log.ts'
import { checkStore, olderThan } from '../../../../ops/run/storage/check.ts'
import { bytesOf, keptBatches } from '../../../../ops/run/storage/kept-batches.ts'
import { checkOnce, type SchedulePorts } from '../../../../ops/run/storage/schedule.ts'
import { noLog } from '../../../../ops/watch/logging/log.ts'
import { createMetrics } from '../../../../ops/watch/metrics/create.ts'
import { type MemoryStore, memoryStore } from '../../../connectors/ipfs/memory-store.ts'
import { anchorOf, batchOf, createFixture, type Fixture, MARKET, RULES } from '../../look/fixture.ts'
import { captured } from '../../run-here.ts'

const DAY_MS = 86_400_000
const NOW = 1_000 * DAY_MS
let fixture: Fixture
let dataDir: string

beforeEach(async () => {
  fixture = await createFixture(1)
  dataDir = mkdtempSync(join(tmpdir(), 'stores-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

/** A batch of an epoch in the log, with its row; gives its CID. */
async function anchored(epochId: number, fields: { ageDays?: number; state?: 'FINAL' | 'LATE'; cid?: string } = {}) {
  const { topics, put, log } = fixture
  const json = Buffer.from(JSON.stringify({ epochId }))
  const cid = fields.cid ?? (await computeCid(json))
  const { offset } = await put(topics.batches, { dataMarket: MARKET }, batchOf({ epochId, json }))
  const row = { ...anchorOf({ state: fields.state ?? 'FINAL' }), cid, batchOffset: offset }
  const appender = await log.appender()
  const key = topics.anchors.key.encode({ dataMarket: MARKET, epochId, batchIndex: 0 })
  const timestamp = NOW - (fields.ageDays ?? 0) * DAY_MS
  const value = topics.anchors.value.encode(row)
  await appender.append([{ topic: topics.anchors.name, partition: 0, timestamp, key, value }])
  await appender.close()
  return { cid, json }
}

describe('keptBatches', () => {
  it('default: the newest row of each batch that has a CID and was not given up', async () => {
    const one = await anchored(1, { ageDays: 2 })
    await anchored(2, { state: 'LATE' })
    await anchored(3, { cid: '' })
    await anchored(4, { cid: '../../no CID' })
    await anchored(1, { ageDays: 1 })
    const found = await keptBatches(fixture.log, fixture.topics)
    expect(found).toMatchObject([{ cid: one.cid, epochId: 1, batchIndex: 0, at: NOW - DAY_MS }])
  })

  it('behavior: age counts by the log: a clock that is ahead makes nothing old', async () => {
    await anchored(1, { ageDays: 10 })
    await anchored(2)
    const batches = await keptBatches(fixture.log, fixture.topics)
    expect(olderThan(batches, 9, NOW + 500 * DAY_MS)).toHaveLength(1)
    expect(olderThan(batches, 11, NOW + 500 * DAY_MS)).toEqual([])
    expect(olderThan(batches, 9, NOW - 5 * DAY_MS)).toEqual([])
  })
})

describe('bytesOf', () => {
  it('behavior: from the log, else from a store; a store that gives other bytes is passed over', async () => {
    const { cid, json } = await anchored(1)
    const [batch] = await keptBatches(fixture.log, fixture.topics)
    const good = memoryStore('good')
    await good.put(json)
    const bad = memoryStore('bad', { get: async () => Buffer.from('other') })
    const keepers = [bad, good].map(keeperOf)
    expect(Buffer.from(await bytesOf(batch!, { ...fixture, keepers }))).toEqual(json)
    const lost = { cid, batchOffset: 99 }
    expect(await bytesOf(lost, { ...fixture, keepers })).toEqual(json)
    await expect(bytesOf(lost, { ...fixture, keepers: keepers.slice(0, 1) })).rejects.toThrow('bad gives other bytes')
  })
})

describe('checkOnce', () => {
  const settings = { checkMinutes: 60, checkHours: 48, keepDays: 0 }

  function portsOf(stores: readonly MemoryStore[]) {
    const keepers = stores.map(keeperOf)
    const abort = new AbortController()
    const metrics = createMetrics({ version: '1', roles: ['anchor-effects'], markets: [] })
    const batches = createStorage({ version: 1, keepers, required: 1 }, { clock: systemClock })
    const clock = { ...systemClock, now: () => NOW }
    const rest = { metrics, events: noLog(), owns: () => true, signal: abort.signal }
    const ports: SchedulePorts = { keepers, batches, clock, ...fixture, ...rest }
    return { ports, metrics }
  }

  it('default: what a store lacks it is given, of the time that is looked at', async () => {
    const old = await anchored(1, { ageDays: 10 })
    const [one, two] = [await anchored(2, { ageDays: 1 }), await anchored(3)]
    const [full, lacking] = [memoryStore('full'), memoryStore('lacking')]
    for (const { json } of [old, one, two]) await full.put(json)
    await lacking.put(two.json)
    const { ports, metrics } = portsOf([full, lacking])
    await checkOnce(settings, ports)
    await expect.poll(() => lacking.kept.has(one.cid)).toBe(true)
    expect(lacking.kept.has(old.cid)).toBe(false)
    const text = await metrics.text()
    expect(text).toContain('seq_store_checks_total{provider="lacking",outcome="missing"} 1')
    expect(text).toContain('seq_store_checks_total{provider="full",outcome="held"} 2')
    await ports.batches.close()
  })

  it('behavior: old batches go where that is set, and only those', async () => {
    const ages = [20, 11, 9, 0]
    const batches = []
    for (const [epochId, ageDays] of ages.entries()) batches.push(await anchored(epochId, { ageDays }))
    const store = memoryStore('a')
    for (const { json } of batches) await store.put(json)
    const { ports } = portsOf([store])
    await checkOnce(settings, ports)
    expect(store.kept.size).toBe(4)
    await checkOnce({ ...settings, keepDays: 10 }, ports)
    expect(batches.map(({ cid }) => store.kept.has(cid))).toEqual([true, false, true, true])
    await ports.batches.close()
  })

  it('error: a store that is away is asked three times and no more', async () => {
    for (let epochId = 0; epochId < 9; epochId++) await anchored(epochId)
    let asked = 0
    const away = memoryStore('away', { has: () => Promise.reject(new Error(`away ${++asked}`)) })
    const outcome = await checkStore(keeperOf(away), await keptBatches(fixture.log, fixture.topics))
    expect(outcome).toMatchObject({ held: 0, missing: [], unknown: 9, error: { code: 'UNAVAILABLE' } })
    expect(asked).toBe(3)
  })
})

describe('sequencer batches', () => {
  const run = (...args: string[]) => {
    const chain = { rpcUrls: [], chainId: 1, protocolState: MARKET }
    const opened: OpenedLog = { ...fixture, rules: RULES, appId: 'a', chain, close: async () => {} }
    const command = batchesCommand(async () => opened)
    return captured(async () => void (await command.parseAsync([...args, '--data-dir', dataDir], { from: 'user' })))
  }
  const files = () => createFileBlockStore({ directory: join(dataDir, 'blocks') })

  it('default: heal lists what a store lacks, and then gives it', async () => {
    const { cid } = await anchored(7)
    const dry = await run('heal', '--dry-run')
    expect(dry.stdout).toContain('file: 0 of 1 batches held, 1 missing')
    expect(dry.stdout).toContain(`lacks ${MARKET} epoch 7 batch 0 ${cid}`)
    expect(dry.stdout).toContain('Nothing was done (--dry-run).')
    expect([dry.exitCode, await (await files()).has(cid)]).toEqual([1, false])
    const healed = await run('heal')
    expect(healed.stdout).toContain('1 of them given to it.')
    expect([healed.exitCode, await (await files()).has(cid)]).toEqual([undefined, true])
    expect((await run('heal', '--json')).stdout).toContain('"held":1,"missing":[]')
  })

  it('behavior: a batch of the other CID version is healed, too', async () => {
    const { json } = await anchored(7)
    const { cid } = await anchored(7, { cid: await computeCid(json, 0) })
    expect((await run('heal')).stdout).toContain('1 of them given to it.')
    expect(await (await files()).has(cid)).toBe(true)
  })

  it('behavior: what nobody has any more is told, with exit code 1', async () => {
    await anchored(7, { cid: await computeCid(Buffer.from('lost')) })
    const { stdout, exitCode } = await run('heal')
    expect(stdout).toContain('nobody gives the bytes')
    expect(exitCode).toBe(1)
  })

  it('behavior: prune lets go of old ones, and keeps what they share with others', async () => {
    const [old, young] = [await anchored(1, { ageDays: 30 }), await anchored(2)]
    await run('heal')
    expect((await run('prune', '--older-than-days', '20', '--dry-run')).stdout).toContain('1 of 2 batches are older')
    expect(await (await files()).has(old.cid)).toBe(true)
    expect((await run('prune', '--older-than-days', '20')).stdout).toContain('file: let go of 1')
    expect([await (await files()).has(old.cid), await (await files()).has(young.cid)]).toEqual([false, true])
  })

  it('error: an age that is none', async () => {
    await expect(run('prune', '--older-than-days', '0')).rejects.toThrow('--older-than-days')
  })
})
