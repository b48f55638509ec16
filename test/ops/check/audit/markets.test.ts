/** The audit of a log in which a market is added (twice, since a reorganisation takes the block back) and another removed. */
import { describe, expect, test } from 'vitest'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import type { ChainReader } from '../../../../ops/check/audit/chain.ts'
import type { AuditReport } from '../../../../ops/check/audit/report.ts'
import { isMarker } from '../../../../topology/topics.ts'
import type { FrozenLog } from './frozen-log.ts'
import { ADDED_MARKET, MARKETS, putAddedRow, RULES, runScenario, type Scenario } from './scenario.ts'

const CLEAN = { lost: 0, duplicated: 0, skipped: 0, mismatches: 0, differences: [] }
const RELEASES = [1, 5, 9, 13].map((blockNumber, i) => ({ epochId: i + 1, blockNumber }))

test.each([
  [21, 3],
  [22, 1],
  [23, 8],
])('default: seed %i on %i partitions is recomputed alike', async (seed, partitions) => {
  const { log, topics } = await runScenario({ seed, partitions, comings: true })
  const report = await auditLog(log, { topics, rules: RULES })
  expect(report).toMatchObject(CLEAN)
  // four epochs of the first market, three of the one that is removed, two of the one that is added
  expect(report).toMatchObject({ epochsReleased: 9, epochsClosed: 9, epochsAnchored: 9 })
  expect(report.verdicts + report.pending).toBe(report.acknowledged)
})

test('behavior: a log that begins after a market was added takes that from the table of markets', async () => {
  const { log, topics } = await runScenario({ seed: 24, epochs: 24, comings: true })
  for (let partition = 0; partition < topics.submissions.partitions; partition++)
    log.expire(topics.submissions, partition, firstMarker(log, topics, partition, 10))
  const withoutRow = await auditLog(log, { topics, rules: RULES })
  putAddedRow({ log, topics })
  const report = await auditLog(log, { topics, rules: RULES })
  expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0 })
  expect(withoutRow.mismatches).toBeGreaterThan(report.mismatches + 20)
})

describe('against the chain', () => {
  const against = async (
    { log, topics }: Scenario,
    releasedEpochs: ChainReader['releasedEpochs'],
  ): Promise<AuditReport> => auditLog(log, { topics, rules: RULES, chain: { ...AGREEING, releasedEpochs } })

  test('behavior: a release before a market was added or after it was removed is not missed', async () => {
    const report = await against(await runScenario({ seed: 25, comings: true }), async () => RELEASES)
    expect(report.differences.filter(({ message }) => message.includes('released it'))).toEqual([])
  })

  test('error: a release while it was served is', async () => {
    const extra = { epochId: 77, blockNumber: 10 }
    const report = await against(await runScenario({ seed: 25, comings: true }), async () => [...RELEASES, extra])
    const missed = report.differences.filter(({ message }) => message.includes('released it'))
    expect(missed.map(({ where }) => where).sort()).toEqual(
      [...MARKETS, ADDED_MARKET].map((market) => `epoch 77 of ${market}`).sort(),
    )
  })
})

test('error: without the word that a market is served, its epochs and verdicts are wrong', async () => {
  const { log, topics } = await runScenario({ seed: 26, comings: true })
  for (
    let times = 0;
    times < 2 * topics.submissions.partitions;
    times++ // once more after the reorganisation
  )
    log.edit(topics.submissions, (event) =>
      isMarker(event) && event.tick.markets.some(({ served }) => served)
        ? { ...event, tick: { ...event.tick, markets: [] } }
        : undefined,
    )
  const report = await auditLog(log, { topics, rules: RULES })
  expect(report.mismatches).toBeGreaterThan(50)
})

function firstMarker(log: FrozenLog, topics: Scenario['topics'], partition: number, block: number): number {
  return log.records(topics.submissions, partition).find(({ value }) => {
    const event = topics.submissions.value.decode(value!)
    return isMarker(event) && event.tick.blockNumber === block
  })!.offset
}

/** Has everything, of every epoch. */
const AGREEING: Omit<ChainReader, 'releasedEpochs'> = {
  windowAt: async () => 3n,
  batchWindow: async () => 1_000,
  releaseBlock: async (_, epochId) => 4 * epochId - 3,
  batchCids: async () => [],
  sequencerRoot: async () => '',
  snapshotCid: async () => '',
  completed: async () => true,
  day: async () => ({ eligibleNodes: 0, remaining: 0, share: 0n, slots: [] }),
  dayAt: async () => undefined,
  slotsAt: async () => undefined,
  blockHash: async () => undefined,
  minedIn: async () => ({ blockNumber: 40, blockHash: `0x${'66'.repeat(32)}` }),
  close() {},
}
