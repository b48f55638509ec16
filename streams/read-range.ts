/**
 * Reads one partition from one offset to another. This file alone decides when such a reading is over, which records it passes
 * over, and when it fails: every reader of a whole topic, or of a part of it, goes through here.
 */
import {
  type Clock,
  type FetchedPartition,
  type FetchOptions,
  type FetchPosition,
  type Log,
  LogError,
  type LogRecord,
  type TopicPartition,
} from './ports.ts'
import { type OnUnreadable, positionBehind } from './read-record.ts'
import { backOff } from './retry.ts'

const FETCH_BYTES = 4 * 1024 * 1024
/** Fetches in a row that get no further, with waits between them: about two minutes. */
const IDLE_FETCHES_MAX = 60

export interface RangePorts {
  readonly log: Log
  /**
   * With a clock a reader waits up to two minutes for a log that gets no further, and without end at what is damaged, until another
   * replica gives what was written. Without a clock either ends the reading.
   */
  readonly clock?: Clock
  readonly signal?: AbortSignal
  /** For a reader that only looks on: is told of damaged records, which are passed over then. */
  readonly tell?: OnUnreadable
}

export interface RangeOptions {
  /** Soft bound on the bytes of one piece, 4 MiB. */
  readonly pieceBytes?: number
  /** Records that were deleted meanwhile are passed over; by default they end the reading. */
  readonly passesDeleted?: boolean
}

/**
 * The committed records from a position up to `end`, in pieces, each record once. Stops early when the signal is aborted. Done is when the
 * position has reached the end, whatever the last record's offset is: control records and compaction leave holes.
 * @param end at most the last stable offset of the partition, since nothing is to be had beyond that
 * @returns the position behind what was read
 * @throws LogError `OUT_OF_RANGE` (retriable) when the position was deleted meanwhile; `OFFSET_NOT_AVAILABLE` (retriable), or what the log
 * says of it, when the log gets no further
 */
export async function* readPieces(
  ports: RangePorts,
  from: FetchPosition,
  end: number,
  options: RangeOptions = {},
): AsyncGenerator<readonly LogRecord[], number> {
  const walk = new Walk(ports, from, end, options)
  while (!walk.isOver) {
    const [answer] = await walk.fetch()
    const records = walk.take(answer!)
    if (records.length > 0) yield records
    if (walk.isIdle) await walk.pause()
  }
  return walk.offset
}

/** As `readPieces`, for who takes record by record. @returns the number of records */
export async function readRange(
  ports: RangePorts,
  from: FetchPosition,
  end: number,
  apply: (record: LogRecord) => void,
): Promise<number> {
  const walk = new Walk(ports, from, end, {})
  let count = 0
  while (!walk.isOver) {
    const [answer] = await walk.fetch()
    const records = walk.take(answer!)
    for (const record of records) apply(record)
    count += records.length
    if (walk.isIdle) await walk.pause()
  }
  return count
}

/** The place of a reading, and the meaning of each answer for it. */
class Walk {
  offset: number
  private readonly ports: RangePorts
  private readonly at: TopicPartition
  private readonly end: number
  private readonly passesDeleted: boolean
  private readonly fetching: FetchOptions
  /** Answers in a row that got no further. */
  private idle = 0

  constructor(
    ports: RangePorts,
    { topic, partition, offset }: FetchPosition,
    end: number,
    { pieceBytes = FETCH_BYTES, passesDeleted = false }: RangeOptions,
  ) {
    const { signal } = ports
    this.ports = ports
    this.at = { topic, partition }
    this.offset = offset
    this.end = end
    this.passesDeleted = passesDeleted
    this.fetching = { maxWaitMs: 0, maxBytesPerPartition: pieceBytes, ...(signal && { signal }) }
  }

  get isOver(): boolean {
    return this.offset >= this.end || this.ports.signal?.aborted === true
  }

  get isIdle(): boolean {
    return this.idle > 0
  }

  fetch(): Promise<readonly FetchedPartition[]> {
    return this.ports.log.fetch([{ ...this.at, offset: this.offset }], this.fetching)
  }

  /** Moves behind the answer. @returns its records within the range */
  take(answer: FetchedPartition): readonly LogRecord[] {
    const { offset, end, ports } = this
    const { topic, partition, start, outOfRange, damaged } = answer
    if (outOfRange && !(this.passesDeleted && start > offset))
      throw new LogError('OUT_OF_RANGE', `${topic}/${partition} has no offset ${offset}`, { retriable: true })
    const next = nextOf(answer, end, ports.tell)
    this.idle = next > offset ? 0 : this.idle + 1
    if (this.isIdle && (ports.clock === undefined || (this.idle > IDLE_FETCHES_MAX && !damaged))) throw stuck(answer)
    this.offset = Math.max(offset, next)
    return within(answer.records, offset, end)
  }

  pause(): Promise<void> {
    return backOff(this.ports.clock!, this.idle, this.ports.signal)
  }
}

/** Records beyond the end are left for another reading. */
function nextOf(answer: FetchedPartition, end: number, tell: OnUnreadable | undefined): number {
  const { next, start, outOfRange, damaged } = answer
  if (outOfRange) return start
  return Math.min(end, damaged && tell ? positionBehind(answer, tell) : next)
}

/** The records at or above the position: an old answer that comes again begins below it. */
export function freshRecords(records: readonly LogRecord[], position: number): readonly LogRecord[] {
  if (records.length === 0 || records[0]!.offset >= position) return records
  return records.filter(({ offset }) => offset >= position)
}

function within(records: readonly LogRecord[], position: number, end: number): readonly LogRecord[] {
  const fresh = freshRecords(records, position)
  return fresh.length === 0 || fresh.at(-1)!.offset < end ? fresh : fresh.filter(({ offset }) => offset < end)
}

function stuck({ topic, partition, next, failure, damaged }: FetchedPartition): LogError {
  if (failure !== undefined && damaged === undefined) return failure
  const why = failure?.message ?? `offset ${next} of ${topic}/${partition} is not to be had yet`
  return new LogError('OFFSET_NOT_AVAILABLE', why, { retriable: true, cause: failure })
}
