import type { TopicConfig } from './ports.ts'
import type { Seals } from './seals.ts'
import type { Serde } from './serde.ts'

/** A topic for readers and writers of its single records. `T` is everything that lies there: data, and markers if it has any. */
export interface RecordTopic<K, T> {
  readonly name: string
  readonly key: Serde<K>
  readonly value: Serde<T>
  readonly partitions: number
  readonly cleanup: 'delete' | 'compact'
  /** Age in ms at which records may go; undefined = kept (or purged by the engine when it is a repartition topic). */
  readonly retentionMs?: number
  /** Each record counts only with the seal of who may write the topic; without, every record counts. */
  readonly seals?: Seals
}

/**
 * A topic of the topology. `V` is its data, `M` its in-band markers. `markers` tells the two apart; a topic without it carries data
 * only.
 */
export interface KafkaTopic<K, V, M = never> extends RecordTopic<K, V | M> {
  readonly markers?: MarkerProtocol<K, V, M>
  /**
   * Each record is an order to an outside system, which keeps no position in the topic: the writer counts on it to lie there
   * until the order is carried out. A stage that writes it refuses to go on when the topic was made anew.
   */
  readonly holdsOrders?: boolean
}

/** The part of a topic that the log has to know. */
export const configOf = ({ name, partitions, cleanup, retentionMs }: TopicConfig): TopicConfig => ({
  name,
  partitions,
  cleanup,
  ...(retentionMs !== undefined && { retentionMs }),
})

/**
 * The sender of a marker, the number of senders, and the records that this sender put into this partition within the marker's
 * scope.
 */
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
export interface MarkerProtocol<K, V, M> {
  /** Others write the data of the topic too: markers count only with the seal of the stage that writes them. */
  readonly seals?: Seals
  isMarker(value: V | M): value is M
  /** Same text for the same marker from every sender, distinct for distinct markers. */
  idOf(marker: M): string
  /** The scope a marker closes, or undefined when it closes none (then counts are not checked). */
  scopeOf(marker: M): string | undefined
  /** The scope that a data record is counted under. */
  scopeOfData(key: K, value: V): string
  /** The key under which a marker is written. */
  keyOf(marker: M): K
  stampOf(marker: M): MarkerStamp
  /** A copy of the marker with another stamp. */
  withStamp(marker: M, stamp: MarkerStamp): M
}
