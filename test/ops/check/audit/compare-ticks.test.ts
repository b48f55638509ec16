import { beforeAll, expect, test } from 'vitest'
import { TickComparison } from '../../../../ops/check/audit/compare-ticks.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'
import type { EpochTick } from '../../../../schemas/types.ts'
import type { LogRecord } from '../../../../streams/ports.ts'
import { FrozenLog } from './frozen-log.ts'
import { RULES, runScenario, type Scenario } from './scenario.ts'

let topics: Scenario['topics']
let head: EpochTick
beforeAll(async () => {
  const scenario = await runScenario({ seed: 1, epochs: 1, partitions: 1 })
  topics = scenario.topics
  const ticks = scenario.log.records(topics.epochTicks, 0).map(({ value }) => topics.epochTicks.value.decode(value!))
  head = ticks.find(({ kind }) => kind === 'HEAD')!
}, 120_000)

const HEADS_KEPT = 64
const block = (blockNumber: number, fork = 'a'): EpochTick => ({ ...head, blockNumber, blockHash: fork + blockNumber })
const blocks = (from: number, to: number): EpochTick[] =>
  Array.from({ length: to + 1 - from }, (_, i) => block(from + i))

/** @param start offset of the first tick */
async function compared(ticks: readonly EpochTick[], markers: readonly EpochTick[], start = 0): Promise<Findings> {
  const { name, key, value } = topics.epochTicks
  const recordOf = (tick: EpochTick, at: number): LogRecord => ({
    offset: start + at,
    timestamp: 0,
    key: key.encode({ dataMarket: '' }),
    value: value.encode(tick),
    headers: [],
  })
  const findings = new Findings()
  const log = new FrozenLog([{ name, partitions: [ticks.map(recordOf)] }])
  const comparison = new TickComparison(log, topics, findings, { ...RULES, headsKept: HEADS_KEPT })
  for (const marker of markers) await comparison.compare(marker)
  return findings
}

test('behavior: ticks that waited for a missing one have their markers behind it', async () => {
  const ticks = [...blocks(1, 2), ...blocks(4, 900), block(3), ...blocks(901, 905)]
  expect((await compared(ticks, blocks(1, 905))).differences()).toEqual([])
})

test('behavior: a block that left the chain and came again has two ticks, and others twice', async () => {
  const there = [...blocks(1, 9), { ...block(9), kind: 'ORPHAN' as const }, block(9, 'b')]
  const back = [{ ...block(9, 'b'), kind: 'ORPHAN' as const }, block(9), block(10)]
  const markers = [...there, ...back]
  expect((await compared([...there, ...blocks(4, 8), ...back, ...back], markers)).differences()).toEqual([])
  // one is missing before them, which the search for it reads past
  const findings = await compared([...blocks(2, 9), ...there.slice(9), ...back], markers)
  expect(findings.counts).toMatchObject({ skipped: 1, mismatches: 0 })
})

test('behavior: markers reach less far back than ticks, or farther', { timeout: 300_000 }, async () => {
  expect((await compared(blocks(1, 60_000), blocks(59_000, 60_000))).differences()).toEqual([])
  expect((await compared(blocks(500, 60_000), blocks(1, 60_000), 7)).differences()).toEqual([])
})

test('error: a tick that is missing, and one that says something else', async () => {
  const others = [...blocks(1, 4), ...blocks(6, 7), { ...block(8), blockTimestamp: 1 }, ...blocks(9, 20)]
  const found = (await compared(others, blocks(1, 20), 7)).differences()
  expect(
    found.map(({ kind, where }) => [kind, where.includes('block 5 ') ? 5 : where.includes('block 8 ') ? 8 : where]),
  ).toEqual([
    ['skipped', 5],
    ['mismatches', 8],
  ])
})
