/**
 * One task: a stage on one partition. Synchronous and without I/O: records in, a burst of records, changelog writes and
 * offsets out. When its burst cannot be committed the whole task is dropped and opened again from the log, so its state
 * never needs undoing.
 */
import { crc32 } from 'node:zlib'
import type { GlobalTable } from './global-table.ts'
import type { KafkaTopic, MarkerProtocol } from './kafka-topic.ts'
import { partitionFor } from './partitioner.ts'
import type { Burst, LogRecord, OutgoingRecord } from './ports.ts'
import type { Output, OutputTypes, Processor, ProcessorContext, RecordOrigin } from './processor.ts'
import { createStateStore, type StateStore } from './state.ts'
import { type KeyValueStore, keyValueStore, type Store, type StoreBuilder } from './store.ts'
import { type AnyTopic, changelogTopic, type GraphNode, nodesOf, type Stage, tasksOf } from './topology.ts'

type Topic = KafkaTopic<unknown, unknown>

/** The marker's sender does not count the records of the topic (others write there too). */
export const UNCOUNTED = -1
const OFFSETS_KEY = 'offsets'

interface Tally {
  count: number
  checksum: number
}
interface Alignment extends Tally {
  readonly seen: number[]
}

/** Receives what flows along one edge of the graph. */
interface Receiver {
  receive(key: unknown, value: unknown, timestamp: number): void
  receiveMarker(marker: unknown): void
}

export interface TaskOptions {
  readonly appId: string
  readonly deadLetterTopic: string | undefined
  readonly globalTable: (name: string) => GlobalTable<unknown, unknown>
  readonly onDeadLetter?: (topic: string, error: string) => void
}

export class Task {
  readonly stage: Stage
  readonly partition: number
  readonly changelogs: readonly StateStore[]
  /** Next offset to process, per source topic. */
  readonly positions = new Map<string, number>()
  commitRequested = false
  records: OutgoingRecord[] = []
  bytes = 0

  private readonly options: TaskOptions
  private readonly topics: ReadonlyMap<string, Topic>
  private readonly stores = new Map<string, StateStore>()
  private readonly engine: KeyValueStore<unknown>
  private readonly roots: Receiver[]
  private readonly context: TaskContext
  readonly committedPositions = new Map<string, number>()

  constructor(stage: Stage, partition: number, options: TaskOptions) {
    this.stage = stage
    this.partition = partition
    this.options = options
    this.topics = new Map(stage.sources.map((topic) => [topic.name, topic as unknown as Topic]))
    const engineStore = keyValueStore<unknown>(`${stage.name}-engine`, jsonSerde) as StoreBuilder<Store>
    for (const builder of [...stage.stores, engineStore])
      this.stores.set(builder.name, createStateStore(builder, changelogTopic(options.appId, builder.name)))
    this.changelogs = [...this.stores.values()]
    this.engine = this.stores.get(engineStore.name) as unknown as KeyValueStore<unknown>
    this.context = new TaskContext(this, options)
    this.roots = this.build(stage.children)
  }

  /** The offsets that the changelog says were processed; they may be ahead of the group's when that answer was stale. */
  restoredPositions(): Record<string, number> {
    return (this.engine.get(OFFSETS_KEY) as Record<string, number> | undefined) ?? {}
  }

  startAt(topic: string, offset: number): void {
    this.positions.set(topic, offset)
    this.committedPositions.set(topic, offset)
  }

  store(name: string): StateStore {
    const store = this.stores.get(name)
    if (!store) throw new Error(`stage ${this.stage.name} has no store ${name}; pass its builder to process()`)
    return store
  }

  /**
   * Processes records of one source topic from index `from` to before `to`, stopping early after one that asks for a commit.
   * Moves the position behind the last one processed. @returns the index after it
   */
  process(
    topicName: string,
    records: readonly LogRecord[],
    from: number,
    to: number,
    prepared: readonly unknown[] | undefined,
  ): number {
    const topic = this.topics.get(topicName)!
    const context = this.context
    context.origin.topic = topicName
    let i = from
    while (i < to && !this.commitRequested) {
      const record = records[i]!
      context.origin.offset = record.offset
      context.timestamp = record.timestamp
      context.prepared = prepared?.[i]
      this.processOne(topic, record)
      i++
    }
    if (i > from) this.positions.set(topicName, records[i - 1]!.offset + 1)
    return i
  }

  private processOne(topic: Topic, record: LogRecord): void {
    let key: unknown
    let value: unknown
    try {
      key = record.key === null ? null : topic.key.decode(record.key)
      value = record.value === null ? null : topic.value.decode(record.value)
    } catch (error) {
      this.deadLetter(topic.name, record, error)
      return
    }
    const { markers } = topic
    if (markers !== undefined && value !== null) {
      if (markers.isMarker(value)) {
        this.align(topic, markers, value)
        return
      }
      if (this.counted(topic)) this.tally(`received/${topic.name}/${markers.scopeOfKey(key)}`, 0, 1, record.value!)
    }
    for (const root of this.roots) root.receive(key, value, record.timestamp)
  }

  /** A marker counts once per sender; the processors see it when all senders' have arrived. */
  private align(topic: Topic, markers: MarkerProtocol<unknown, unknown>, marker: unknown): void {
    const { from, of, count, checksum } = markers.stampOf(marker)
    const key = `marker/${topic.name}/${markers.idOf(marker)}`
    const before = (this.engine.get(key) as Alignment | undefined) ?? { seen: [], count: 0, checksum: 0 }
    if (before.seen.includes(from)) return
    const now: Alignment = {
      seen: [...before.seen, from],
      count: before.count + Math.max(count, 0),
      checksum: (before.checksum ^ checksum) >>> 0,
    }
    if (now.seen.length < of) {
      this.engine.put(key, now)
      return
    }
    this.engine.delete(key)
    const scope = markers.scopeOf(marker)
    if (scope !== undefined && count !== UNCOUNTED) this.checkReceived(`received/${topic.name}/${scope}`, now)
    this.context.commit()
    for (const root of this.roots) root.receiveMarker(marker)
  }

  private checkReceived(key: string, sent: Tally): void {
    const received = (this.engine.get(key) as Tally[] | undefined)?.[0] ?? { count: 0, checksum: 0 }
    if (received.count !== sent.count || received.checksum !== sent.checksum)
      throw new Error(
        `stage ${this.stage.name} task ${this.partition}: the senders of ${key} say ${sent.count} records (checksum ${sent.checksum}), ${received.count} (${received.checksum}) were received`,
      )
    this.engine.delete(key)
  }

  /** Only topics that this topology alone writes, record by record, are counted. */
  private counted = (topic: Topic): boolean => this.countedTopics.has(topic.name)
  countedTopics: ReadonlySet<string> = new Set()

  tally(key: string, index: number, size: number, bytes: Uint8Array): void {
    let tallies = this.engine.get(key) as Tally[] | undefined
    if (!tallies) tallies = Array.from({ length: size }, () => ({ count: 0, checksum: 0 }))
    const tally = tallies[index]!
    tally.count++
    tally.checksum = (tally.checksum ^ crc32(bytes)) >>> 0
    this.engine.put(key, tallies)
  }

  tallies(key: string): readonly Tally[] | undefined {
    return this.engine.get(key) as Tally[] | undefined
  }

  forget(key: string): void {
    this.engine.delete(key)
  }

  emit(record: OutgoingRecord): void {
    this.records.push(record)
    this.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
  }

  private deadLetter(topic: string, record: LogRecord, error: unknown): void {
    const target = this.options.deadLetterTopic
    const message = error instanceof Error ? error.message : String(error)
    if (target === undefined) throw error
    const header = (key: string, value: string | number) => ({
      key: `__streams.errors.${key}`,
      value: Buffer.from(String(value)),
    })
    this.options.onDeadLetter?.(topic, message)
    this.emit({
      topic: target,
      partition: 0,
      timestamp: record.timestamp,
      key: record.key,
      value: record.value,
      headers: [
        header('exception', error instanceof Error ? error.name : 'Error'),
        header('message', message),
        header('topic', topic),
        header('partition', this.partition),
        header('offset', record.offset),
      ],
    })
  }

  get dirty(): boolean {
    if (this.records.length > 0) return true
    for (const [topic, position] of this.positions) if (this.committedPositions.get(topic) !== position) return true
    return false
  }

  /** Everything since the last seal as one transaction. Send it again as it is until it commits, or drop the task. */
  seal(group: string, metadata: string): Burst {
    const { records, partition } = this
    const outputs = records.length
    this.engine.put(OFFSETS_KEY, Object.fromEntries(this.positions))
    for (const store of this.changelogs) store.seal(records, partition, this.context.timestamp)
    if (outputs === 0 && records.length === 1 && this.changelogs.length === 1) records.length = 0 // stateless and silent: offsets alone
    this.records = []
    this.bytes = 0
    this.commitRequested = false
    const commits = [...this.positions].map(([topic, next]) => ({ topic, partition, next, metadata }))
    return { records, offsets: { group, commits } }
  }

  /** The sealed burst is in the log. */
  applied(burst: Burst, baseOffsets: ReadonlyMap<string, number>): void {
    for (const { topic, next } of burst.offsets!.commits) this.committedPositions.set(topic, next)
    for (const store of this.changelogs) {
      const base = baseOffsets.get(`${store.changelog}/${this.partition}`)
      if (base !== undefined) store.committed(base)
    }
  }

  private build(nodes: readonly GraphNode[]): Receiver[] {
    return nodes.map((node) => {
      if (node.type === 'sink')
        return node.mode === 'keyed' ? new KeyedSink(this, node.topic) : new BroadcastSink(this, node.topic)
      const outputs = Object.fromEntries(
        [...node.outputs].map(([name, children]) => [name, new Fork(this.context, this.build(children))]),
      )
      const processor = node.supplier(this.context.with(outputs) as ProcessorContext<OutputTypes>)
      return new ProcessorReceiver(processor)
    })
  }
}

class ProcessorReceiver implements Receiver {
  private readonly processor: Processor<unknown, unknown>
  constructor(processor: Processor<unknown, unknown>) {
    this.processor = processor
  }
  receive(key: unknown, value: unknown): void {
    this.processor.process(key, value)
  }
  receiveMarker(marker: unknown): void {
    this.processor.onMarker?.(marker)
  }
}

/** An output with its children. */
class Fork implements Output<unknown, unknown> {
  private readonly context: TaskContext
  private readonly children: readonly Receiver[]
  constructor(context: TaskContext, children: readonly Receiver[]) {
    this.context = context
    this.children = children
  }
  send(key: unknown, value: unknown, timestamp = this.context.timestamp): void {
    for (const child of this.children) child.receive(key, value, timestamp)
  }
  sendMarker(marker: unknown): void {
    for (const child of this.children) child.receiveMarker(marker)
  }
}

class KeyedSink implements Receiver {
  private readonly task: Task
  private readonly topic: Topic
  constructor(task: Task, topic: AnyTopic) {
    this.task = task
    this.topic = topic as unknown as Topic
  }
  receive(key: unknown, value: unknown, timestamp: number): void {
    const { topic, task } = this
    const keyBytes = topic.key.encode(key)
    const valueBytes = value === null ? null : topic.value.encode(value)
    const partition = partitionFor(keyBytes, topic.partitions)
    if (topic.markers !== undefined && valueBytes !== null)
      task.tally(`sent/${topic.name}/${topic.markers.scopeOfKey(key)}`, partition, topic.partitions, valueBytes)
    task.emit({ topic: topic.name, partition, timestamp, key: keyBytes, value: valueBytes })
  }
  receiveMarker(marker: unknown): void {
    const { topic, task } = this
    const { markers } = topic
    if (markers === undefined) return
    const scope = markers.scopeOf(marker)
    const tallyKey = `sent/${topic.name}/${scope}`
    const tallies = scope === undefined ? undefined : task.tallies(tallyKey)
    const key = topic.key.encode(markers.keyOf(marker))
    for (let partition = 0; partition < topic.partitions; partition++) {
      const { count, checksum } = tallies?.[partition] ?? { count: 0, checksum: 0 }
      const stamp = { from: task.partition, of: tasksOf(task.stage), count, checksum }
      task.emit({
        topic: topic.name,
        partition,
        timestamp: 0,
        key,
        value: topic.value.encode(markers.withStamp(marker, stamp)),
      })
    }
    if (tallies) task.forget(tallyKey)
  }
}

/** Writes each value to every partition as a marker of this one sender. */
class BroadcastSink implements Receiver {
  private readonly task: Task
  private readonly topic: Topic
  constructor(task: Task, topic: AnyTopic) {
    this.task = task
    this.topic = topic as unknown as Topic
  }
  receive(key: unknown, value: unknown, timestamp: number): void {
    const { topic, task } = this
    const keyBytes = topic.key.encode(key)
    const stamp = { from: task.partition, of: tasksOf(task.stage), count: UNCOUNTED, checksum: 0 }
    const valueBytes = topic.value.encode(topic.markers ? topic.markers.withStamp(value, stamp) : value)
    for (let partition = 0; partition < topic.partitions; partition++)
      task.emit({ topic: topic.name, partition, timestamp, key: keyBytes, value: valueBytes })
  }
  receiveMarker(): void {}
}

class TaskContext {
  readonly origin: { topic: string; partition: number; offset: number }
  timestamp = 0
  prepared: unknown
  private readonly task: Task
  private readonly options: TaskOptions

  constructor(task: Task, options: TaskOptions) {
    this.task = task
    this.options = options
    this.origin = { topic: '', partition: task.partition, offset: -1 }
  }

  commit(): void {
    this.task.commitRequested = true
  }

  /** The context of one processor: the shared fields read through, the outputs its own. */
  with(outputs: object): ProcessorContext<OutputTypes> {
    const shared = this
    const { task, options } = this
    const partitions = tasksOf(task.stage)
    return {
      stage: task.stage.name,
      partition: task.partition,
      partitions,
      outputs: outputs as never,
      get origin(): RecordOrigin {
        return shared.origin
      },
      get timestamp() {
        return shared.timestamp
      },
      get prepared() {
        return shared.prepared
      },
      store: <S extends Store>(builder: StoreBuilder<S>) => task.store(builder.name) as unknown as S,
      globalTable: (topic) => options.globalTable(topic.name) as never,
      owns: (keyBytes) => partitionFor(keyBytes, partitions) === task.partition,
      requestCommit: () => shared.commit(),
    }
  }
}

const jsonSerde = {
  encode: (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value)),
  decode: (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString()),
}

/** Topics that a stage of the topology writes record by record, so that their markers carry counts. */
export function countedTopics(stages: readonly Stage[]): ReadonlySet<string> {
  const names = new Set<string>()
  for (const stage of stages)
    for (const node of nodesOf(stage))
      if (node.type === 'sink' && node.mode === 'keyed' && node.topic.markers) names.add(node.topic.name)
  return names
}
