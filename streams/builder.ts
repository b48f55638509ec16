import type { KafkaTopic, RecordTopic } from './kafka-topic.ts'
import type { Preparation } from './preparation.ts'
import type { MarkerOf, Output, OutputTypes, ProcessorSupplier } from './processor.ts'
import type { Store, StoreBuilder } from './store.ts'
import type { Topology } from './topology.ts'

/**
 * A stream of records of one type within one stage, with markers `M` among them and `P` prepared for each. A stage (Kafka Streams:
 * sub-topology) is named after its first processor; it is one consumer group, and has one task per partition of its input.
 */
export interface KStream<K, V, M = never, P = never> {
  /** Adds a processor. `outputs` names its outputs; each becomes a stream. */
  process<O extends OutputTypes>(
    name: string,
    outputs: readonly (keyof O & string)[],
    supplier: ProcessorSupplier<K, V, O, M, P>,
    ...stores: readonly StoreBuilder<Store>[]
  ): { readonly [N in keyof O]: KStream<O[N][0], O[N][1], MarkerOf<O[N]>> }
  /** Records of both streams, as one stream of one stage: both topics are owned by the same task per partition. */
  merge<K2, V2>(other: KStream<K2, V2>): KStream<K | K2, V | V2, M>
  /** Writes to a topic, by key; markers go to all of its partitions. */
  to(topic: KafkaTopic<K, V, M>): void
  /** Writes through a topic that the engine purges, and starts the next stage from it. */
  repartition(topic: KafkaTopic<K, V, M>): KStream<K, V, M>
  /** Writes every record to every partition, as a marker. */
  broadcast(topic: KafkaTopic<K, unknown, V>): void
}

export interface StreamsBuilder {
  /** A source. Each call starts a stage of its own, also when another stage reads the same topic. */
  stream<K, V, M = never, P = never>(topic: KafkaTopic<K, V, M>, prepared?: Preparation<V | M, P>): KStream<K, V, M, P>
  /** Declares a table that every instance holds whole before it runs. */
  globalTable<K, V>(topic: RecordTopic<K, V>): void
  /** Where records that cannot be decoded go, inside the task's transaction. */
  deadLetters(topicName: string): void
  /** Whatever decides outputs and is not in the graph. It joins the fingerprint, so members with other rules are refused. */
  rules(text: string): void
  /** Throws TopologyError on a bad graph: a missing name, a name used twice, a store shared between stages. */
  build(): Topology
}

export type { Output }
