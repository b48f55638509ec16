import { LogError, type TopicPartition } from '../../../streams/ports.ts'
import { BATCH_BYTES_MAX, type BatchRecords, nextSequence } from './batches.ts'
import { KafkaRefusal } from './errors.ts'
import { encodeRecordBatch } from './record-batch.ts'
import type { ProducerIdentity } from './requests/init-producer-id.ts'
import type { ProduceBatch } from './requests/produce.ts'

interface Entry {
  readonly batch: BatchRecords
  readonly call: AppendCall
}

/** The records that wait to be appended to one partition, and the batch that is under way. */
export class PartitionQueue implements TopicPartition {
  readonly topic: string
  readonly partition: number
  /** Reasons for which the appender holds it back. */
  pauses = 0
  failures = 0
  firstSentAt = 0
  private identity: ProducerIdentity
  private sequence = 0
  private waiting: Entry[] = []
  private sending: readonly Entry[] = []
  private encoded: Buffer | undefined
  private sendingRecords = 0
  private perhapsWritten = false

  constructor({ topic, partition }: TopicPartition, identity: ProducerIdentity) {
    this.topic = topic
    this.partition = partition
    this.identity = identity
  }

  /** Whether there is something to send now. */
  get ready(): boolean {
    return this.pauses === 0 && (this.encoded !== undefined || this.waiting.length > 0)
  }

  add(batch: BatchRecords, call: AppendCall): void {
    this.waiting.push({ batch, call })
  }

  /** The batch under way, or a new one of as much as fits. */
  take(now: number): ProduceBatch {
    this.encoded ??= this.next(now)
    return { topic: this.topic, partition: this.partition, batch: this.encoded }
  }

  written(baseOffset: number): void {
    let offset = baseOffset
    for (const { batch, call } of this.sending) {
      for (const place of batch.places) call.offsets[place] = offset++
      call.written = true
      settle(call)
    }
    this.sequence = nextSequence(this.sequence, this.sendingRecords)
    this.clear()
  }

  noteFailure(error: LogError): void {
    this.failures++
    if (error.indefinite) this.perhapsWritten = true
  }

  /** The batch under way will not be sent again. */
  giveUp(error: LogError): void {
    const { code, message } = error
    const retriable = error.retriable || (error instanceof KafkaRefusal && error.kind.abortable === true)
    const indefinite = this.perhapsWritten
    for (const { call } of this.sending)
      fail(call, new LogError(code, message, { retriable, indefinite, cause: error }))
    this.clear()
  }

  /** Nothing that waits will be sent. */
  failAll(error: LogError): void {
    this.giveUp(error)
    for (const { call } of this.waiting.splice(0)) fail(call, error)
  }

  /** Goes on as another producer, since the broker may count the batch given up or not. */
  restart(identity: ProducerIdentity): void {
    this.identity = identity
    this.sequence = 0
  }

  private next(now: number): Buffer {
    let sizeBytes = 0
    let count = 0
    for (; count < this.waiting.length; count++) {
      sizeBytes += this.waiting[count]!.batch.sizeBytes
      if (count > 0 && sizeBytes > BATCH_BYTES_MAX) break
    }
    this.sending = this.waiting.splice(0, count)
    const records = this.sending.flatMap(({ batch }) => batch.records)
    this.sendingRecords = records.length
    this.firstSentAt = now
    this.failures = 0
    this.perhapsWritten = false
    return encodeRecordBatch(records, { ...this.identity, baseSequence: this.sequence, transactional: false })
  }

  private clear(): void {
    this.sending = []
    this.encoded = undefined
  }
}

function fail(call: AppendCall, error: LogError): void {
  if (call.failure === undefined || error.indefinite) call.failure = error
  settle(call)
}

/** When it is the last batch of the call. Records of a call that failed may be there already in another partition. */
function settle(call: AppendCall): void {
  if (--call.open > 0) return
  const { failure, written, offsets } = call
  if (failure === undefined) call.resolve(offsets)
  else if (!written || failure.indefinite) call.reject(failure)
  else {
    const { code, message, retriable } = failure
    call.reject(
      new LogError(code, `${message}; other records of the call were written`, {
        retriable,
        indefinite: true,
        cause: failure,
      }),
    )
  }
}

/** One call of `append`, settled when all its batches are. */
export interface AppendCall {
  readonly offsets: number[]
  /** Batches that are not settled yet. */
  open: number
  /** Whether some of its records are in the log. */
  written: boolean
  failure: LogError | undefined
  readonly resolve: (offsets: readonly number[]) => void
  readonly reject: (error: LogError) => void
}
