/** What a slot may send in one epoch (decision 0003), recomputed. */
import type { MarketRules } from '../../topology/rules.ts'
import { byArrival, type Decision, type Entry } from './entry.ts'

/**
 * The stage remembers so many refused submissions of a slot; a copy of one beyond is told that it is over the quota
 * instead of being a copy. Which ones it remembers depends on how its partitions were interleaved.
 */
const REFUSED_REMEMBERED = 1_000

/**
 * @param entries one slot's valid submissions of one epoch; those of one project in the order of the log
 * @returns who is in: of the distinct digests the first by arrival
 * A digest that comes again is a DUPLICATE; whoever is over the quota is RATE_LIMITED.
 */
export function applyQuota(
  entries: readonly Entry[],
  rules: MarketRules,
  decide: (decision: Decision) => void,
): readonly Entry[] {
  const first = new Map<string, Entry>()
  const copies: Entry[] = []
  for (const entry of entries)
    if (first.has(entry.digest)) copies.push(entry)
    else first.set(entry.digest, entry)
  const distinct = [...first.values()].sort(byArrival)
  const quota = quotaOf(distinct[0]!, rules)
  const isFlooded = distinct.length > quota + REFUSED_REMEMBERED
  for (const entry of copies) decide({ entry, reason: 'DUPLICATE', ...(isFlooded && { or: 'RATE_LIMITED' }) })
  for (const entry of distinct.slice(quota)) decide({ entry, reason: 'RATE_LIMITED' })
  return distinct.slice(0, quota)
}

const quotaOf = ({ signer }: Entry, rules: MarketRules): number =>
  rules.fullNodes.includes(signer) ? rules.perFullNodePerEpoch : rules.perSlotPerEpoch
