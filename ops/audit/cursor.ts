/** One partition of `submissions`, read from marker to marker. */
import type { EpochMarker, EpochTick, Submission } from '../../schemas/types.ts'
import type { Log, LogRecord } from '../../streams/ports.ts'
import { isMarker, type Topics } from '../../topology/topics.ts'
import { scan } from '../log-reading/scan.ts'

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

export class PartitionCursor {
  readonly partition: number
  private readonly topics: Topics
  private readonly pieces: AsyncGenerator<readonly LogRecord[]>
  private piece: readonly LogRecord[] = []
  private next = 0
  private stopped: ReadMarker | undefined

  constructor(log: Log, topics: Topics, partition: number, end: number) {
    this.topics = topics
    this.partition = partition
    this.pieces = scan(log, { topic: topics.submissions.name, partition }, { to: end })
  }

  /** Hands over every submission before the next marker and gives that marker, again until it is taken; undefined at the end. */
  async untilMarker(take: (read: ReadSubmission) => void): Promise<ReadMarker | undefined> {
    while (this.stopped === undefined) {
      const record = await this.nextRecord()
      if (record === undefined) return undefined
      if (record.key === null || record.value === null) continue
      const event = this.topics.submissions.value.decode(record.value)
      if (isMarker(event)) this.stopped = { offset: record.offset, marker: event }
      else {
        const { dataMarket } = this.topics.submissions.key.decode(record.key)
        take({ partition: this.partition, offset: record.offset, dataMarket, submission: event })
      }
    }
    return this.stopped
  }

  /** The marker at which the cursor stands was applied: go on behind it. */
  takeMarker(): void {
    this.stopped = undefined
  }

  private async nextRecord(): Promise<LogRecord | undefined> {
    while (this.next >= this.piece.length) {
      const { done, value } = await this.pieces.next()
      if (done) return undefined
      this.piece = value
      this.next = 0
    }
    return this.piece[this.next++]
  }
}

/** Same text for the same tick. */
export const tickId = ({ kind, dataMarket, epochId, blockNumber, blockHash }: EpochTick): string =>
  `${kind}${epochId > 0 ? ` of epoch ${epochId} of ${dataMarket}` : ''} in block ${blockNumber} (${blockHash})`
