/** State out of changelogs. */
import type { Clock, FetchPosition, Log, LogRecord } from './ports.ts'
import { unreadableRow } from './position-loss.ts'
import { readRange } from './read-range.ts'
import { type OnUnreadable, UnreadableError } from './read-record.ts'
import type { StateStore } from './state.ts'
import type { Task } from './task.ts'

/**
 * Folds the changelogs of a task into its stores, from where they have been restored before.
 * @returns the number of records, and where the changelogs began
 */
export async function restoreTask(
  { partition, changelogs }: Task,
  restored: Restored,
  ports: { readonly log: Log; readonly clock: Clock; readonly signal: AbortSignal },
  tell: OnUnreadable,
): Promise<{ readonly records: number; readonly starts: readonly FetchPosition[] }> {
  const bounds = await ports.log.bounds(changelogs.map(({ changelog }) => ({ topic: changelog, partition })))
  let records = 0
  for (const [at, store] of changelogs.entries()) {
    const { start, stable } = bounds[at]!
    const offset = restored.get(store.changelog) ?? -1
    if (offset < start) store.clear()
    const from = { topic: store.changelog, partition, offset: Math.max(start, offset) }
    records += await readRange(ports, from, stable, (record) => restoreRecord(store, partition, record, tell))
  }
  const starts = changelogs.map(({ changelog: topic }, at) => ({ topic, partition, offset: bounds[at]!.start }))
  return { records, starts }
}

/**
 * Folds a record of a changelog into its store. A record that no release of ours can have written is left out and reported.
 * @throws PositionLostError `UNREADABLE_ROW` for a record that another release may have written and this one cannot read: without it the
 *   state would be another
 */
export function restoreRecord(store: StateStore, partition: number, record: LogRecord, tell: OnUnreadable): void {
  try {
    if (record.fault !== undefined) throw new UnreadableError(record.fault.reason, record.fault.message)
    if (record.key === null) throw new UnreadableError('null-key', 'the key is null')
    store.restore(record)
  } catch (error) {
    const { offset } = record
    if (!isForeign(error)) throw unreadableRow({ topic: store.changelog, partition }, offset, error as Error)
    const reason = error instanceof UnreadableError ? error.reason : 'undecodable'
    tell({ topic: store.changelog, partition, offset, reason, why: (error as Error).message })
  }
}

const isForeign = (error: unknown): boolean =>
  error instanceof UnreadableError || (error instanceof Error && 'isForeign' in error && error.isForeign === true)

/** How far the changelogs of a task have been folded into its stores: changelog → next offset. */
export type Restored = ReadonlyMap<string, number>
