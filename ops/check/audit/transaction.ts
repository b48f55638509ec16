/** The gas of a call that submits some projects to the contract, reckoned a second time. */
import type { MarketRules } from '../../../topology/rules.ts'

export const isAnchorable = (projects: readonly Winner[], { batchGasMax, batchCalldataMax }: MarketRules): boolean => {
  const { gas, bytes } = transactionOf(projects)
  return gas <= batchGasMax && bytes <= batchCalldataMax
}

interface Winner {
  readonly projectId: string
  readonly snapshotCid: string
}

/**
 * The transaction that submits these projects, as the sequencer reckons it. Bytes by the ABI: 11 words and a selector
 * for what every batch has, four words a project for where its two texts lie and how long they are, and the texts in whole
 * words. Gas by what was measured: per batch, per project, per word of storage, and a square for memory.
 */
export function transactionOf(projects: readonly Winner[]): { readonly gas: number; readonly bytes: number } {
  let [gas, words] = [205_000, 11]
  for (const { projectId, snapshotCid } of projects) {
    const [id, cid] = [projectId, snapshotCid].map((text) => new TextEncoder().encode(text).length) as [number, number]
    words += 4 + Math.floor((id + 31) / 32) + Math.floor((cid + 31) / 32)
    gas += 79_000 + 24_600 * slotsOf(id) + 24_000 * slotsOf(cid)
  }
  const bytes = 4 + 32 * words
  return { gas: gas + Math.ceil((bytes * bytes) / 50_000), bytes }
}

/** Storage slots of a string: up to 31 bytes share one with their length. */
const slotsOf = (bytes: number): number => (bytes > 31 ? Math.floor((bytes + 31) / 32) : 0) + 1
