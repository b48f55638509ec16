/** Days in the audit: what the log has of them is recomputed, and whatever differs is named. */
import { beforeAll, describe, expect, test } from 'vitest'
import { textOf } from '../../../../ops/base/output.ts'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import type { ChainReader } from '../../../../ops/check/audit/chain.ts'
import { renderAudit } from '../../../../ops/check/audit/render.ts'
import type { AuditReport, DifferenceKind } from '../../../../ops/check/audit/report.ts'
import type { EpochTick, Payment, Payout } from '../../../../schemas/types.ts'
import { isMarker } from '../../../../topology/topics.ts'
import { type FrozenLog, growing } from './frozen-log.ts'
import { MINED_IN } from './rewards-contract.ts'
import { DAILY_QUOTA, MARKETS, PAID_RULES, runScenario, type Scenario, type ScenarioOptions } from './scenario.ts'

const CLEAN = { lost: 0, duplicated: 0, skipped: 0, mismatches: 0, differences: [] }
const auditOf = ({ log, topics }: Pick<Scenario, 'log' | 'topics'>): Promise<AuditReport> =>
  auditLog(log, { topics, rules: PAID_RULES })

/** The newest row of each. */
function paymentsIn({ log, topics: { payments } }: Pick<Scenario, 'log' | 'topics'>): readonly Payment[] {
  const records = log.records(payments, 0)
  return [
    ...new Map(
      records.map(({ key, value }) => [Buffer.from(key!).toString('hex'), payments.value.decode(value!)]),
    ).values(),
  ]
}

let scenario: Scenario
beforeAll(async () => {
  scenario = await runScenario({ seed: 1, days: true })
}, 120_000)

describe('a sound log', () => {
  test.each([
    [1, 3],
    [2, 1],
    [3, 8],
    [4, 2],
  ])('default: the days of seed %i on %i partitions are recomputed alike', async (seed, partitions) => {
    const { log, topics } = await runScenario({ seed, partitions, days: true })
    const report = await auditOf({ log, topics })
    expect(report).toMatchObject({ ...CLEAN, epochsAnchored: 8, daysCompared: 4, daysUnchecked: 0, runsOnChain: null })
    expect(report.payouts).toBeGreaterThan(8)
    expect(report.payments).toBe(report.payouts)
    expect(textOf(renderAudit(report))).toContain(
      `days           4 recomputed, ${report.payouts} payouts, ${report.payments} with a payment`,
    )
  })

  test('behavior: the scenario has a day that is closed in several calls, and one that is open', () => {
    const { log, topics } = scenario
    const payouts = log.records(topics.payouts, 0).map(({ value }) => topics.payouts.value.decode(value!))
    expect(new Set(payouts.map(({ purpose }) => purpose))).toEqual(new Set(['COUNTS', 'CLOSING']))
    expect(Math.max(...payouts.map(({ parts }) => parts))).toBeGreaterThan(1)
    const days = log.records(topics.days, 0).map(({ value }) => topics.days.value.decode(value!))
    expect(days.some(({ ended, eligibleSlots }) => ended && eligibleSlots > 0)).toBe(true)
    expect(scenario.rewards.day(MARKETS[0], 1).paid.size).toBeGreaterThan(0)
  })

  test.each<[string, Omit<ScenarioOptions, 'days'>, Partial<AuditReport>]>([
    [
      'releases leave the chain with their batches',
      { seed: 16, deepReorg: { block: 11, depth: 11 } },
      { daysCompared: 4, releasesLost: 4 },
    ],
    [
      'a day begins anew on another chain',
      { seed: 18, epochs: 6, deepReorg: { block: 14, depth: 6 } },
      { daysCompared: 6 },
    ],
    ['markets come and go', { seed: 22, epochs: 6, comings: true, partitions: 2 }, { daysCompared: 7 }],
    ['epochs are open still', { seed: 23, openEnd: true }, { daysCompared: 4 }],
  ])('behavior: so are they when %s', async (_name, options, figures) => {
    const { log, topics } = await runScenario({ ...options, days: true })
    expect(await auditOf({ log, topics })).toMatchObject({ ...CLEAN, ...figures })
  })

  test('behavior: a day that had passed before it was paid is told as that, and is no fault', async () => {
    const { log, topics } = await runScenario({ seed: 1, epochs: 6, days: true, daysOver: [1] })
    const report = await auditOf({ log, topics })
    expect(report).toMatchObject({ ...CLEAN, daysCompared: 6 })
    const unpaid = paymentsIn({ log, topics }).filter(({ paymentState }) => paymentState === 'UNPAID')
    expect(unpaid.length).toBeGreaterThan(2)
    expect(report.payoutsUnpaid).toBe(unpaid.length)
    expect(report.notes.map(({ message }) => message)).toContain(
      `it came when its day had passed (E38); ${unpaid[0]!.leftOut.length} slots lack what it tells`,
    )
    const text = textOf(renderAudit(report))
    expect(text).toContain(`unpaid         ${unpaid.length} payouts, whose days had passed`)
  })

  test('error: a day that had not passed is no reason to pay nothing of it', async () => {
    const { log, topics } = await runScenario({ seed: 1, days: true, daysOver: [1] })
    const report = await auditOf({ log, topics })
    expect(report).toMatchObject({ lost: 0, duplicated: 0, mismatches: 0, payoutsUnpaid: 0 })
    const unpaid = paymentsIn({ log, topics }).filter(({ paymentState }) => paymentState === 'UNPAID')
    expect(report.skipped).toBe(unpaid.length)
    expect(report.differences.map(({ message }) => message)).toContain(
      `it is UNPAID for good: E38, though no epoch of so late a day was opened; ${unpaid[0]!.leftOut.length} slots`,
    )
  })

  // the time is for thirty audits
  test('behavior: a log that is written meanwhile is as sound at every moment', { timeout: 300_000 }, async () => {
    const early = await runScenario({ seed: 13, openEnd: true, days: true })
    const late = await runScenario({ seed: 13, days: true })
    const { topics } = late
    const { submissions, finalizations, batches, tallies, payouts } = topics
    const sourceOf = { validate: submissions, settle: finalizations, batch: finalizations, anchor: batches }
    for (const { log } of [early, late]) {
      log.commitAll('app', { ...sourceOf, ledger: tallies })
      log.commitAll('app', { anchor: payouts })
    }
    const auditAt = async (turn: number) => {
      const { log, answers } = growing(early.log, late.log, turn)
      return { report: await auditLog(log, { topics, rules: PAID_RULES, appId: 'app' }), answers: answers() }
    }
    const { answers } = await auditAt(Number.POSITIVE_INFINITY)
    const step = Math.ceil(answers / 30)
    for (let turn = 0; turn <= answers; turn += step) expect((await auditAt(turn)).report).toMatchObject(CLEAN)
  })

  test('behavior: what the ledger and the anchor have not taken yet is no fault, and is one when they have', async () => {
    const { topics } = scenario
    const behind = scenario.log.copy()
    for (const topic of [topics.slotDays, topics.days, topics.payouts, topics.payments])
      for (let partition = 0; partition < topic.partitions; partition++) behind.records(topic, partition).length = 0
    const waiting = await auditLog(behind, { topics, rules: PAID_RULES, appId: 'a' })
    expect(waiting).toMatchObject({ duplicated: 0, skipped: 0, mismatches: 0, payouts: 0, payments: 0 })
    behind.commitAll('a', { ledger: topics.tallies })
    const past = await auditLog(behind, { topics, rules: PAID_RULES, appId: 'a' })
    expect(past.skipped).toBeGreaterThan(4)
    expect(past.mismatches).toBeGreaterThan(10)
  })
})

describe('what differs', () => {
  const [market] = MARKETS
  const differences = async (change: (log: FrozenLog, topics: Scenario['topics']) => void) => {
    const log = scenario.log.copy()
    change(log, scenario.topics)
    return (await auditOf({ log, topics: scenario.topics })).differences
  }
  const payoutWith = (of: Partial<Payout>, to: (payout: Payout) => Partial<Payout>) => {
    const isMeant = (payout: Payout) => Object.entries(of).every(([name, value]) => payout[name as 'part'] === value)
    return (log: FrozenLog, { payouts }: Scenario['topics']) =>
      log.edit(payouts, (payout) => (isMeant(payout) ? { ...payout, ...to(payout) } : undefined))
  }
  const paymentWith = (of: Partial<Payment>, to: (row: Payment) => Partial<Payment>) => {
    const isMeant = (row: Payment) => Object.entries(of).every(([name, value]) => row[name as 'part'] === value)
    return (log: FrozenLog, { payments }: Scenario['topics']) => {
      const records = log.records(payments, 0)
      const at = records.findLastIndex(({ value }) => isMeant(payments.value.decode(value!)))
      const row = payments.value.decode(records[at]!.value!)
      records.push({
        ...records[at]!,
        offset: records.at(-1)!.offset + 1,
        value: payments.value.encode({ ...row, ...to(row) }),
      })
    }
  }
  /** The newest row of a slot is written once more. */
  const slotRow =
    (slotId: number, day: number, counted: number) =>
    (log: FrozenLog, { slotDays }: Scenario['topics']): void => {
      for (let partition = 0; partition < slotDays.partitions; partition++) {
        const records = log.records(slotDays, partition)
        const last = records.findLast(({ key }) => {
          const name = slotDays.key.decode(key!)
          return name.slotId === slotId && name.day === day && name.dataMarket === market
        })
        if (!last) continue
        const value = { ...slotDays.value.decode(last.value!), counted }
        records.push({ ...last, offset: records.at(-1)!.offset + 1, value: slotDays.value.encode(value) })
        return
      }
      throw new Error('there is no such row')
    }
  const dropTally = (log: FrozenLog, { tallies }: Scenario['topics']): void => {
    let dropped = false
    log.drop(tallies, (value) => {
      const isFirst = !dropped && !isMarker(value) && value.talliedEpoch === 2
      dropped ||= isFirst
      return isFirst
    })
  }
  const closing = { purpose: 'CLOSING' } as const

  test.each<[string, DifferenceKind, RegExp, (log: FrozenLog, topics: Scenario['topics']) => void]>([
    [
      'a count of a slot',
      'mismatches',
      /^day 1 of 0x\w+, slot 4 counted: recomputed \d+, found 77$/,
      slotRow(4, 1, 77),
    ],
    [
      'no row of a slot',
      'mismatches',
      /^day 1 of 0x\w+, slot 4 no row; recomputed/,
      (log, { slotDays }) =>
        log.drop(slotDays, (_, { slotId, day, dataMarket }) => slotId === 4 && day === 1 && dataMarket === market),
    ],
    [
      'a row of a day that nobody had',
      'mismatches',
      /^day 9 of 0x\w+ it has rows, though/,
      (log, { days }) => {
        const records = log.records(days, 0)
        const key = days.key.encode({ dataMarket: market, day: 9 })
        records.push({ ...records.at(-1)!, key, offset: records.at(-1)!.offset + 1 })
      },
    ],
    [
      'no row of a day',
      'skipped',
      /^day 1 of 0x\w+ it is not in days$/,
      (log, { days }) => log.drop(days, (_, { day, dataMarket }) => day === 1 && dataMarket === market),
    ],
    [
      'a tally that is gone',
      'mismatches',
      /^tallies of epoch 2 of 0x\w+, slot \d+ accepted: recomputed \d+, found \d+$/,
      dropTally,
    ],
    [
      'a payout with another count',
      'mismatches',
      /recomputed slot \d+ with \d+, found slot \d+ with 99$/,
      payoutWith(closing, ({ submissions }) => ({ submissions: [99, ...submissions.slice(1)] })),
    ],
    [
      'a payout without a slot',
      'mismatches',
      /slots: recomputed 2, found 1$/,
      payoutWith({ ...closing, part: 0 }, ({ slotIds, submissions }) => ({
        slotIds: slotIds.slice(1),
        submissions: submissions.slice(1),
      })),
    ],
    [
      'a slot in two parts of a run',
      'duplicated',
      /slot \d+ behind slot \d+ in its run$/,
      payoutWith({ ...closing, part: 1 }, ({ slotIds }) => ({ slotIds: [1, ...slotIds.slice(1)] })),
    ],
    [
      'a payout twice',
      'duplicated',
      /its CLOSE had its payouts already$/,
      (log, { payouts }) => log.repeat(payouts, (_, { dataMarket }) => dataMarket === MARKETS[1]),
    ],
    [
      'a payout that is gone',
      'mismatches',
      /payouts: recomputed \d, found \d$|it is part 1 of its run/,
      (log, { payouts }) => log.drop(payouts, ({ purpose, part }) => purpose === 'CLOSING' && part === 0),
    ],
    [
      'a payment that is gone',
      'skipped',
      /it was never planned$/,
      (log, { payments }) => log.drop(payments, (_, { epochId }) => epochId === 2),
    ],
    [
      'a payment of no payout',
      'mismatches',
      /there is no such payout at offset \d+$/,
      (log, { payments }) => {
        const records = log.records(payments, 0)
        const key = payments.key.encode({ ...payments.key.decode(records[0]!.key!), number: 50 })
        records.push({ ...records[0]!, key, offset: records.at(-1)!.offset + 1 })
      },
    ],
    [
      'a payment that never can be sent',
      'skipped',
      /it is UNPAID for good: E99; \d+ slots$/,
      paymentWith({ ...closing }, () => ({ paymentState: 'UNPAID', error: 'E99' })),
    ],
    [
      'another number of eligible nodes',
      'mismatches',
      /eligible nodes.*: recomputed \d+, found \d+$/,
      paymentWith({ ...closing, paymentState: 'FINAL' }, ({ eligibleNodes }) => ({ eligibleNodes: eligibleNodes + 1 })),
    ],
    [
      'one transaction for two payouts',
      'duplicated',
      /its transaction is that of day/,
      (log, topics) => {
        const records = log.records(topics.payments, 0)
        const rows = records.map(({ value }) => topics.payments.value.decode(value!))
        const { transactionHash } = rows.find((row) => row.paymentState === 'FINAL' && row.transactionHash !== '')!
        paymentWith({ ...closing, paymentState: 'FINAL' }, () => ({ transactionHash }))(log, topics)
      },
    ],
    [
      'a slot left out without a word',
      'mismatches',
      /it is FINAL, and of \d slots \d were sent/,
      paymentWith({ ...closing, paymentState: 'FINAL' }, ({ sent }) => ({ sent: sent - 1 })),
    ],
    [
      'counts that nothing supersedes',
      'mismatches',
      /is superseded, and no newer run of the day is there$/,
      (log, topics) => {
        const last = log
          .records(topics.payouts, 0)
          .map(({ value, offset }) => ({ ...topics.payouts.value.decode(value!), offset }))
          .at(-1)!
        paymentWith({ payoutOffset: last.offset }, () => ({ paymentState: 'SUPERSEDED' }))(log, topics)
      },
    ],
  ])('error: %s is told as %s', async (_name, kind, message, change) => {
    const told = (await differences(change)).map((one) => ({ ...one, text: `${one.where} ${one.message}` }))
    expect(told.filter((one) => one.kind === kind && message.test(one.text))).not.toEqual([])
  })

  test('error: the same transaction for another list than that of the payout', async () => {
    const { topics } = scenario
    const log = scenario.log.copy()
    // the payout, its rows and its answers agree: only what was signed does not
    log.edit(topics.anchorResults, (result, { batchIndex }) => {
      if (batchIndex > -3 || result.outcome !== 'SIGNED') return undefined
      const others = log.records(topics.anchorResults, 0).map(({ value }) => topics.anchorResults.value.decode(value!))
      const other = others.findLast((one) => one.outcome === 'SIGNED' && one.rawTransaction.length > 200)!
      return { ...result, rawTransaction: other.rawTransaction }
    })
    const told = (await auditOf({ log, topics })).differences.map(({ message }) => message)
    expect(told.some((message) => message.startsWith('its transaction is another call'))).toBe(true)
  })
})

describe('what the clock says of days', () => {
  /** Says it of every tick of an epoch of these kinds, wherever it lies. */
  const retold = async (
    epochId: number,
    change: (tick: EpochTick) => Partial<EpochTick>,
    kinds: readonly EpochTick['kind'][] = ['CLOSE'],
  ) => {
    const { topics } = scenario
    const log = scenario.log.copy()
    const told = (tick: EpochTick): EpochTick =>
      kinds.includes(tick.kind) && tick.epochId === epochId ? { ...tick, ...change(tick) } : tick
    for (const topic of [topics.submissions, topics.tallies] as (typeof topics)['submissions'][])
      for (let partition = 0; partition < topic.partitions; partition++)
        for (const [at, record] of log.records(topic, partition).entries()) {
          const event = topic.value.decode(record.value!)
          if (isMarker(event)) {
            const value = topic.value.encode({ ...event, tick: told(event.tick) })
            log.records(topic, partition)[at] = { ...record, value }
          }
        }
    for (const [at, record] of log.records(topics.epochTicks, 0).entries()) {
      const value = topics.epochTicks.value.encode(told(topics.epochTicks.value.decode(record.value!)))
      log.records(topics.epochTicks, 0)[at] = { ...record, value }
    }
    return (await auditOf({ log, topics })).differences.map(({ where, message }) => `${where} ${message}`)
  }

  test.each<[string, RegExp, (tick: EpochTick) => Partial<EpochTick>]>([
    ['another day than its OPEN', /^epoch 3 of 0x\w+ day in its CLOSE: recomputed 2, found 1$/, () => ({ day: 1 })],
    ['another quota', /^epoch 3 of 0x\w+ daily quota in its CLOSE: recomputed 2, found 9$/, () => ({ dailyQuota: 9 })],
    ['more days that ended', /^epoch 3 of 0x\w+ days ended: recomputed 1, found 2$/, () => ({ daysEnded: 2 })],
    ['fewer of them', /^epoch 3 of 0x\w+ days ended: recomputed 1, found 0$/, () => ({ daysEnded: 0 })],
    [
      'skipped epochs',
      /^epoch 3 of 0x\w+ skipped epochs in its CLOSE: recomputed 0, found 2$/,
      () => ({ skippedFrom: 2 }),
    ],
    [
      'refused epochs',
      /^epoch 3 of 0x\w+ refused epochs in its CLOSE: recomputed 0, found 2$/,
      () => ({ refusedFrom: 2 }),
    ],
  ])('error: in a CLOSE, %s', async (_name, message, change) => {
    expect((await retold(3, change)).filter((text) => message.test(text))).toHaveLength(MARKETS.length)
  })

  test('error: an epoch names one before it that opened none, and no block tells of its refusal', async () => {
    const message = /^epoch 3 of 0x\w+ first of the epochs before it that opened none: recomputed 3, found 2$/
    const told = await retold(3, () => ({ refusedFrom: 2 }), ['OPEN', 'CLOSE'])
    expect(told.filter((text) => message.test(text))).toHaveLength(MARKETS.length)
  })
})

describe('records that have expired', () => {
  test('behavior: a day of which an epoch is gone is not recomputed, and said so; later ones are', async () => {
    const { log, topics } = await runScenario({ seed: 5, epochs: 24, partitions: 1, days: true })
    const records = log.records(topics.submissions, 0)
    const at = records.find(({ value }) => {
      const event = topics.submissions.value.decode(value!)
      return isMarker(event) && event.tick.kind === 'HEAD' && event.tick.blockNumber === 10
    })!
    log.expire(topics.submissions, 0, at.offset)
    const report = await auditOf({ log, topics })
    const ofDays = report.differences.filter(({ where }) => where.startsWith('day ') || where.startsWith('tallies'))
    expect(ofDays).toEqual([])
    // day 2 begins there, and for epoch 12, of day 6, somebody may have been early, or have taken the place of one who was
    expect(report).toMatchObject({ daysCompared: 12, daysUnchecked: 12 })
    expect(textOf(renderAudit({ ...report, skipped: 0, mismatches: 0 }))).toContain(
      '12 days with epochs from before the log begins',
    )
    // what is recomputed is compared still
    log.edit(topics.payouts, (payout) =>
      payout.payoutOf === 8 ? { ...payout, submissions: payout.submissions.map((count) => count + 1) } : undefined,
    )
    expect((await auditOf({ log, topics })).mismatches).toBeGreaterThan(report.mismatches)
  })

  test('behavior: payouts are no fault wherever retention cuts them, also in the midst of a run', async () => {
    const { topics } = scenario
    const { length } = scenario.log.records(topics.payouts, 0)
    for (let cut = 1; cut < length; cut += 1) {
      const log = scenario.log.copy()
      log.expire(topics.payouts, 0, log.records(topics.payouts, 0)[cut]!.offset)
      const { differences } = await auditOf({ log, topics })
      expect([cut, differences.filter(({ where }) => where.startsWith('day '))]).toEqual([cut, []])
    }
  })

  test('behavior: payouts, results and tallies that are gone are no fault', async () => {
    const { topics } = scenario
    for (const name of ['payouts', 'tallies', 'anchorResults'] as const) {
      const log = scenario.log.copy()
      for (let partition = 0; partition < topics[name].partitions; partition++) {
        const records = log.records(topics[name] as (typeof topics)['payouts'], partition)
        log.expire(
          topics[name] as (typeof topics)['payouts'],
          partition,
          records[Math.floor(records.length / 2)]!.offset,
        )
      }
      const report = await auditOf({ log, topics })
      const ofDays = report.differences.filter(({ where }) => where.startsWith('day ') || where.startsWith('tallies'))
      expect([name, ofDays]).toEqual([name, []])
    }
  })
})

/** Of every batch of the scenario. */
const OF_BATCHES = `0x${'77'.repeat(32)}`

test('behavior: a payment may be gone with its day, and a row of the day may not be left', async () => {
  const { topics } = scenario
  const log = scenario.log.copy()
  log.drop(topics.payments, (_, { day }) => day === 1)
  const by = async (daysKept: number) => {
    const rules = { ...PAID_RULES, markets: PAID_RULES.markets.map((market) => ({ ...market, daysKept })) }
    return (await auditLog(log, { topics, rules })).differences.map(({ where, message }) => `${where} ${message}`)
  }
  const neverPlanned = (texts: readonly string[]) => texts.filter((text) => text.endsWith('it was never planned'))
  expect(neverPlanned(await by(14))).not.toEqual([])
  const short = await by(1)
  expect(neverPlanned(short)).toEqual([])
  expect(short).toContainEqual(
    expect.stringMatching(/^day 1 of 0x\w+ it is kept no longer; found the row of the day and rows of \d slots$/),
  )
})

describe('the contract', () => {
  const readerOf = (
    change: (
      facts: Awaited<ReturnType<ChainReader['day']>>,
      day: number,
    ) => Partial<Awaited<ReturnType<ChainReader['day']>>> = () => ({}),
  ) => {
    const { day } = { day: scenario.rewards.read.bind(scenario.rewards) }
    return {
      releasedEpochs: async () => [1, 2, 3, 4].map((epochId) => ({ epochId, blockNumber: 4 * epochId - 3 })),
      windowAt: async () => 3n,
      releaseBlock: async (_: string, epochId: number) => 4 * epochId - 3,
      batchWindow: async () => 1_000,
      batchCids: async () => [],
      sequencerRoot: async () => '',
      snapshotCid: async () => '',
      completed: async () => true,
      slotsAt: async () => undefined,
      blockHash: async () => undefined,
      minedIn: async () => MINED_IN,
      dayAt: async () => undefined,
      day: async (dataMarket: string, number: number, slotIds: readonly number[]) => {
        const facts = await day(dataMarket, number, slotIds)
        return { ...facts, ...change(facts, number) }
      },
      close: () => {},
    } satisfies ChainReader
  }
  /** Of days alone: what the contract has of batches is not played here. */
  const against = async (chain: ChainReader) => {
    const report = await auditLog(scenario.log, { topics: scenario.topics, rules: PAID_RULES, chain })
    return { ...report, ofDays: report.differences.filter(({ where }) => where.startsWith('day ')) }
  }

  test('default: it has what the payments say', async () => {
    const report = await against(readerOf())
    expect(report.ofDays).toEqual([])
    // the closing of the first day and the counts of the second, of two markets
    expect(report.runsOnChain).toBe(4)
  })

  test.each<[string, RegExp, Parameters<typeof readerOf>[0]]>([
    [
      'another number',
      /eligible nodes: recomputed \d+, found 50/,
      (_, day) => (day === 1 ? { eligibleNodes: 50 } : {}),
    ],
    ['another remainder', /slots that remain to be paid/, () => ({ remaining: 7 })],
    [
      'a slot that is not paid',
      /paid: recomputed true, found false/,
      ({ slots }) => ({ slots: slots.map((slot) => ({ ...slot, paid: false })) }),
    ],
    [
      'a slot that is paid too much',
      /paid: recomputed false, found true/,
      ({ slots }) => ({ slots: slots.map((slot) => ({ ...slot, paid: true })) }),
    ],
    [
      'another count',
      /counted: recomputed \d+, found \d+/,
      ({ slots }) => ({ slots: slots.map((slot) => ({ ...slot, count: slot.count + 1 })) }),
    ],
    [
      'no counts',
      /slot \d+ counted: recomputed \d+, found 0/,
      ({ slots }, day) => (day === 2 ? { slots: slots.map((slot) => ({ ...slot, count: 0 })) } : {}),
    ],
  ])('error: it has %s', async (_name, message, change) => {
    const { ofDays } = await against(readerOf(change))
    expect(
      ofDays.map(({ where, message: text }) => `${where} ${text}`).filter((text) => message.test(text)),
    ).not.toEqual([])
  })

  test('error: it had another day or quota when the epoch was released; a node may not know any more', async () => {
    const ofEpochs = async (dayAt: ChainReader['dayAt']) => {
      const chain = { ...readerOf(), dayAt }
      const report = await auditLog(scenario.log, { topics: scenario.topics, rules: PAID_RULES, chain })
      const told = report.differences.filter(({ message }) => message.includes('as of its release'))
      const notes = report.notes.map(({ message }) => message).filter((message) => message.includes('released'))
      return { told: told.map(({ message }) => message), notes }
    }
    const dayOf = (block: number): number => Math.ceil(block / 8)
    const right = await ofEpochs(async (_, block) => ({ day: dayOf(block), dailyQuota: DAILY_QUOTA }))
    expect(right).toEqual({ told: [], notes: [] })
    const wrong = await ofEpochs(async (_, block) => ({
      day: dayOf(block) + (block === 5 ? 1 : 0),
      dailyQuota: block === 1 ? 7 : DAILY_QUOTA,
    }))
    expect(new Set(wrong.told)).toEqual(
      new Set(['day as of its release: recomputed 2, found 1', 'daily quota as of its release: recomputed 7, found 2']),
    )
    const { notes } = await ofEpochs(async () => undefined)
    expect(notes).toEqual(['the node has no state of the blocks in which 8 epochs were released: not compared'])
  })

  test('error: it has the transaction in another block, or in none', async () => {
    // what became of batches is told elsewhere
    const wrong = async (of: ChainReader['minedIn']) => {
      const minedIn: ChainReader['minedIn'] = async (hash) => (hash === OF_BATCHES ? MINED_IN : of(hash))
      return (await against({ ...readerOf(), minedIn })).ofDays
    }
    const elsewhere = await wrong(async () => ({ ...MINED_IN, blockNumber: 41 }))
    expect(elsewhere.some(({ message }) => message.startsWith('block of its transaction'))).toBe(true)
    const nowhere = await wrong(async () => undefined)
    expect(nowhere.some(({ message }) => message.startsWith('the chain has no transaction'))).toBe(true)
  })
})
