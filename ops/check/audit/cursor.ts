/** One partition of `submissions`, read from marker to marker. */
import type { EpochMarker, EpochTick, Submission, SubmissionKey } from '../../../schemas/types.ts'
import type { Log, LogRecord } from '../../../streams/ports.ts'
import { type OnUnreadable, type ReadRecord, readRecords } from '../../../streams/read-record.ts'
import type { ProtocolRules } from '../../../topology/rules.ts'
import { isMarker, type SubmissionEvent, type Topics } from '../../../topology/topics.ts'
import { scan } from '../../reading/scan.ts'
import { MarkerOrigin } from './marker-origin.ts'

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
  private readonly pieces: AsyncGenerator<Iterable<Read>>
  private piece: Iterator<Read> = [][Symbol.iterator]()
  private stopped: ReadMarker | undefined
  private readonly origin: MarkerOrigin
  private readonly topic: string
  private readonly onUnreadable: OnUnreadable

  constructor({ log, topics, rules, onUnreadable }: CursorPorts, partition: number, end: number) {
    this.partition = partition
    this.origin = new MarkerOrigin(topics.submissions.name, partition, rules)
    this.topic = topics.submissions.name
    this.onUnreadable = onUnreadable
    this.pieces = piecesOf(log, topics, partition, end, onUnreadable)
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

  private meet(record: LogRecord, marker: EpochMarker): void {
    const fault = this.origin.fault(record)
    if (fault === undefined) this.stopped = { offset: record.offset, marker }
    else {
      const { topic, partition } = this
      this.onUnreadable({ topic, partition, offset: record.offset, reason: 'undecodable', why: fault })
    }
  }

  /** The marker at which the cursor stands was applied: go on behind it. */
  takeMarker(): void {
    this.stopped = undefined
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
  log: Log,
  { submissions }: Topics,
  partition: number,
  to: number,
  onUnreadable: OnUnreadable,
): AsyncGenerator<Iterable<Read>> {
  for await (const records of scan(log, { topic: submissions.name, partition }, { to, tell: onUnreadable }))
    yield readRecords(submissions, partition, records, onUnreadable)
}

/** Same text for the same tick. */
export const tickId = ({ kind, dataMarket, epochId, blockNumber, blockHash }: EpochTick): string =>
  `${kind}${epochId > 0 ? ` of epoch ${epochId} of ${dataMarket}` : ''} in block ${blockNumber} (${blockHash})`
