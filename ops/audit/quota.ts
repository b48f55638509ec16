/** What a slot may send in one epoch (decision 0003), recomputed. */
import type { MarketRules } from '../../topology/rules.ts'
import { byArrival, type Decision, type Entry } from './entry.ts'

export interface QuotaResult {
  readonly admitted: readonly Entry[]
  readonly decisions: readonly Decision[]
}

/**
 * @param entries one slot's valid submissions of one epoch; those of one project in the order of the log
 * A digest that comes again is a DUPLICATE; of the distinct ones the first by arrival stay, the others are RATE_LIMITED.
 */
export function applyQuota(entries: readonly Entry[], rules: MarketRules): QuotaResult {
  const first = new Map<string, Entry>()
  const decisions: Decision[] = []
  for (const entry of entries)
    if (first.has(entry.digest)) decisions.push({ entry, reason: 'DUPLICATE' })
    else first.set(entry.digest, entry)
  const distinct = [...first.values()].sort(byArrival)
  const quota = quotaOf(distinct[0]!, rules)
  for (const entry of distinct.slice(quota)) decisions.push({ entry, reason: 'RATE_LIMITED' })
  return { admitted: distinct.slice(0, quota), decisions }
}

const quotaOf = ({ signer }: Entry, rules: MarketRules): number =>
  rules.fullNodes.includes(signer) ? rules.perFullNodePerEpoch : rules.perSlotPerEpoch
