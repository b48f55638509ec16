/** Cuts what the contract is to be told of a day into calls (decision 0039). Pure. */
import type { Payout, PayoutPurpose, SlotDay } from '../../schemas/types.ts'
import type { MarketRules } from '../rules.ts'
import { slotsPerPayout } from '../shared/payout-cost.ts'

export interface Run {
  readonly day: number
  /** The epoch whose CLOSE wrote the run. */
  readonly epochId: number
  readonly closeBlock: number
  readonly purpose: PayoutPurpose
  readonly quota: number
  /** See Day. */
  readonly firstBlock: number
  /** Number of its first payout among the payouts of the CLOSE. */
  readonly number: number
}

/**
 * The payouts of a run; none when there is nothing to tell. Counts at the quota are told in the closing alone: in a call without a number they
 * would be marked as paid, and paid nothing, if somebody else has begun to close the day ahead of it.
 * @param rows of the day, in any order
 */
export function payoutsOf(
  { day, epochId, closeBlock, purpose, quota, firstBlock, number }: Run,
  rows: Iterable<readonly [slotId: number, row: SlotDay]>,
  market: Pick<MarketRules, 'payoutGasMax'>,
): Payout[] {
  const told = [...rows]
    .filter(
      ([, { counted, inPayout }]) =>
        counted > 0 && (purpose === 'CLOSING' || (counted !== inPayout && counted < quota)),
    )
    .sort(([a], [b]) => a - b)
  const perPayout = slotsPerPayout(market, purpose)
  const parts = Math.ceil(told.length / perPayout)
  return Array.from({ length: parts }, (_, part) => {
    const slots = told.slice(part * perPayout, (part + 1) * perPayout)
    return {
      payoutOf: day,
      epochId,
      number: number + part,
      purpose,
      part,
      parts,
      slotIds: slots.map(([slotId]) => slotId),
      submissions: slots.map(([, { counted }]) => counted),
      closeBlock,
      quota,
      firstBlock,
    }
  })
}
