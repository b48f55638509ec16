import type { FetchedPartition, Log } from './ports.ts'
import type { StateStore } from './state.ts'
import type { Task } from './task.ts'

const FETCH_BYTES = 4 * 1024 * 1024
/** A fetch below the end that finds nothing and gets nowhere: twice, and there is nothing (only control records). */
const EMPTY_FETCHES_MAX = 2
const RESTARTS_MAX = 3

interface Reading {
  readonly store: StateStore
  /** Last stable offset when the restore began; nothing of this task can come after it, its writer is open. */
  readonly end: number
  offset: number
  emptyFetches: number
  restarts: number
}

/**
 * Folds the task's changelogs into its stores. Call it when the task's writer is open, so that no older transaction can
 * still commit. @returns the number of records read
 */
export async function restoreTask(
  log: Log,
  task: Task,
  signal: AbortSignal,
  yieldToLoop: () => Promise<void>,
): Promise<number> {
  const { partition, changelogs } = task
  if (changelogs.length === 0) return 0
  const bounds = await log.bounds(changelogs.map(({ changelog }) => ({ topic: changelog, partition })))
  let unread = changelogs.map((store, at): Reading => {
    const { start, stable } = bounds[at]!
    return { store, end: stable, offset: start, emptyFetches: 0, restarts: 0 }
  })
  let records = 0
  for (;;) {
    unread = unread.filter(({ offset, end, emptyFetches }) => offset < end && emptyFetches < EMPTY_FETCHES_MAX)
    if (unread.length === 0 || signal.aborted) return records
    const positions = unread.map(({ store, offset }) => ({ topic: store.changelog, partition, offset }))
    const fetched = await log.fetch(positions, { maxWaitMs: 0, maxBytesPerPartition: FETCH_BYTES, signal })
    for (const [at, answer] of fetched.entries()) records += apply(unread[at]!, answer)
    await yieldToLoop()
  }
}

function apply(reading: Reading, { records, next, start, outOfRange, topic, partition }: FetchedPartition): number {
  if (outOfRange) {
    if (++reading.restarts > RESTARTS_MAX) throw new Error(`${topic}/${partition}: the changelog cannot be read`)
    reading.store.clear()
    reading.offset = start
    return 0
  }
  for (const record of records) if (record.offset < reading.end) reading.store.restore(record)
  reading.emptyFetches = records.length === 0 && next === reading.offset ? reading.emptyFetches + 1 : 0
  reading.offset = next
  return records.length
}
