/** Asks stores about the batches that they should have, and lets them let go of old ones. */
import type { StoreError, StoreErrorCode } from '../../../connectors/ipfs/batch-store.ts'
import { type Keeper, storeErrorOf } from '../../../connectors/ipfs/store.ts'
import type { KeptBatch } from './kept-batches.ts'

export interface CheckOutcome {
  readonly store: string
  readonly held: number
  readonly missing: readonly KeptBatch[]
  /** Batches that it was not asked about, since it did not answer. */
  readonly unknown: number
  readonly error: StoreError | undefined
}

/** With so many failures in a row a store is away: it is not asked about the rest. */
const FAILURES_MAX = 3
/** Failures that are about one batch: the store is there. */
const OF_THE_BATCH: readonly StoreErrorCode[] = ['NOT_FOUND', 'CORRUPT']

/** Checks a store, one batch after another, so that a check is no load. Never rejects. */
export async function checkStore(
  keeper: Keeper,
  batches: readonly KeptBatch[],
  signal?: AbortSignal,
): Promise<CheckOutcome> {
  const missing: KeptBatch[] = []
  let [held, asked, failures] = [0, 0, 0]
  let error: StoreError | undefined
  for (const batch of batches) {
    if (signal?.aborted || failures >= FAILURES_MAX) break
    try {
      if (await keeper.has(batch.cid, { signal })) held++
      else missing.push(batch)
      asked++
      failures = 0
    } catch (cause) {
      const failure = storeErrorOf(keeper.name, cause)
      if (OF_THE_BATCH.includes(failure.code)) {
        missing.push(batch)
        asked++
      } else {
        error = failure
        failures++
      }
    }
  }
  return { store: keeper.name, held, missing, unknown: batches.length - asked, error }
}

export interface PruneOutcome {
  readonly store: string
  readonly removed: number
  /** Batches that the store was not told of, since it did not answer. */
  readonly left: number
  readonly error: StoreError | undefined
}

/** @param kept CIDs that stay: what a file store has in common with them stays too */
export async function pruneStore(
  keeper: Keeper,
  batches: readonly KeptBatch[],
  kept: readonly string[],
  signal?: AbortSignal,
): Promise<PruneOutcome> {
  let removed = 0
  let error: StoreError | undefined
  for (const { cid } of batches) {
    if (signal?.aborted || error) break
    try {
      await keeper.remove(cid, kept, { signal })
      removed++
    } catch (cause) {
      error = storeErrorOf(keeper.name, cause)
    }
  }
  return { store: keeper.name, removed, left: batches.length - removed, error }
}

const DAY_MS = 86_400_000

/**
 * The batches that are older than so many days. By the time of the log: a clock that jumps ahead for a minute must not
 * cost batches, so the newest row counts as now where the clock is ahead of it.
 */
export function olderThan(batches: readonly KeptBatch[], days: number, now: number): readonly KeptBatch[] {
  const newest = batches.reduce((latest, { at }) => Math.max(latest, at), 0)
  const before = Math.min(now, newest) - days * DAY_MS
  return batches.filter(({ at }) => at < before)
}
