/** The submissions that an owner of a slot may send in an epoch. */
import type { MarketRules } from '../rules.ts'
import type { Evidence } from '../verdict.ts'

export interface Quota {
  /** Distinct submissions that stand. */
  readonly seats: number
  /** Distinct submissions that are told apart; an owner who signs more has none that stands. */
  readonly signedMax: number
}

/** Full nodes have a quota of their own. */
export function quotaOf(market: MarketRules, isFullNode: boolean): Quota {
  const seats = isFullNode ? market.perFullNodePerEpoch : market.perSlotPerEpoch
  return { seats, signedMax: seats + Math.max(seats, market.overQuotaMax) }
}

/** The same words for every submission over the quota, since the order of arrival may decide which one is over it. */
export const overQuota = ({ seats, signedMax }: Quota): Evidence => ({
  rule: `the first ${seats} submissions of a slot's owner in an epoch, by signed deadline (the highest first) and arrival; none of an owner that signs more than ${signedMax}`,
  expected: `at most ${seats}`,
  actual: 'one more',
})
