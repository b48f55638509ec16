/** The quota of an owner of a slot in one epoch (decision 0003), recomputed. */
import type { MarketRules } from '../../../topology/rules.ts'
import { byArrival, type Decision, type Entry } from './entry.ts'

/**
 * @param entries one owner's valid submissions of one epoch; submissions of one project in the order of the log
 * @returns the admitted submissions: the distinct digests with the highest signed deadlines, of equal ones the first by arrival
 * A digest that comes again is a DUPLICATE; a submission over the quota is RATE_LIMITED, and so is every submission of a flood.
 * The stage forgets the digests of a flood, so that a copy in it may be called either.
 */
export function applyQuota(
  entries: readonly Entry[],
  rules: MarketRules,
  decide: (decision: Decision) => void,
): readonly Entry[] {
  const { originals, copies } = tellCopies(entries)
  const distinct = originals.sort((a, b) => b.submission.deadline - a.submission.deadline || byArrival(a, b))
  const isFlood = distinct.length > signedMax(distinct[0]!, rules)
  const seats = isFlood ? 0 : quotaOf(distinct[0]!, rules)
  for (const entry of copies) decide({ entry, reason: 'DUPLICATE', ...(isFlood && { or: ['RATE_LIMITED' as const] }) })
  for (const entry of distinct.slice(seats)) decide({ entry, reason: 'RATE_LIMITED' })
  return distinct.slice(0, seats)
}

/** An original is contested when a copy of it has another header, or was contested itself. */
function tellCopies(entries: readonly Entry[]): { readonly originals: Entry[]; readonly copies: readonly Entry[] } {
  const first = new Map<string, Entry>()
  const copies: Entry[] = []
  for (const entry of entries) {
    const original = first.get(entry.digest)
    if (!original) first.set(entry.digest, entry)
    else {
      copies.push(entry)
      if (entry.contested || entry.submission.header !== original.submission.header) original.contested = true
    }
  }
  return { originals: [...first.values()], copies }
}

const quotaOf = ({ signer }: Entry, rules: MarketRules): number =>
  rules.fullNodes.includes(signer) ? rules.perFullNodePerEpoch : rules.perSlotPerEpoch

/** More distinct ones are a flood. */
export const signedMax = (entry: Entry, rules: MarketRules): number => floodAbove(quotaOf(entry, rules), rules)

/** @param quota the owner's own, which differs for full nodes */
export const floodAbove = (quota: number, { overQuotaMax }: Pick<MarketRules, 'overQuotaMax'>): number =>
  quota + (overQuotaMax > quota ? overQuotaMax : quota)
