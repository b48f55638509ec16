import { type Clock, type FetchPosition, type Log, LogError, type LogRecord } from './ports.ts'
import { type OnUnreadable, positionBehind } from './read-record.ts'
import { backOff } from './retry.ts'

const FETCH_BYTES = 4 * 1024 * 1024
/** Fetches in a row that get no further, with waits between them: about two minutes. */
const IDLE_FETCHES_MAX = 60

export interface RangePorts {
  readonly log: Log
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Of who only looks on. */
  readonly tell?: OnUnreadable
}

/**
 * Reads one partition from a position up to `end`, which must be at most its last stable offset, and gives each record to
 * `apply` once. Stops early when the signal is aborted. Done is when the position has reached the end, whatever the last
 * record's offset is: control records and compaction leave holes.
 * At what is damaged it waits until another replica gives what was written; with `tell` it is passed over.
 * @returns the number of records
 * @throws LogError `OUT_OF_RANGE` (retriable) when the position was deleted meanwhile
 */
export async function readRange(
  { log, clock, signal, tell }: RangePorts,
  { topic, partition, offset: from }: FetchPosition,
  end: number,
  apply: (record: LogRecord) => void,
): Promise<number> {
  let count = 0
  let idle = 0
  for (let offset = from; offset < end && !signal.aborted; ) {
    const options = { maxWaitMs: 0, maxBytesPerPartition: FETCH_BYTES, signal }
    const [answer] = await log.fetch([{ topic, partition, offset }], options)
    if (answer!.outOfRange)
      throw new LogError('OUT_OF_RANGE', `${topic}/${partition} has no offset ${offset}`, { retriable: true })
    for (const record of answer!.records) {
      if (record.offset < offset || record.offset >= end) continue // an old answer again, or beyond what is wanted
      apply(record)
      count++
    }
    const { next, damaged, failure } = answer!
    if (damaged && tell) offset = positionBehind(answer!, tell)
    else if (next > offset) idle = 0
    else if (++idle > IDLE_FETCHES_MAX && !damaged)
      throw failure ?? new Error(`${topic}/${partition} cannot be read beyond ${offset}`)
    else await backOff(clock, idle, signal)
    offset = Math.max(offset, next)
  }
  return count
}

/** The records at or above the position: an old answer that comes again begins below it. */
export function freshRecords(records: readonly LogRecord[], position: number): readonly LogRecord[] {
  if (records.length === 0 || records[0]!.offset >= position) return records
  return records.filter(({ offset }) => offset >= position)
}
