import type { LogRecord, OutgoingRecord, RecordHeader } from './ports.ts'
import type { RecordOrigin } from './processor.ts'
import { reasonOf, type UnreadableReason } from './read-record.ts'

/** The report about a dead letter; it has nothing of the content. */
export interface DeadLetter extends RecordOrigin {
  readonly reason: UnreadableReason
  /** In words. */
  readonly why: string
}

/** Begins the name of every header that says where a dead letter came from and why; as in Kafka Streams (KIP-1034). */
export const ERROR_HEADERS = '__streams.errors.'

/** Longest error text that is kept in a header. */
const MESSAGE_LENGTH_MAX = 1_000

/**
 * A larger record keeps its beginning. With what is said about it the dead letter stays below the size that brokers take by
 * default, 1 MiB, whatever the topic of the dead letters is set to; ours are all smaller (decision 0021).
 */
export const DEAD_LETTER_BYTES_MAX = 960 * 1024

/**
 * The record as it came, with why it is none and where it lay. Partition 0: the topic is for people and has few records. A record
 * above DEAD_LETTER_BYTES_MAX keeps the beginnings of key and value and no header of its own, and the header `size` says how
 * large it was.
 * @param timestamp of the dead letter; that of the record may be no time, and is in the header `timestamp`
 */
export function deadLetterOf(
  target: string,
  record: LogRecord,
  { origin, error, timestamp }: { readonly origin: RecordOrigin; readonly error: unknown; readonly timestamp: number },
): OutgoingRecord {
  const message = error instanceof Error ? error.message : String(error)
  const sizeBytes = record.fault?.sizeBytes ?? bytesOf(record)
  const isKept = record.fault === undefined && sizeBytes <= DEAD_LETTER_BYTES_MAX
  const kept = (bytes: Uint8Array | null) => (isKept ? bytes : (bytes?.subarray(0, DEAD_LETTER_BYTES_MAX / 2) ?? null))
  return {
    topic: target,
    partition: 0,
    timestamp,
    key: kept(record.key),
    value: kept(record.value),
    headers: [
      ...(isKept ? record.headers : [header('size', String(sizeBytes))]),
      header('exception', error instanceof Error ? error.name : 'Error'),
      header('message', message.slice(0, MESSAGE_LENGTH_MAX)),
      header('reason', reasonOf(error)),
      header('topic', origin.topic),
      header('partition', String(origin.partition)),
      header('offset', String(origin.offset)),
      header('timestamp', String(record.timestamp)),
    ],
  }
}

const bytesOf = ({ key, value, headers }: LogRecord): number =>
  headers.reduce(
    (sum, { key: name, value: content }) => sum + Buffer.byteLength(name) + content.length,
    (key?.length ?? 0) + (value?.length ?? 0),
  )

const header = (name: string, value: string): RecordHeader => ({
  key: ERROR_HEADERS + name,
  value: Buffer.from(value),
})
