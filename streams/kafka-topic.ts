import type { TopicConfig } from './ports.ts'
import type { Serde } from './serde.ts'

/**
 * A topic of the topology. `markers` says which of its values are in-band markers; a topic without it carries data only.
 */
export interface KafkaTopic<K, V> {
  readonly name: string
  readonly key: Serde<K>
  readonly value: Serde<V>
  readonly partitions: number
  readonly cleanup: 'delete' | 'compact'
  /** Age in ms at which records may go; undefined = kept (or purged by the engine when it is a repartition topic). */
  readonly retentionMs?: number
  readonly markers?: MarkerProtocol<K, V>
}

/** What of a topic the log has to know. */
export const configOf = ({ name, partitions, cleanup, retentionMs }: TopicConfig): TopicConfig => ({
  name,
  partitions,
  cleanup,
  ...(retentionMs !== undefined && { retentionMs }),
})

/** Who sent a marker, how many senders there are, and what this sender put into this partition within the marker's scope. */
export interface MarkerStamp {
  /** Partition (task number) of the sender, 0 ≤ from < of. */
  readonly from: number
  readonly of: number
  /** Data records the sender put into the receiving partition in the marker's scope. */
  readonly count: number
  /** XOR of the CRC-32 of those records' value bytes, an unsigned 32-bit integer. */
  readonly checksum: number
}

/**
 * How the engine reads and writes markers of a topic without knowing what they mean.
 *
 * A marker is delivered to the processors of a task once, when it has arrived from all `of` senders: by then every record
 * that any sender wrote before it has been processed (each partition is FIFO), so the cut is consistent (Chandy–Lamport).
 */
export interface MarkerProtocol<K, V> {
  isMarker(value: V): boolean
  /** Same text for the same marker from every sender, distinct for distinct markers. */
  idOf(marker: V): string
  /** The scope a marker closes, or undefined when it closes none (then counts are not checked). */
  scopeOf(marker: V): string | undefined
  /** The scope that a data record is counted under. */
  scopeOfData(key: K, value: V): string
  /** The key under which a marker is written. */
  keyOf(marker: V): K
  stampOf(marker: V): MarkerStamp
  /** A copy of the marker with another stamp. */
  withStamp(marker: V, stamp: MarkerStamp): V
}
