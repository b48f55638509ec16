/** A closed epoch: everything recomputed, and compared with the verdicts, batches, anchors and the contract. */
import type { MarketRules } from '../../../topology/rules.ts'
import type { Topics } from '../../../topology/topics.ts'
import { expectedBatches } from './batching.ts'
import type { EpochView } from './chain-view.ts'
import { compareAnchors, compareChain, tellLost } from './compare-anchors.ts'
import { compareBatches } from './compare-batches.ts'
import type { Decision, Entry } from './entry.ts'
import type { EpochSources } from './epoch-sources.ts'
import { applyQuota } from './quota.ts'
import { type TallyPorts, tallyProject } from './tally.ts'

/** Made anew, they let everything be judged in another way. */
export const JUDGED_BY = ['submissions', 'slots', 'markets'] as const satisfies readonly (keyof Topics)[]

export interface EpochOutcome {
  readonly anchored: boolean
  /** The contract's state was compared. */
  readonly onChain: boolean
}

/**
 * @param valid the epoch's valid submissions; submissions of one project in the order of the log
 * @param ports `decide` takes the final word on each of them
 */
export async function auditEpoch(
  epoch: EpochView,
  valid: readonly Entry[],
  rules: MarketRules,
  sources: EpochSources,
  ports: Pick<TallyPorts, 'timeOf' | 'decide'>,
): Promise<EpochOutcome> {
  const admitted = admitAll(valid, rules, ports.decide)
  const results = [...groupBy(admitted, ({ submission }) => submission.projectId)].map(([projectId, entries]) =>
    tallyProject(projectId, entries, epoch.close!, { ...ports, rules, keccak: sources.keccak }),
  )
  const on = (...topics: (keyof Topics)[]): EpochSources => ({
    ...sources,
    findings: sources.findings.of(1_000 * epoch.close!.blockTimestamp, ...topics),
  })
  const expected = expectedBatches(results, rules, sources.keccak)
  const batches = await compareBatches(epoch, expected, results, on('batches', ...JUDGED_BY))
  tellLost(epoch, sources)
  const anchored = await compareAnchors(epoch, batches, on('anchors', 'batches', 'anchorResults', ...JUDGED_BY))
  const onChain = anchored && sources.chain !== undefined
  if (onChain) await compareChain(epoch, batches, sources.chain, sources.findings)
  return { anchored, onChain }
}

/** Quota per owner of a slot; answers who is in. Also for an epoch that is open still: whom it refuses, it refuses for good. */
export function admitAll(
  valid: readonly Entry[],
  rules: MarketRules,
  decide: (decision: Decision) => void,
): readonly Entry[] {
  const byOwner = groupBy(valid, ({ submission, signer }) => `${submission.slotId} ${signer}`)
  return [...byOwner.values()].flatMap((entries) => applyQuota(entries, rules, decide))
}

function groupBy<K, V>(values: readonly V[], keyOf: (value: V) => K): ReadonlyMap<K, V[]> {
  const groups = new Map<K, V[]>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group) group.push(value)
    else groups.set(key, [value])
  }
  return groups
}
