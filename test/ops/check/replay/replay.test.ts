import { describe, expect, test } from 'vitest'
import { textOf } from '../../../../ops/base/output.ts'
import { renderReplay, replay } from '../../../../ops/check/replay/command.ts'
import { isEpochSummary, isMarker, type Topics } from '../../../../topology/topics.ts'
import type { FrozenLog } from '../audit/frozen-log.ts'
import {
  ADDED_MARKET,
  DAILY_QUOTA,
  MARKETS,
  PAID_RULES,
  putAddedRow,
  RULES,
  runScenario,
  type Scenario,
  SIGNED_RULES,
} from '../audit/scenario.ts'

const NO_CHAIN = { rpcUrls: [], chainId: 31337, protocolState: '' }
const replayOf = (
  { log, topics }: Pick<Scenario, 'log' | 'topics'>,
  epoch: number,
  dataMarket: string = MARKETS[0],
  rules = RULES,
) => replay({ log, topics, rules, appId: 'app', chain: NO_CHAIN, close: async () => {} }, { epoch, dataMarket })

describe('an epoch as it was made', () => {
  test.each([
    [1, 3],
    [3, 8],
  ])('default: seed %i on %i partitions is recomputed alike', async (seed, partitions) => {
    const scenario = await runScenario({ seed, partitions })
    let verdicts = 0
    for (const market of MARKETS)
      for (const epoch of [1, 2, 3, 4]) {
        const report = await replayOf(scenario, epoch, market)
        expect(report, textOf(renderReplay(report))).toMatchObject({
          identical: true,
          differences: [],
          pending: 0,
          cutAt: null,
        })
        expect(report.verdicts).toBe(report.submissions)
        expect(report.projects).toBeGreaterThan(0)
        verdicts += report.verdicts
      }
    expect(verdicts).toBeGreaterThan(100)
  })

  test('behavior: whatever looks like a marker and was not written by tick-fanout', async () => {
    const scenario = await runScenario({ seed: 31, forgers: true })
    for (const market of MARKETS)
      for (const epoch of [1, 2, 3, 4]) {
        const report = await replayOf(scenario, epoch, market, SIGNED_RULES)
        expect(report, textOf(renderReplay(report))).toMatchObject({ identical: true, pending: 0 })
        expect(report.verdicts).toBe(report.submissions)
      }
  })

  test('behavior: the beginning of the log may have expired before the release', async () => {
    const { log, topics } = await runScenario({ seed: 15, epochs: 6 })
    expireBefore(log, topics, 3)
    const report = await replayOf({ log, topics }, 5)
    expect(report, textOf(renderReplay(report))).toMatchObject({ identical: true })
    expect(report.cutAt).toBeGreaterThan(0)
    await expect(replayOf({ log, topics }, 2)).rejects.toMatchObject({ exitCode: 3, message: /no longer holds/ })
  })

  test('behavior: also of markets that were added or removed while it ran', async () => {
    const scenario = await runScenario({ seed: 27, partitions: 3, comings: true })
    putAddedRow(scenario)
    for (const [market, epoch] of [
      [ADDED_MARKET, 3],
      [MARKETS[1], 2],
      [MARKETS[1], 3],
    ] as const) {
      const report = await replayOf(scenario, epoch, market)
      expect(report, textOf(renderReplay(report))).toMatchObject({ identical: true, pending: 0 })
      expect(report.projects).toBeGreaterThan(0)
    }
  })

  test('error: the tick that added its market has expired', async () => {
    const scenario = await runScenario({ seed: 24, epochs: 6, comings: true })
    putAddedRow(scenario)
    expireBefore(scenario.log, scenario.topics, 4)
    await expect(replayOf(scenario, 5, ADDED_MARKET)).rejects.toMatchObject({ exitCode: 3, message: /tick that added/ })
  })

  test('error: an epoch that is open, or was never released, or has no batches yet', async () => {
    const scenario = await runScenario({ seed: 11, openEnd: true })
    await expect(replayOf(scenario, 4)).rejects.toMatchObject({ exitCode: 3, message: /not closed yet/ })
    await expect(replayOf(scenario, 99)).rejects.toMatchObject({ exitCode: 3, message: /no release/ })
    await expect(replayOf(scenario, 1, `0x${'ee'.repeat(20)}`)).rejects.toThrow(/not one of the data markets/)
    scenario.log.drop(scenario.topics.batches, (event) => isEpochSummary(event))
    await expect(replayOf(scenario, 1)).rejects.toMatchObject({ exitCode: 3, message: /batches are not in the log/ })
  })
})

describe('what an epoch adds to its day', () => {
  const replayPaid = ({ log, topics }: Pick<Scenario, 'log' | 'topics'>, epoch: number, rules = PAID_RULES) =>
    replayOf({ log, topics }, epoch, MARKETS[0], rules)

  test('default: slot by slot, as the tallies have it', async () => {
    const scenario = await runScenario({ seed: 7, days: true })
    let counted = 0
    for (const epoch of [1, 2]) {
      const { identical, contribution } = await replayPaid(scenario, epoch)
      expect(identical).toBe(true)
      expect(contribution).toMatchObject({ day: 1, dailyQuota: DAILY_QUOTA, compared: true })
      const { slots } = contribution!
      expect(slots.map(({ slotId }) => slotId)).toEqual(slots.map(({ slotId }) => slotId).toSorted((a, b) => a - b))
      expect(slots.reduce((sum, slot) => sum + slot.counted, 0)).toBe(contribution!.counted)
      counted += contribution!.counted
    }
    const { days } = scenario.topics
    const rows = scenario.log.records(days, 0).filter(({ key }) => {
      const { dataMarket, day } = days.key.decode(key!)
      return dataMarket === MARKETS[0] && day === 1
    })
    expect(days.value.decode(rows.at(-1)!.value!).counted).toBe(counted)
    expect(textOf(renderReplay(await replayPaid(scenario, 1)))).toMatch(
      /day +1 \(quota 2\): \d slots, \d+ accepted, \d+ counted; compared with the tallies\n +slot 1: \d accepted, \d counted/,
    )
  })

  test('error: a tally with a slot less', async () => {
    const { log, topics } = await runScenario({ seed: 7, days: true })
    log.edit(topics.tallies, (value, { dataMarket }) =>
      !isMarker(value) && dataMarket === MARKETS[0] && value.talliedEpoch === 1 && value.counted.length > 0
        ? { ...value, counted: value.counted.slice(1) }
        : undefined,
    )
    const report = await replayPaid({ log, topics }, 1)
    expect(report.identical).toBe(false)
    expect(textOf(renderReplay(report))).toMatch(/what slot \d adds to the day/)
  })

  test('behavior: tallies that have expired are not compared; an epoch may be in no day, or its market keep none', async () => {
    const { log, topics } = await runScenario({ seed: 7, days: true })
    for (let partition = 0; partition < topics.tallies.partitions; partition++)
      log.expire(topics.tallies, partition, log.records(topics.tallies, partition).at(-1)!.offset)
    const report = await replayPaid({ log, topics }, 1)
    expect(report).toMatchObject({ identical: true, contribution: { compared: false } })
    expect((await replayOf(await runScenario({ seed: 7 }), 1)).contribution).toBeNull()
    const off = { ...PAID_RULES, markets: PAID_RULES.markets.map((market) => ({ ...market, rewards: 'off' as const })) }
    expect((await replayPaid({ log, topics }, 1, off)).contribution).toBeNull()
  })
})

type Tamper = (log: FrozenLog, topics: Topics) => void

const TAMPERINGS: readonly (readonly [string, RegExp, Tamper])[] = [
  [
    'a verdict of another reason',
    /reason\n +recomputed COUNTED\n +recorded +OUTVOTED/,
    (log, { verdicts }) =>
      log.edit(verdicts, (one, key) =>
        isOurs(key) && one.reason === 'COUNTED' ? { ...one, reason: 'OUTVOTED' as const } : undefined,
      ),
  ],
  [
    'a verdict that is gone',
    /verdict\n +recomputed .*COUNTED[\s\S]*recorded +nothing/,
    (log, { verdicts }) => log.drop(verdicts, (one, key) => isOurs(key) && one.reason === 'COUNTED'),
  ],
  [
    'a submission that is gone',
    /verdict\n +recomputed nothing/,
    (log, { submissions }) => log.drop(submissions, (one, key) => isOurs(key) && !isMarker(one) && one.slotId === 1),
  ],
  [
    'a winner',
    /snapshotCid\n/,
    (log, { finalizations }) =>
      log.edit(finalizations, (one, key) =>
        isOurs(key) && !isMarker(one) ? { ...one, snapshotCid: 'other' } : undefined,
      ),
  ],
  [
    'a byte of a batch',
    /batch 0: bytes from 19 on/,
    (log, { batches }) =>
      log.edit(batches, (one, { dataMarket }) => {
        if (dataMarket !== MARKETS[0] || isEpochSummary(one) || one.epochId !== 2) return undefined
        const [first, ...others] = one.texts
        return { ...one, texts: [{ ...first!, submissionIds: first!.submissionIds.replace(/^"./, '"x') }, ...others] }
      }),
  ],
  [
    'a root',
    /batch 0: roothash/,
    (log, { batches }) =>
      log.edit(batches, (one, { dataMarket }) =>
        dataMarket === MARKETS[0] && !isEpochSummary(one) && one.epochId === 2
          ? { ...one, roothash: '0x00' }
          : undefined,
      ),
  ],
  [
    'the CID that was anchored',
    /its anchor: cid/,
    (log, { anchors }) =>
      log.edit(anchors, (one, key) =>
        isOurs(key) && key.batchIndex === 0 && one.state === 'FINAL' ? { ...one, cid: 'bafkreiother' } : undefined,
      ),
  ],
  [
    'the summary',
    /summary: submissions/,
    (log, { batches }) =>
      log.edit(batches, (one, { dataMarket }) =>
        dataMarket === MARKETS[0] && isEpochSummary(one) && one.summaryOf === 2
          ? { ...one, submissions: 0 }
          : undefined,
      ),
  ],
]

const sound = await runScenario({ seed: 6 })
const { topics } = sound

const isOurs = (key: { dataMarket: string; epochId: number }): boolean =>
  key.dataMarket === MARKETS[0] && key.epochId === 2

describe('a log that was changed', () => {
  test.each(TAMPERINGS)('error: %s', async (_name, words, tamper) => {
    const log = sound.log.copy()
    tamper(log, topics)
    const report = await replayOf({ log, topics }, 2)
    expect(report.identical).toBe(false)
    expect(textOf(renderReplay(report))).toMatch(words)
  })

  test('error: rules that were changed since', async () => {
    const { log } = sound
    const rules = { ...RULES, markets: RULES.markets.map((market) => ({ ...market, batchProjectsMax: 1 })) }
    const opened = { log, topics, rules, appId: 'app', chain: NO_CHAIN, close: async () => {} }
    const report = await replay(opened, { epoch: 2, dataMarket: MARKETS[0] })
    expect(textOf(renderReplay(report))).toMatch(/the epoch: batches/)
  })
})

function expireBefore(log: FrozenLog, topics: Topics, epochId: number): void {
  for (let partition = 0; partition < topics.submissions.partitions; partition++) {
    const open = log.records(topics.submissions, partition).find(({ value }) => {
      const event = topics.submissions.value.decode(value!)
      return isMarker(event) && event.tick.kind === 'OPEN' && event.tick.epochId === epochId
    })
    log.expire(topics.submissions, partition, open!.offset - 2 * partition)
  }
}
