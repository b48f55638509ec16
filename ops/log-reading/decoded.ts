import { CodecError } from '../../schemas/codec-error.ts'
import type { KafkaTopic } from '../../streams/kafka-topic.ts'
import type { LogRecord } from '../../streams/ports.ts'

/** Told of a record that cannot be decoded, which is left out then. */
export type OnUnreadable = (where: string, why: string) => void

export interface DecodedRecord<K, V> {
  readonly offset: number
  readonly key: K
  readonly value: V | null
  /** As it lies in the log. */
  readonly record: LogRecord
}

/** Undefined for bytes that nobody can read: a dead letter, which decides nothing. */
export function decodedOr<V>({ value }: Pick<KafkaTopic<never, V>, 'value'>, bytes: Uint8Array): V | undefined {
  try {
    return value.decode(bytes)
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

/** The records of a partition that have a key. Throws CodecError at one that cannot be decoded, unless that is to be told. */
export function* decoded<K, V>(
  { name, key, value }: KafkaTopic<K, V>,
  partition: number,
  records: readonly LogRecord[],
  onUnreadable?: OnUnreadable,
): Generator<DecodedRecord<K, V>> {
  for (const raw of records) {
    const { offset, key: keyBytes, value: valueBytes } = raw
    if (keyBytes === null) continue
    let record: DecodedRecord<K, V>
    try {
      record = { offset, key: key.decode(keyBytes), value: valueBytes && value.decode(valueBytes), record: raw }
    } catch (error) {
      if (!(error instanceof CodecError) || onUnreadable === undefined) throw error
      onUnreadable(`${name}[${partition}] offset ${offset}`, error.message)
      continue
    }
    yield record
  }
}
