/**
 * One task: a stage on one partition. Synchronous and without I/O: records in, a burst of records, changelog writes and
 * offsets out. Its stores show every write at once. When its burst cannot be committed the whole task is dropped and
 * opened again from the log, so memory never holds for long what the log does not, and nothing needs undoing.
 */
import { Alignment } from './alignment.ts'
import { Cursor, TaskContext } from './context.ts'
import { type DeadLetter, deadLetterOf, deadLetterReason } from './dead-letter.ts'
import { EngineState } from './engine-state.ts'
import type { GlobalTable } from './global-table.ts'
import type { KafkaTopic } from './kafka-topic.ts'
import { PlaceKeeper } from './kept-place.ts'
import { MarkerGuard, type MarkerSeals } from './marker-guard.ts'
import { BroadcastSink, Fork, KeyedSink, ProcessorReceiver, type Receiver } from './outputs.ts'
import type { Burst, LogRecord, OutgoingRecord } from './ports.ts'
import type { Outputs, OutputTypes } from './processor.ts'
import { checkRecord, isTimestamp } from './read-record.ts'
import { createStateStore, type StateStore } from './state.ts'
import { TaskError } from './task-error.ts'
import { changelogTopic, engineStoreName, type GraphNode, hasEngineState, type Stage, tasksOf } from './topology.ts'

type Topic = KafkaTopic<unknown, unknown>

/** Bytes a record is counted with beside its key and value. */
const RECORD_OVERHEAD_BYTES = 96

export interface TaskOptions {
  readonly appId: string
  readonly deadLetterTopic: string | undefined
  /** See `Topology.countedTopics`. */
  readonly countedTopics: ReadonlySet<string>
  /** See `Topology.sealedTopics`. */
  readonly sealedTopics: ReadonlyMap<string, MarkerSeals>
  readonly globalTable: (name: string) => GlobalTable<unknown, unknown>
  readonly onDeadLetter?: (letter: DeadLetter) => void
}

/** One source topic of a task. */
class Input {
  readonly topic: Topic
  readonly alignment: Alignment | undefined
  readonly guard: MarkerGuard | undefined
  /** Next offset to process. */
  position = 0
  committed = 0

  constructor(topic: Topic, alignment?: Alignment, guard?: MarkerGuard) {
    this.topic = topic
    this.alignment = alignment
    this.guard = guard
  }
}

export class Task {
  readonly stage: Stage
  readonly stageName: string
  readonly partition: number
  readonly partitions: number
  readonly cursor = new Cursor()
  readonly engine: EngineState | undefined
  /** Every store with a changelog, the engine's own last. */
  readonly changelogs: readonly StateStore[]
  /** Names of the global tables that its processors look into. */
  readonly globalTables = new Set<string>()
  commitRequested = false
  /** Bytes of the outputs since the last seal. */
  bytes = 0

  private readonly options: TaskOptions
  private readonly inputs = new Map<string, Input>()
  private readonly stores = new Map<string, StateStore>()
  private readonly children: readonly Receiver[]
  private records: OutgoingRecord[] = []
  private readonly place = new PlaceKeeper()

  constructor(stage: Stage, partition: number, options: TaskOptions) {
    this.stage = stage
    this.stageName = stage.name
    this.partition = partition
    this.partitions = tasksOf(stage)
    this.options = options
    for (const builder of stage.stores)
      this.stores.set(builder.name, createStateStore(builder, changelogTopic(options.appId, builder.name)))
    const engineName = engineStoreName(stage)
    this.engine = hasEngineState(stage)
      ? new EngineState(engineName, changelogTopic(options.appId, engineName))
      : undefined
    this.changelogs = this.engine ? [...this.stores.values(), this.engine] : []
    for (const topic of stage.sources) this.inputs.set(topic.name, this.createInput(topic as unknown as Topic))
    this.children = this.build(stage.children)
  }

  /** Those that its position means nothing without. */
  get topics(): readonly string[] {
    return [...this.inputs.keys(), ...this.changelogs.map(({ changelog }) => changelog), ...this.globalTables]
  }

  /** Says which of them they are, with every commit from now on; undefined where topics cannot be deleted. */
  restsOn(ids: ReadonlyMap<string, string> | undefined): void {
    const topics = ids && Object.fromEntries(ids)
    this.place.restsOn(topics)
    if (topics) this.engine?.restsOn(topics)
  }

  get timestamp(): number {
    return this.cursor.timestamp
  }

  get offset(): number {
    return this.cursor.offset
  }

  /** Sets where an input begins, after the stores were restored. */
  startAt(topic: string, offset: number): void {
    const input = this.inputs.get(topic)!
    input.position = offset
    input.committed = offset
  }

  positionOf(topic: string): number {
    return this.inputs.get(topic)!.position
  }

  committedPositionOf(topic: string): number {
    return this.inputs.get(topic)!.committed
  }

  /** Moves a position over offsets that hold no record. */
  skipTo(topic: string, offset: number): void {
    this.inputs.get(topic)!.position = offset
  }

  /**
   * Processes records of one source topic from index `from` to before `to`, and moves the position behind the last.
   * @param prepared result of the source's prepare step for each record, by index
   * @param bytesMax of output since the last seal, from which on no other record is begun
   * @returns the index behind the last record processed
   * @throws TaskError when a processor threw; the task cannot go on then
   */
  process(
    topicName: string,
    records: readonly LogRecord[],
    from: number,
    to: number,
    prepared?: readonly unknown[],
    bytesMax: number = Number.POSITIVE_INFINITY,
  ): number {
    const input = this.inputs.get(topicName)!
    const { cursor } = this
    cursor.topic = topicName
    let at = from
    try {
      for (; at < to && this.bytes < bytesMax; at++) {
        const record = records[at]!
        cursor.offset = record.offset
        if (isTimestamp(record.timestamp)) cursor.timestamp = record.timestamp
        cursor.prepared = prepared === undefined ? undefined : prepared[at]
        this.processOne(input, record)
        input.position = record.offset + 1
      }
    } catch (cause) {
      const where = `${topicName}/${this.partition} offset ${cursor.offset}`
      throw new TaskError(this.stageName, this.partition, where, cause)
    }
    return at
  }

  private processOne(input: Input, record: LogRecord): void {
    const { topic, alignment, guard } = input
    let key: unknown
    let value: unknown
    try {
      checkRecord(topic, record)
      value = topic.value.decode(record.value!)
      key = topic.key.decode(record.key!)
      if (guard !== undefined && alignment!.isMarker(value)) guard.take(record)
    } catch (error) {
      this.deadLetter(topic.name, record, error)
      return
    }
    const { children } = this
    if (alignment !== undefined) {
      if (alignment.isMarker(value)) {
        this.processMarker(alignment, value)
        return
      }
      alignment.count(key, value, record.value!)
    }
    for (let at = 0; at < children.length; at++) children[at]!.receive(key, value, record.timestamp)
  }

  private processMarker(alignment: Alignment, marker: unknown): void {
    if (!alignment.align(marker)) return
    for (const child of this.children) child.receiveMarker(marker)
    if (alignment.closesScope(marker)) this.commitRequested = true
  }

  /** Whether there are records that somebody may wait for. */
  get hasOutput(): boolean {
    return this.records.length > 0
  }

  /** Whether there is anything to commit. */
  get dirty(): boolean {
    if (this.hasOutput) return true
    for (const { position, committed } of this.inputs.values()) if (position !== committed) return true
    return false
  }

  /** Everything since the last seal as one transaction. Send it as it is until it commits, or drop the task. */
  seal(group: string): Burst {
    const { records, partition, engine, place } = this
    const metadata = place.text
    const commits = [...this.inputs.values()].map(({ topic, position }) => ({
      topic: topic.name,
      partition,
      next: position,
      metadata,
    }))
    if (engine) engine.offsets = Object.fromEntries(commits.map(({ topic, next }) => [topic, next]))
    for (const store of this.changelogs) {
      const before = records.length
      store.seal(records, partition, this.cursor.timestamp)
      place.seals(store.changelog, records.length - before)
    }
    this.records = []
    this.bytes = 0
    this.commitRequested = false
    return { records, offsets: { group, commits } }
  }

  /** The sealed burst is in the log. `baseOffsets` is undefined when the answer was lost but the offsets say so. */
  applied(burst: Burst, baseOffsets: ReadonlyMap<string, number> | undefined): void {
    for (const { topic, next } of burst.offsets!.commits) this.inputs.get(topic)!.committed = next
    for (const store of this.changelogs) {
      const base = baseOffsets?.get(`${store.changelog}/${this.partition}`)
      if (base !== undefined) this.place.wrote(store.changelog, base)
      store.committed(base)
    }
  }

  requestCommit(): void {
    this.commitRequested = true
  }

  emit(record: OutgoingRecord): void {
    this.records.push(record)
    this.bytes += RECORD_OVERHEAD_BYTES + (record.key?.length ?? 0) + (record.value?.length ?? 0)
  }

  store(name: string): StateStore {
    const store = this.stores.get(name)
    if (!store) throw new Error(`stage ${this.stageName} has no store ${name}; pass its builder to process()`)
    return store
  }

  /** Entries of each of its stores. */
  *rows(): Generator<readonly [store: string, rows: number]> {
    for (const [name, { rowCount }] of this.stores) yield [name, rowCount]
  }

  globalTable(name: string): GlobalTable<unknown, unknown> {
    this.globalTables.add(name)
    return this.options.globalTable(name)
  }

  private deadLetter(topic: string, record: LogRecord, error: unknown): void {
    const target = this.options.deadLetterTopic
    if (target === undefined) throw error
    const origin = { topic, partition: this.partition, offset: record.offset }
    this.emit(deadLetterOf(target, record, { origin, error, timestamp: this.cursor.timestamp }))
    this.options.onDeadLetter?.({ ...origin, reason: deadLetterReason(error), why: (error as Error).message })
  }

  private createInput(topic: Topic): Input {
    const { markers } = topic
    const { engine, options } = this
    if (markers === undefined || engine === undefined) return new Input(topic)
    const seals = options.sealedTopics.get(topic.name)
    return new Input(
      topic,
      new Alignment(topic, markers, engine, options.countedTopics.has(topic.name)),
      seals && new MarkerGuard(topic.name, this.partition, seals, engine),
    )
  }

  private build(nodes: readonly GraphNode[]): Receiver[] {
    return nodes.map((node) => {
      if (node.type === 'sink') {
        const topic = node.topic as unknown as Topic
        return node.mode === 'keyed' ? new KeyedSink(this, topic) : new BroadcastSink(this, topic, node.seals)
      }
      const forks = [...node.outputs].map(([name, children]) => [name, new Fork(this, this.build(children))])
      const outputs = Object.fromEntries(forks) as Outputs<OutputTypes>
      return new ProcessorReceiver(node.supplier(new TaskContext(this, outputs)))
    })
  }
}
