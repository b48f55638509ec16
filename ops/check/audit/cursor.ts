/** A partition of `submissions`, read from marker to marker. */
import type { EpochMarker, EpochTick, Submission, SubmissionKey } from '../../../schemas/types.ts'
import type { Log, LogRecord } from '../../../streams/ports.ts'
import { type OnUnreadable, type ReadRecord, readRecords } from '../../../streams/read-record.ts'
import type { ProtocolRules } from '../../../topology/rules.ts'
import { isMarker, type SubmissionEvent, type Topics } from '../../../topology/topics.ts'
import { scan } from '../../reading/scan.ts'
import { RecordOrigin } from './record-origin.ts'
import { untilVisible } from './until-visible.ts'

export interface ReadSubmission {
  readonly partition: number
  readonly offset: number
  /** From the key, lower case. */
  readonly dataMarket: string
  readonly submission: Submission
}

export interface ReadMarker {
  readonly offset: number
  readonly marker: EpochMarker
}

export interface CursorPorts {
  readonly log: Log
  readonly topics: Topics
  readonly rules: ProtocolRules
  /** Told of records that nobody can read, and of markers that are none. */
  readonly onUnreadable: OnUnreadable
}

type Read = ReadRecord<SubmissionKey, SubmissionEvent>

export class PartitionCursor {
  readonly partition: number
  private readonly ports: CursorPorts
  private readonly topic: string
  private pieces: AsyncGenerator<Iterable<Read>>
  private piece: Iterator<Read> = [][Symbol.iterator]()
  private stopped: ReadMarker | undefined
  private readonly origin: RecordOrigin
  /** Before this offset everything has been read, once the cursor is at its end. */
  private end: number
  /** The cursor ends behind the marker at which it stands. */
  private isLast = false

  constructor(ports: CursorPorts, partition: number, end: number) {
    const { name } = ports.topics.submissions
    const { markerKeys, unsignedMarkers } = ports.rules
    this.partition = partition
    this.ports = ports
    this.topic = name
    this.end = end
    this.origin = new RecordOrigin(name, partition, markerKeys, unsignedMarkers)
    this.pieces = piecesOf(ports, partition, 0, end)
  }

  /** Hands over every submission before the next marker and gives that marker, again until it is taken; undefined at the end. */
  async untilMarker(take: (read: ReadSubmission) => void): Promise<ReadMarker | undefined> {
    while (this.stopped === undefined) {
      const record = await this.nextRecord()
      if (record === undefined) return undefined
      const { offset, key, value: event } = record
      if (event === null) continue
      if (isMarker(event)) this.meet(record.record, event)
      else take({ partition: this.partition, offset, dataMarket: key.dataMarket, submission: event })
    }
    return this.stopped
  }

  /**
   * At its end: goes on to the next marker that came meanwhile, and ends behind that one. The ends of several partitions are
   * no single moment: a transaction that wrote to all of them becomes readable in one after the other.
   * @throws CliError when a transaction stays open in the partition
   */
  async readOn(take: (read: ReadSubmission) => void): Promise<ReadMarker | undefined> {
    const { log } = this.ports
    const { topic, partition } = this
    await untilVisible(log, [{ topic, partition }])
    const [bounds] = await log.bounds([{ topic, partition }])
    if (bounds!.stable <= this.end) return undefined
    this.pieces = piecesOf(this.ports, partition, this.end, bounds!.stable)
    this.end = bounds!.stable
    const marker = await this.untilMarker(take)
    this.isLast = marker !== undefined
    return marker
  }

  private meet(record: LogRecord, marker: EpochMarker): void {
    const fault = this.origin.fault(record)
    if (fault === undefined) this.stopped = { offset: record.offset, marker }
    else {
      const { topic, partition } = this
      this.ports.onUnreadable({ topic, partition, offset: record.offset, reason: 'forged', why: fault })
    }
  }

  /** The marker at which the cursor stands was applied: go on behind it. */
  takeMarker(): void {
    if (this.isLast) this.endBehind(this.stopped!)
    this.stopped = undefined
  }

  private endBehind({ offset }: ReadMarker): void {
    this.isLast = false
    this.end = offset + 1
    this.piece = [][Symbol.iterator]()
    this.pieces = nothing()
  }

  private async nextRecord(): Promise<Read | undefined> {
    for (;;) {
      const inPiece = this.piece.next()
      if (!inPiece.done) return inPiece.value
      const next = await this.pieces.next()
      if (next.done) return undefined
      this.piece = next.value[Symbol.iterator]()
    }
  }
}

async function* piecesOf(
  { log, topics: { submissions }, onUnreadable }: CursorPorts,
  partition: number,
  from: number,
  to: number,
): AsyncGenerator<Iterable<Read>> {
  const range = { from, to, tell: onUnreadable }
  for await (const records of scan(log, { topic: submissions.name, partition }, range))
    yield readRecords(submissions, partition, records, onUnreadable)
}

async function* nothing(): AsyncGenerator<never> {}

/** Same text for the same tick. */
export const tickId = ({ kind, dataMarket, epochId, blockNumber, blockHash }: EpochTick): string =>
  `${kind}${epochId > 0 ? ` of epoch ${epochId} of ${dataMarket}` : ''} in block ${blockNumber} (${blockHash})`
