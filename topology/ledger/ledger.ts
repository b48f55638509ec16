/**
 * The ledger of days: per market, day and slot how many submissions were accepted, and how many counted, over the epochs that
 * have closed; and what the contract is to be told of it (decision 0039). A market is in one task, so that the end of a day
 * sees all of its slots.
 */
import type {
  Day,
  DayKey,
  EpochMarker,
  EpochTally,
  EpochTick,
  MarketKey,
  Payout,
  PayoutPurpose,
  SlotDay,
  SlotDayKey,
} from '../../schemas/types.ts'
import type { ProcessorContext, ProcessorSupplier } from '../../streams/processor.ts'
import type { LedgerStores } from '../ledger-stores.ts'
import { type MarketRules, marketRulesLookup, type ProtocolRules } from '../rules.ts'
import { type Votes, votesBySlot } from '../shared/tally.ts'
import { epochScope, type Topics } from '../topics.ts'
import { hasCounted, isWhole, slotWith, withEpoch, withSlot } from './day.ts'
import { createRows } from './ledger-rows.ts'
import { payoutsOf } from './payouts.ts'

export type LedgerOutputs = {
  readonly slotDays: readonly [SlotDayKey, SlotDay]
  readonly days: readonly [DayKey, Day]
  readonly payouts: readonly [MarketKey, Payout]
}

export const keepLedger =
  (
    rules: ProtocolRules,
    { tallies: { key } }: Pick<Topics, 'tallies'>,
    stores: LedgerStores,
  ): ProcessorSupplier<MarketKey, EpochTally, LedgerOutputs, EpochMarker> =>
  (context) => {
    const tallies = context.store(stores.tallies)
    const rulesOf = marketRulesLookup(rules)
    const close = createLedger(context, stores)
    return {
      process({ dataMarket }, tally) {
        const scope = epochScope(dataMarket, tally.talliedEpoch)
        tallies.put(scope, `${tallies.sizeOf(scope)}`, tally)
        return undefined
      },
      onMarker({ tick }) {
        const { dataMarket, epochId } = tick
        // Every task is told of every CLOSE; the market is in a single task.
        if (!context.owns(key.encode({ dataMarket }))) return undefined
        const market = rulesOf(dataMarket)
        const scope = epochScope(dataMarket, epochId)
        const votes = votesBySlot([...tallies.entries(scope)].map(([, tally]) => tally))
        tallies.dropScope(scope)
        if (market.rewards !== 'off') close(market, tick, votes)
        return undefined
      },
    }
  }

/** @returns takes the CLOSE of an epoch, and what each slot did in it */
function createLedger(context: ProcessorContext<LedgerOutputs>, stores: LedgerStores) {
  const { slotDays, days, payouts } = context.outputs
  const kept = createRows(context, stores)

  const count = (market: string, tick: EpochTick, votes: ReadonlyMap<number, Votes>, before: Day | undefined): Day => {
    const { day, epochId } = tick
    let after = withEpoch(before, tick)
    if (before && after.quota !== before.quota) {
      after = { ...after, eligibleSlots: countEligible(kept.slotsOf(market, day), after.quota) }
    }
    for (const [slotId, votesOfSlot] of [...votes].sort(([a], [b]) => a - b)) {
      const row = kept.slot(market, day, slotId)
      const next = slotWith(row, votesOfSlot, epochId)
      kept.putSlot(market, day, slotId, next)
      after = withSlot(after, row, next)
    }
    return after
  }

  return (market: MarketRules, tick: EpochTick, votes: ReadonlyMap<number, Votes>): void => {
    const { dataMarket } = market
    const { epochId, day: dayNumber, daysEnded, blockNumber: closeBlock } = tick
    const known = kept.daysOf(dataMarket)
    const changed = new Map<number, Day>()
    if (!countsForNothing(market, tick, known)) {
      const after = count(dataMarket, tick, votes, known.get(dayNumber))
      known.set(dayNumber, after)
      changed.set(dayNumber, after)
    }
    let number = 0
    const pay = (day: number, at: Day, purpose: PayoutPurpose): Day => {
      const run = { day, epochId, closeBlock, purpose, quota: at.quota, firstBlock: at.firstBlock, number }
      const written = payoutsOf(run, kept.slotsOf(dataMarket, day), market)
      for (const payout of written) payouts.send({ dataMarket }, payout)
      number += written.length
      for (const { slotIds, submissions } of written)
        for (const [i, slotId] of slotIds.entries()) kept.putInPayout(dataMarket, day, slotId, submissions[i]!)
      return { ...at, payouts: at.payouts + written.length, paidUpTo: at.closed }
    }
    for (const [day, before] of [...known]) {
      const isEnding = !before.ended && day <= daysEnded
      if (!changed.has(day) && !isEnding) continue
      const whole = before.ended ? before.whole : isWhole(before, othersThan(day, known)) // what comes late leaves the closing as it is
      const at = { ...before, ended: before.ended || isEnding, whole }
      const isDue = at.whole && market.rewards === 'on'
      const isCountsDue = !at.ended && at.closed - at.paidUpTo >= market.payoutEpochs
      const purpose = isEnding ? 'CLOSING' : isCountsDue ? 'COUNTS' : undefined
      changed.set(day, isDue && purpose ? pay(day, at, purpose) : at)
    }
    for (const [slotKey, row] of kept.takeChanged()) slotDays.send(slotKey, row)
    for (const [day, row] of changed) {
      kept.putDay(dataMarket, day, row)
      days.send({ dataMarket, day }, row)
    }
    for (const [dayKey, slotKeys] of kept.forgetOldest(market)) {
      for (const slotKey of slotKeys) slotDays.sendTombstone(slotKey)
      days.sendTombstone(dayKey)
    }
  }
}

function countEligible(slots: Iterable<readonly [slotId: number, row: SlotDay]>, quota: number): number {
  let eligible = 0
  for (const [, { counted }] of slots) if (counted >= quota) eligible++
  return eligible
}

/** No day, an epoch that was counted, or a day so old that no rows are kept of it. */
function countsForNothing(
  { daysKept }: MarketRules,
  { day, epochId }: EpochTick,
  known: ReadonlyMap<number, Day>,
): boolean {
  if (day === 0) return true
  if ([...known.values()].some((one) => hasCounted(one, epochId))) return true
  const firsts = [...known.values()].map(({ epochs }) => epochs[0]!.first)
  return known.size >= daysKept && firsts.every((first) => epochId < first)
}

const othersThan = (day: number, known: ReadonlyMap<number, Day>): Day[] =>
  [...known].filter(([other]) => other !== day).map(([, row]) => row)
