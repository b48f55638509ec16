import type { GlobalTable } from './global-table.ts'
import type { KafkaTopic } from './kafka-topic.ts'
import type { Store, StoreBuilder } from './store.ts'

/** Where the record in hand came from. */
export interface RecordOrigin {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** One named output of a processor. What is sent is buffered in the task's burst; nothing leaves before the commit. */
export interface Output<K, V> {
  /** Sends to every child. `timestamp` defaults to that of the record in hand. */
  send(key: K, value: V, timestamp?: number): void
  /** Takes a key's row out of the compacted topics behind this output. @throws where one of them is not compacted */
  sendTombstone(key: K): void
  /** Forwards a marker: it reaches every partition of each topic behind this output, stamped with this task's number. */
  sendMarker(marker: V): void
}

/** The shape of a processor's outputs: name → [key, value]. */
export type OutputTypes = { readonly [name: string]: readonly [key: unknown, value: unknown] }
export type Outputs<O extends OutputTypes> = { readonly [N in keyof O]: Output<O[N][0], O[N][1]> }

/** What a processor sees of the world: its task, the record in hand, its stores, its outputs. Nothing else. */
export interface ProcessorContext<O extends OutputTypes> {
  readonly stage: string
  /** This task's number = the input partition it owns. */
  readonly partition: number
  /** Number of tasks of this stage. */
  readonly partitions: number
  /** Origin of the record in hand (of the last marker that completed an alignment, inside `onMarker`). */
  readonly origin: RecordOrigin
  /** Timestamp of the record in hand, ms. */
  readonly timestamp: number
  /** What the source's `prepare` step computed for the record in hand; undefined when none ran (then compute it). */
  readonly prepared: unknown
  readonly outputs: Outputs<O>
  store<S extends Store>(builder: StoreBuilder<S>): S
  /** A read-only table that every instance holds whole. Look up only what a record or marker names a version of. */
  globalTable<K, V>(topic: KafkaTopic<K, V>): GlobalTable<K, V>
  /** True when records with this key belong to this task, by the partitioner over `partitions`. */
  owns(keyBytes: Uint8Array): boolean
  /** Asks for a commit after the record in hand instead of at the next interval. */
  requestCommit(): void
}

/**
 * A synchronous, deterministic step over records and the state of its task. Returning `undefined` is part of the type so
 * that an `async` processor does not compile.
 */
export interface Processor<KIn, VIn> {
  process(key: KIn, value: VIn): undefined
  /** Called once per marker, when it has arrived from all senders. Markers are never passed to `process`. */
  onMarker?(marker: VIn): undefined
}

/** Makes one processor per task. */
export type ProcessorSupplier<KIn, VIn, O extends OutputTypes> = (context: ProcessorContext<O>) => Processor<KIn, VIn>
