import { crc32 } from 'node:zlib'
import { UNCOUNTED } from './alignment.ts'
import type { EngineState, Tally } from './engine-state.ts'
import type { KafkaTopic, MarkerProtocol, MarkerStamp } from './kafka-topic.ts'
import { partitionFor } from './partitioner.ts'
import type { OutgoingRecord } from './ports.ts'
import type { Output, Processor } from './processor.ts'

type Topic = KafkaTopic<unknown, unknown, unknown>

/** Receives what flows along one edge of the graph. */
export interface Receiver {
  /** @param prepared see `Processor.process` */
  receive(key: unknown, value: unknown, prepared?: unknown): void
  receiveTombstone(key: unknown): void
  receiveMarker(marker: unknown): void
}

/** Gathers the outputs of a task for its next burst, and knows the record in hand. */
export interface Collector {
  readonly partition: number
  readonly partitions: number
  /** Timestamp of the record in hand. */
  readonly timestamp: number
  /** Offset of the record in hand. */
  readonly offset: number
  /** Present in every stage that writes counted records. */
  readonly engine: EngineState | undefined
  emit(record: OutgoingRecord): void
  requestCommit(): void
}

/** One output of a processor, with the nodes behind it. */
export class Fork implements Output<unknown, unknown, unknown> {
  private readonly children: readonly Receiver[]

  constructor(children: readonly Receiver[]) {
    this.children = children
  }

  send(key: unknown, value: unknown): void {
    const { children } = this
    for (let at = 0; at < children.length; at++) children[at]!.receive(key, value)
  }

  sendTombstone(key: unknown): void {
    for (const child of this.children) child.receiveTombstone(key)
  }

  sendMarker(marker: unknown): void {
    for (const child of this.children) child.receiveMarker(marker)
  }
}

type AnyProcessor = Processor<unknown, unknown, unknown, unknown>

export class ProcessorReceiver implements Receiver {
  private readonly processor: AnyProcessor

  constructor(processor: AnyProcessor) {
    this.processor = processor
  }

  receive(key: unknown, value: unknown, prepared?: unknown): void {
    this.processor.process(key, value, prepared)
  }

  receiveTombstone(): void {
    throw new Error('a tombstone goes to a topic, not to a processor')
  }

  receiveMarker(marker: unknown): void {
    this.processor.onMarker?.(marker)
  }
}

/** Writes by key, and counts what it writes within each scope; a marker goes to every partition with its counts. */
export class KeyedSink implements Receiver {
  private readonly collector: Collector
  private readonly topic: Topic
  private scope = ''
  private tally: Tally | undefined

  constructor(collector: Collector, topic: Topic) {
    this.collector = collector
    this.topic = topic
  }

  receive(key: unknown, value: unknown): void {
    const { collector, topic } = this
    const keyBytes = topic.key.encode(key)
    const valueBytes = topic.value.encode(value)
    const partition = partitionFor(keyBytes, topic.partitions)
    if (topic.markers !== undefined) this.count(topic.markers, key, value, valueBytes, partition)
    const { timestamp } = collector
    collector.emit({ topic: topic.name, partition, timestamp, key: keyBytes, value: valueBytes })
  }

  receiveTombstone(key: unknown): void {
    const { collector, topic } = this
    if (topic.cleanup !== 'compact') throw new Error(`${topic.name} is not compacted, so it has no tombstones`)
    const keyBytes = topic.key.encode(key)
    const partition = partitionFor(keyBytes, topic.partitions)
    const { timestamp } = collector
    collector.emit({ topic: topic.name, partition, timestamp, key: keyBytes, value: null })
  }

  receiveMarker(marker: unknown): void {
    const { collector, topic } = this
    const { markers } = topic
    if (markers === undefined) throw new Error(`${topic.name} takes no markers`)
    const scope = markers.scopeOf(marker)
    const tally = scope === undefined ? undefined : collector.engine!.find(this.sentKey(scope))
    for (let partition = 0; partition < topic.partitions; partition++)
      collector.emit(
        markerRecord(collector, topic, marker, partition, {
          count: tally?.counts[partition] ?? 0,
          checksum: tally?.checksums[partition] ?? 0,
        }),
      )
    if (scope !== undefined) collector.requestCommit()
    if (tally === undefined) return
    collector.engine!.drop(tally)
    this.tally = undefined
  }

  private count(
    markers: MarkerProtocol<unknown, unknown, unknown>,
    key: unknown,
    value: unknown,
    bytes: Uint8Array,
    partition: number,
  ): void {
    if (markers.isMarker(value)) throw new Error(`a marker was sent to ${this.topic.name} as data; use sendMarker`)
    const engine = this.collector.engine!
    const scope = markers.scopeOfData(key, value)
    if (this.tally === undefined || scope !== this.scope) {
      this.scope = scope
      this.tally = engine.findOrCreate(this.sentKey(scope), this.topic.partitions)
    }
    engine.add(this.tally, partition, 1, crc32(bytes))
  }

  private sentKey(scope: string): string {
    return `sent/${this.topic.name}/${scope}`
  }
}

/**
 * Writes each value to every partition, as a marker from this task. Others write the data there, so nothing is counted, and
 * markers are sealed.
 */
export class BroadcastSink implements Receiver {
  private readonly collector: Collector
  private readonly topic: Topic
  private offset = -1
  /** Markers of the record in hand so far. */
  private made = 0

  constructor(collector: Collector, topic: Topic) {
    this.collector = collector
    this.topic = topic
  }

  receive(_key: unknown, value: unknown): void {
    this.receiveMarker(value)
  }

  receiveTombstone(): void {
    throw new Error(`${this.topic.name} takes markers alone`)
  }

  receiveMarker(marker: unknown): void {
    const { collector, topic } = this
    const { seals } = topic.markers!
    if (collector.offset !== this.offset) this.made = 0
    this.offset = collector.offset
    const place = { offset: this.offset, index: this.made++ }
    for (let partition = 0; partition < topic.partitions; partition++) {
      const record = markerRecord(collector, topic, marker, partition, { count: UNCOUNTED, checksum: 0 })
      collector.emit(seals ? { ...record, headers: [seals.seal(record, place)] } : record)
    }
    if (topic.markers!.scopeOf(marker) !== undefined) collector.requestCommit()
  }
}

function markerRecord(
  collector: Collector,
  topic: Topic,
  marker: unknown,
  partition: number,
  { count, checksum }: Pick<MarkerStamp, 'count' | 'checksum'>,
): OutgoingRecord & { readonly key: Uint8Array; readonly value: Uint8Array } {
  const markers = topic.markers!
  const stamp = { from: collector.partition, of: collector.partitions, count, checksum }
  return {
    topic: topic.name,
    partition,
    timestamp: collector.timestamp,
    key: topic.key.encode(markers.keyOf(marker)),
    value: topic.value.encode(markers.withStamp(marker, stamp)),
  }
}
