/** Logs whose beginning has expired, wherever: what can be recomputed is, and nothing that is sound is called a fault. */
import { describe, expect, test } from 'vitest'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import { WholeEpochs } from '../../../../ops/check/audit/whole-epochs.ts'
import type { ServedMarket } from '../../../../schemas/types.ts'
import type { RecordTopic } from '../../../../streams/kafka-topic.ts'
import { MARKET_DEFAULTS } from '../../../../topology/rules.ts'
import type { Topics } from '../../../../topology/topics.ts'
import { MARKET, openTick } from '../../../topology/world.ts'
import { seededRandom } from '../../random.ts'
import type { FrozenLog } from './frozen-log.ts'
import { ADDED_MARKET, MARKETS, PAID_RULES, RULES, runScenario, type ScenarioOptions } from './scenario.ts'

const SOUND = { lost: 0, duplicated: 0, skipped: 0, mismatches: 0, differences: [] }
const EPOCHS = 30
const CUTS = 6
/** Kept for as long as the submissions, or for longer. */
const EXPIRING = ['submissions', 'tallies', 'finalizations', 'epochTicks', 'batches', 'anchorResults'] as const

/** Each partition begins elsewhere, about in the first half; of every second cut only the submissions expire. */
function cutOf(log: FrozenLog, topics: Topics, seed: number): FrozenLog {
  const random = seededRandom(seed)
  const cut = log.copy()
  const share = 0.02 + random() * 0.45
  for (const name of EXPIRING.slice(0, seed % 2 === 0 ? 1 : EXPIRING.length)) {
    const topic: Pick<RecordTopic<unknown, unknown>, 'name'> & { readonly partitions: number } = topics[name]
    for (let partition = 0; partition < topic.partitions; partition++) {
      const records = cut.records(topic, partition)
      const first = records[Math.floor(records.length * Math.max(0, share + (random() - 0.5) * 0.1))]
      if (first) cut.expire(topic, partition, first.offset)
    }
  }
  return cut
}

/** The rows of the clock, which say what the ticks before the beginning said. */
function putMarkets(log: FrozenLog, { markets }: Topics): void {
  const row = (dataMarket: string, state: Pick<ServedMarket, 'serving' | 'sinceBlock' | 'lastEpoch'>): void => {
    const records = log.records(markets, 0)
    const value = markets.value.encode({ ...state, requestId: '', refused: '' })
    records.push({ offset: records.length, timestamp: 0, headers: [], key: markets.key.encode({ dataMarket }), value })
  }
  row(ADDED_MARKET, { serving: 'ADDED', sinceBlock: 6, lastEpoch: 0 })
  row(MARKETS[1], { serving: 'REMOVED', sinceBlock: 11, lastEpoch: 3 })
}

describe('a log that begins anywhere', () => {
  test.each<[string, ScenarioOptions]>([
    ['of a quiet chain', { seed: 12 }],
    ['of a chain that went back far', { seed: 16, deepReorg: { block: 31, depth: 20 } }],
    ['of markets that come and go', { seed: 22, comings: true, partitions: 2 }],
    ['with a sale that left the chain', { seed: 23, saleLeaves: true }],
    ['with days', { seed: 1, days: true }],
  ])(
    'behavior: %s, has no fault, and its later epochs are recomputed',
    { timeout: 240_000 },
    async (_name, options) => {
      const { log, topics } = await runScenario({ epochs: EPOCHS, ...options })
      if (options.comings) putMarkets(log, topics)
      const rules = options.days ? PAID_RULES : RULES
      for (let seed = 1; seed <= CUTS; seed++) {
        const report = await auditLog(cutOf(log, topics, seed), { topics, rules })
        expect(report, `cut ${seed}`).toMatchObject(SOUND)
        expect(report.beyondRetention, `cut ${seed}`).toBeGreaterThan(0)
        expect(report.epochsAnchored, `cut ${seed}`).toBeGreaterThan(5)
        expect(report.epochsAnchored + report.epochsNotWhole, `cut ${seed}`).toBe(report.epochsClosed)
      }
    },
  )

  test('error: what is wrong in what it tells whole is found', { timeout: 60_000 }, async () => {
    const { log, topics } = await runScenario({ seed: 12, epochs: EPOCHS })
    const cut = cutOf(log, topics, 1)
    cut.edit(topics.verdicts, (verdict, { epochId }) =>
      epochId === EPOCHS - 1 && verdict.reason === 'COUNTED' ? { ...verdict, reason: 'OUTVOTED' as const } : undefined,
    )
    expect(await auditLog(cut, { topics, rules: RULES })).toMatchObject({ ...SOUND, mismatches: 1, differences: [{}] })
  })
})

describe('WholeEpochs', () => {
  const { epochsAhead, clockSkewSeconds } = MARKET_DEFAULTS
  const SECONDS = 12
  /** Opens one epoch after the other. @returns the first epoch that the log tells whole */
  const firstWhole = (whole: WholeEpochs, from: number): number => {
    for (let epochId = from; epochId < from + 1_000; epochId++) {
      whole.opened({ ...openTick(epochId, epochId), blockTimestamp: epochId * SECONDS })
      if (whole.has(MARKET, epochId + 1)) return [...Array(1_000).keys()].find((id) => whole.has(MARKET, id + 1))! + 1
    }
    throw new Error('none is whole')
  }
  const cut = () => new WholeEpochs(true, () => MARKET_DEFAULTS)

  test('default: of a log from its beginning every epoch is', () => {
    expect(new WholeEpochs(false, () => MARKET_DEFAULTS).has(MARKET, 1)).toBe(true)
  })

  test('default: of another one those are that nothing which has expired can be for, nor can have crowded out', () => {
    const whole = cut()
    expect([0, 1, 100].map((epochId) => whole.has(MARKET, epochId))).toEqual([false, false, false])
    // an epoch after the clocks' difference, those ahead of it, and once more
    const round = Math.floor(clockSkewSeconds / SECONDS) + 1 + epochsAhead
    expect(firstWhole(whole, 100)).toBe(100 + 2 * round + 1)
    expect(whole.has(MARKET, 0)).toBe(true)
  })

  test('behavior: a chain that is read late has its old epochs once more, which are not whole', () => {
    const whole = cut()
    whole.saw((100 * SECONDS + 600) * 1_000)
    expect(firstWhole(whole, 100)).toBeGreaterThan(100 + 600 / SECONDS)
  })

  test('bound: a clock that was years ahead takes an hour, and not the log', () => {
    const whole = cut()
    whole.saw(8e15)
    expect(firstWhole(whole, 100)).toBeLessThan(100 + (2 * 3_600) / SECONDS + 20)
  })
})
