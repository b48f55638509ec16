import type { LogRecord, OutgoingRecord, RecordHeader } from './ports.ts'
import type { RecordOrigin } from './processor.ts'

/** Longest error text that is kept in a header. */
const MESSAGE_LENGTH_MAX = 1_000

/** What is kept of a larger record, so that a record as large as a log takes has room for what is said about it. */
const RECORD_BYTES_MAX = 8 * 1024 * 1024

/**
 * The record as it came, with why it could not be read and where it lay. Headers are named as in Kafka Streams
 * (KIP-1034). Partition 0: the topic is for people and has few records. Of one above RECORD_BYTES_MAX the beginnings of key
 * and value are kept, and no header of its own.
 */
export function deadLetterOf(target: string, record: LogRecord, origin: RecordOrigin, error: unknown): OutgoingRecord {
  const message = error instanceof Error ? error.message : String(error)
  const sizeBytes = bytesOf(record)
  const isKept = sizeBytes <= RECORD_BYTES_MAX
  const kept = (bytes: Uint8Array | null) => (isKept ? bytes : (bytes?.subarray(0, RECORD_BYTES_MAX / 2) ?? null))
  return {
    topic: target,
    partition: 0,
    timestamp: record.timestamp,
    key: kept(record.key),
    value: kept(record.value),
    headers: [
      ...(isKept ? record.headers : [header('size', String(sizeBytes))]),
      header('exception', error instanceof Error ? error.name : 'Error'),
      header('message', message.slice(0, MESSAGE_LENGTH_MAX)),
      header('topic', origin.topic),
      header('partition', String(origin.partition)),
      header('offset', String(origin.offset)),
    ],
  }
}

const bytesOf = ({ key, value, headers }: LogRecord): number =>
  headers.reduce(
    (sum, { key: name, value: content }) => sum + Buffer.byteLength(name) + content.length,
    (key?.length ?? 0) + (value?.length ?? 0),
  )

function header(name: string, value: string): RecordHeader {
  return { key: `__streams.errors.${name}`, value: Buffer.from(value) }
}
