import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

/**
 * A request of Kafka's protocol at one version, and how its answer reads. Headers (correlation id, client id, their tagged
 * fields) are the connection's; the body is the request's.
 */
export interface KafkaRequest<T> {
  /** Number of the API in the protocol guide. */
  readonly apiKey: number
  /** Name of the request in Kafka's protocol, for errors and logs. */
  readonly apiName: string
  readonly apiVersion: number
  /** Whether this version is written with compact lengths and tagged fields; decides the headers' version too. */
  readonly flexible: boolean
  /** About how many bytes `encode` writes, where that is many: the writer need not grow then. */
  readonly sizeBytes?: number
  encode(writer: ByteWriter): void
  decode(reader: ByteReader): T
}
