/**
 * The days of all markets, recomputed from closed epochs and held against what the log has of them: tallies, rows, payouts and
 * payments (decision 0039). For the contract's side of it, a node.
 */
import type { EpochTick, Payment } from '../../../../schemas/types.ts'
import type { Log } from '../../../../streams/ports.ts'
import type { MarketRules } from '../../../../topology/rules.ts'
import type { Topics } from '../../../../topology/topics.ts'
import { compareTransaction } from '../anchor-history.ts'
import type { ChainReader } from '../chain.ts'
import { JUDGED_BY } from '../epoch-audit.ts'
import type { SealRules } from '../record-origin.ts'
import type { AuditReport, Findings } from '../report.ts'
import type { Stages } from '../stages.ts'
import type { WholeEpochs } from '../whole-epochs.ts'
import { PaymentComparison } from './compare-payments.ts'
import { compareRuns } from './compare-runs.ts'
import type { Contribution } from './contribution.ts'
import { DayTicks } from './day-ticks.ts'
import { MarketDays } from './market-days.ts'
import { type FoundPayments, type PaymentHistories, readPaymentHistories, readPayments } from './payment-rows.ts'
import { PayoutIndex, placeOf } from './payout-index.ts'
import { type FoundDays, readFoundDays } from './rows.ts'
import { Settlement } from './settlement.ts'
import { Tallies } from './tallies.ts'

/** Records of days, read before the submissions are bounded: so each record has its cause in the replayed ones. */
export interface DaySources {
  readonly found: FoundDays
  readonly tallies: Tallies
  readonly payouts: PayoutIndex
  readonly payments: FoundPayments
  readonly histories: PaymentHistories
  readonly stages: Stages
  readonly findings: Findings
}

/** In this order: a row is read before what it follows from. */
export async function readDaySources(
  log: Log,
  topics: Topics,
  { stages, findings, rules }: Pick<DaySources, 'stages' | 'findings'> & { readonly rules: SealRules },
): Promise<DaySources> {
  const payments = await readPayments(log, topics, findings)
  const histories = await readPaymentHistories(log, topics, rules)
  const payouts = await PayoutIndex.read(log, topics, rules, findings)
  const found = await readFoundDays(log, topics, findings)
  const ofTallies = findings.of(undefined, 'tallies')
  const tallies = await Tallies.read({ log, topics, findings: ofTallies, ledgered: stages.ledgered })
  return { found, tallies, payouts, payments, histories, stages, findings }
}

export type DayChain = Pick<ChainReader, 'day' | 'minedIn'>

type DayFigures = Pick<
  AuditReport,
  'daysCompared' | 'daysUnchecked' | 'payouts' | 'payments' | 'payoutsUnpaid' | 'runsOnChain'
>

/** So many days after it has begun the contract takes nothing of a day any more (E38). */
const DAYS_TO_PAY = 2
/** Calls that go to the node as one request. */
const CALLS_AT_ONCE = 50

export class DayAudit {
  private readonly sources: DaySources
  private readonly whole: WholeEpochs
  private readonly rulesOf: (dataMarket: string) => MarketRules
  private readonly ticks: DayTicks
  private readonly markets = new Map<string, MarketDays>()
  private compared = 0
  private unchecked = 0
  private payments = 0
  private unpaid = 0
  private runsOnChain: number | null = null

  constructor(sources: DaySources, whole: WholeEpochs, rulesOf: (dataMarket: string) => MarketRules) {
    this.sources = sources
    this.whole = whole
    this.rulesOf = rulesOf
    this.ticks = new DayTicks(sources.findings, whole.isCut)
  }

  /** Markers in the order of the log. */
  apply(tick: EpochTick): void {
    this.ticks.apply(tick)
  }

  /** @param votes undefined when submissions of the epoch may have expired */
  async close(tick: EpochTick, votes: Contribution | undefined): Promise<void> {
    const { dataMarket, epochId } = tick
    const { tallies, payouts } = this.sources
    const at = 1_000 * tick.blockTimestamp
    const findings = this.sources.findings.of(at, 'payouts', 'tallies', ...JUDGED_BY)
    tallies.expect(tick)
    const market = this.marketOf(dataMarket)
    if (!market) return
    const told = await tallies.of(dataMarket, epochId)
    if (told && votes)
      compareTallies(
        `tallies of epoch ${epochId} of ${dataMarket}`,
        votes,
        told,
        this.sources.findings.of(at, 'tallies', ...JUDGED_BY),
      )
    const isDue = this.sources.stages.isPastAll || tallies.isLedgered(tick)
    const expected = market.close({ tick, votes, isDue })
    const found = await payouts.of(dataMarket, epochId)
    const isPartial = (day: number): boolean => market.isPartial(day)
    const mayBeCut = payouts.mayHaveExpired(tick)
    compareRuns({ expected, found, tick, isDue: isDue && !mayBeCut, mayBeCut, isPartial, findings })
  }

  /** @param chain where a node is asked */
  async finish(chain: DayChain | undefined): Promise<void> {
    const { found, payouts, tallies } = this.sources
    const findings = this.sources.findings.of(undefined, 'payouts')
    if (!this.whole.isCut) tallies.finish()
    for (const [dataMarket, days] of found) if (!this.marketOf(dataMarket)) this.unchecked += days.size
    for (const market of this.markets.values()) {
      const { compared, unchecked } = market.finish()
      this.compared += compared
      this.unchecked += unchecked
    }
    for (const { dataMarket, epochId } of this.whole.isCut ? [] : payouts.notAsked())
      if (this.marketOf(dataMarket))
        findings.add('mismatches', `epoch ${epochId} of ${dataMarket}`, 'it has payouts, though it has not closed')
    await this.comparePayments(chain)
  }

  private async comparePayments(chain: DayChain | undefined): Promise<void> {
    const { payouts, payments, histories, stages } = this.sources
    const findings = this.sources.findings.of(undefined, 'payments', 'payouts')
    const comparison = new PaymentComparison(payments, histories, findings)
    const settlement = new Settlement(findings, chain && ((...asked) => chain.day(...asked)))
    let mined: [where: string, row: Payment][] = []
    const compareMined = async (): Promise<void> => {
      if (chain)
        await Promise.all(
          mined.map(([where, row]) => compareTransaction(where, { ...row, state: row.paymentState }, chain, findings)),
        )
      mined = []
    }
    for await (const found of payouts.all()) {
      const isKept = payouts.keepsPayments(found, this.rulesOf(found.dataMarket).daysKept)
      const row = comparison.take(found, {
        isDue: isKept && stages.paid(found.offset),
        hasPassed: this.ticks.hasBegun(found.dataMarket, found.payout.payoutOf + DAYS_TO_PAY),
      })
      if (row) this.payments++
      if (row) mined.push([`${placeOf(found)}, payment`, row])
      if (mined.length >= CALLS_AT_ONCE) await compareMined()
      await settlement.take(found, row)
    }
    await compareMined()
    await settlement.finish()
    comparison.finish(payouts.start)
    this.unpaid = comparison.unpaid
    if (chain) this.runsOnChain = settlement.onChain
  }

  figures(): DayFigures {
    const { compared: daysCompared, unchecked: daysUnchecked, payments, unpaid: payoutsUnpaid, runsOnChain } = this
    return { daysCompared, daysUnchecked, payouts: this.sources.payouts.size, payments, payoutsUnpaid, runsOnChain }
  }

  /** Undefined of a market that keeps no days. */
  private marketOf(dataMarket: string): MarketDays | undefined {
    const rules = this.rulesOf(dataMarket)
    if (rules.rewards === 'off') return undefined
    const { found } = this.sources
    const findings = this.sources.findings.of(undefined, 'days', 'slotDays', 'tallies', ...JUDGED_BY)
    const known = this.markets.get(dataMarket) ?? new MarketDays(rules, found.get(dataMarket), findings, this.whole)
    this.markets.set(dataMarket, known)
    return known
  }
}

function compareTallies(where: string, votes: Contribution, told: Contribution, findings: Findings): void {
  for (const slotId of new Set([...votes.keys(), ...told.keys()])) {
    const [recomputed, found] = [votes.get(slotId) ?? NO_VOTES, told.get(slotId) ?? NO_VOTES]
    findings.same(`${where}, slot ${slotId}`, 'accepted', recomputed.accepted, found.accepted)
    findings.same(`${where}, slot ${slotId}`, 'counted', recomputed.counted, found.counted)
  }
}

const NO_VOTES = { accepted: 0, counted: 0 }
