import type { LogRecord, OutgoingRecord, RecordHeader } from './ports.ts'
import type { RecordOrigin } from './processor.ts'

/** Longest error text that is kept in a header. */
const MESSAGE_LENGTH_MAX = 1_000

/**
 * The record as it came, with why it could not be read and where it lay. Headers are named as in Kafka Streams
 * (KIP-1034). Partition 0: the topic is for people and has few records.
 */
export function deadLetterOf(target: string, record: LogRecord, origin: RecordOrigin, error: unknown): OutgoingRecord {
  const message = error instanceof Error ? error.message : String(error)
  return {
    topic: target,
    partition: 0,
    timestamp: record.timestamp,
    key: record.key,
    value: record.value,
    headers: [
      ...record.headers,
      header('exception', error instanceof Error ? error.name : 'Error'),
      header('message', message.slice(0, MESSAGE_LENGTH_MAX)),
      header('topic', origin.topic),
      header('partition', String(origin.partition)),
      header('offset', String(origin.offset)),
    ],
  }
}

function header(name: string, value: string): RecordHeader {
  return { key: `__streams.errors.${name}`, value: Buffer.from(value) }
}
