import type { GlobalTable } from './global-table.ts'
import type { RecordTopic } from './kafka-topic.ts'
import type { Store, StoreBuilder } from './store.ts'

/** Where the record in hand came from. */
export interface RecordOrigin {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** A named output of a processor. Sent records are buffered in the task's burst; nothing leaves before the commit. */
export interface Output<K, V, M = never> {
  /** Sends to every child, with the timestamp of the record in hand. */
  send(key: K, value: V): void
  /** Takes a key's row out of the compacted topics behind this output. @throws where one of them is not compacted */
  sendTombstone(key: K): void
  /** Forwards a marker: it reaches every partition of each topic behind this output, stamped with this task's number. */
  sendMarker(marker: M): void
}

/** The shape of a processor's outputs: name → [key, value], or [key, value, marker] of an output that passes markers on. */
export type OutputTypes = {
  readonly [name: string]:
    | readonly [key: unknown, value: unknown]
    | readonly [key: unknown, value: unknown, marker: unknown]
}
export type MarkerOf<O> = O extends readonly [unknown, unknown, infer M] ? M : never
export type Outputs<O extends OutputTypes> = { readonly [N in keyof O]: Output<O[N][0], O[N][1], MarkerOf<O[N]>> }

/** A processor's view of the world: the place of the record in hand, its stores, its outputs. Nothing else. */
export interface ProcessorContext<O extends OutputTypes> {
  /** Origin of the record in hand (of the last marker that completed an alignment, inside `onMarker`). */
  readonly origin: RecordOrigin
  readonly outputs: Outputs<O>
  store<S extends Store>(builder: StoreBuilder<S>): S
  /** A read-only table that every instance holds whole. Look up only what a record or marker names a version of. */
  globalTable<K, V>(topic: RecordTopic<K, V>): GlobalTable<K, V>
  /** True when records with this key belong to this task, by the partitioner over the number of tasks. */
  owns(keyBytes: Uint8Array): boolean
  /** Asks for a commit after the record in hand instead of at the next interval. */
  requestCommit(): void
}

/**
 * A synchronous, deterministic step over records and the state of its task. Returning `undefined` is part of the type so
 * that an `async` processor does not compile.
 */
export interface Processor<KIn, VIn, MIn = never, PIn = never> {
  /**
   * @param prepared the value that was prepared of the record at the source; undefined when nothing was prepared, and behind a
   * processor
   */
  process(key: KIn, value: VIn, prepared?: PIn): undefined
  /** Called once per marker, when it has arrived from all senders. */
  onMarker?(marker: MIn): undefined
}

/** Makes one processor per task. */
export type ProcessorSupplier<KIn, VIn, O extends OutputTypes, MIn = never, PIn = never> = (
  context: ProcessorContext<O>,
) => Processor<KIn, VIn, MIn, PIn>
