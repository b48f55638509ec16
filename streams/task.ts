/**
 * One task: a stage on one partition. Synchronous and without I/O: records in, a burst of records, changelog writes and
 * offsets out. Its stores show every write at once. When its burst cannot be committed the whole task is dropped and
 * opened again from the log, so memory never holds for long what the log does not, and nothing needs undoing.
 */
import type { Alignment } from './alignment.ts'
import { RecordInHand, TaskContext } from './context.ts'
import { type DeadLetter, deadLetterOf } from './dead-letter.ts'
import { EngineState } from './engine-state.ts'
import type { GlobalTable } from './global-table.ts'
import { PlaceKeeper } from './kept-place.ts'
import { BroadcastSink, Fork, KeyedSink, ProcessorReceiver, type Receiver } from './outputs.ts'
import type { Burst, LogRecord, OutgoingRecord } from './ports.ts'
import type { Outputs, OutputTypes } from './processor.ts'
import type { ReadAhead } from './read-ahead.ts'
import { checkRecord, isTimestamp, reasonOf } from './read-record.ts'
import { Sealers } from './seals.ts'
import { createStateStore, type StateStore } from './state.ts'
import type { Store } from './store.ts'
import { TaskError } from './task-error.ts'
import { Input, type InputOptions } from './task-input.ts'
import {
  changelogTopic,
  engineStoreName,
  type GraphNode,
  hasEngineState,
  ordersOf,
  type Stage,
  tasksOf,
} from './topology.ts'

/** Bytes a record is counted with beside its key and value. */
const RECORD_OVERHEAD_BYTES = 96

export interface TaskOptions extends InputOptions {
  readonly appId: string
  readonly deadLetterTopic: string | undefined
  readonly globalTable: (name: string) => GlobalTable<unknown, unknown>
  readonly onDeadLetter?: (letter: DeadLetter) => void
}

export class Task {
  readonly stage: Stage
  readonly stageName: string
  readonly partition: number
  readonly partitions: number
  readonly inHand = new RecordInHand()
  readonly engine: EngineState | undefined
  /** Every store with a changelog, the engine's own last. */
  readonly changelogs: readonly StateStore[]
  /** Names of the global tables that its processors look into. */
  readonly globalTables = new Set<string>()
  readonly seals: Sealers
  commitRequested = false
  /** Bytes of the outputs since the last seal. */
  bytes = 0

  private readonly options: TaskOptions
  private readonly inputs = new Map<string, Input>()
  private readonly stores = new Map<string, StateStore>()
  private readonly children: readonly Receiver[]
  private records: OutgoingRecord[] = []
  private readonly place: PlaceKeeper

  constructor(stage: Stage, partition: number, options: TaskOptions) {
    this.stage = stage
    this.stageName = stage.name
    this.partition = partition
    this.partitions = tasksOf(stage)
    this.seals = new Sealers(partition)
    this.options = options
    this.place = new PlaceKeeper(partition)
    for (const builder of stage.stores)
      this.stores.set(builder.name, createStateStore(builder, changelogTopic(options.appId, builder.name)))
    const engineName = engineStoreName(stage)
    this.engine = hasEngineState(stage)
      ? new EngineState(engineName, changelogTopic(options.appId, engineName))
      : undefined
    this.changelogs = this.engine ? [...this.stores.values(), this.engine] : []
    for (const topic of stage.sources) this.inputs.set(topic.name, new Input(topic, partition, options, this.engine))
    this.children = this.build(stage.children)
  }

  /** Topics that the committed position depends on: inputs, changelogs, tables, orders. */
  get topics(): readonly string[] {
    const changelogs = this.changelogs.map(({ changelog }) => changelog)
    return [...this.inputs.keys(), ...changelogs, ...this.globalTables, ...ordersOf(this.stage)]
  }

  /**
   * Says which of them they are, with every commit from now on; undefined where topics cannot be deleted.
   * @param needs `topic/partition` → the first offset that its state needs, as it was found
   */
  restsOn(ids: ReadonlyMap<string, string> | undefined, needs: ReadonlyMap<string, number>): void {
    const topics = ids && Object.fromEntries(ids)
    this.place.restsOn(topics, needs)
    if (topics) this.engine?.restsOn(topics)
  }

  /** Records of the store's changelog before this offset may be deleted: neither the state in the log needs them, nor the present one. */
  purgeBefore(store: StateStore): number {
    return Math.min(store.purgeBefore(), this.place.neededFrom(store.changelog))
  }

  get timestamp(): number {
    return this.inHand.timestamp
  }

  get offset(): number {
    return this.inHand.offset
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
   * @param ahead the same records, where they were read before
   * @param bytesMax of output since the last seal, from which on no other record is begun
   * @returns the index behind the last record processed
   * @throws TaskError when a processor threw; the task cannot go on then
   */
  process(
    topicName: string,
    records: readonly LogRecord[],
    from: number,
    to: number,
    ahead?: ReadAhead,
    bytesMax: number = Number.POSITIVE_INFINITY,
  ): number {
    const input = this.inputs.get(topicName)!
    const { inHand } = this
    inHand.topic = topicName
    let at = from
    try {
      for (; at < to && this.bytes < bytesMax; at++) {
        const record = records[at]!
        inHand.offset = record.offset
        if (isTimestamp(record.timestamp)) inHand.timestamp = record.timestamp
        this.processOne(input, record, at, ahead)
        input.position = record.offset + 1
      }
    } catch (cause) {
      const where = `${topicName}/${this.partition} offset ${inHand.offset}`
      throw new TaskError(this.stageName, this.partition, where, cause)
    }
    return at
  }

  private processOne(input: Input, record: LogRecord, at: number, ahead: ReadAhead | undefined): void {
    const { topic, alignment } = input
    let key: unknown
    let value: unknown
    try {
      if (ahead === undefined) {
        checkRecord(topic, record)
        value = topic.value.decode(record.value!)
        key = topic.key.decode(record.key!)
      } else {
        ahead.check(at)
        value = ahead.values[at]
        key = ahead.keys[at]
      }
      input.expectGenuine(record, value)
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
    const prepared = ahead?.prepared[at]
    for (let child = 0; child < children.length; child++) children[child]!.receive(key, value, prepared)
  }

  private processMarker(alignment: Alignment, marker: unknown): void {
    if (!alignment.align(marker)) return
    for (const child of this.children) child.receiveMarker(marker)
    if (alignment.closesScope(marker)) this.commitRequested = true
  }

  /** True when there are records that a reader may wait for. */
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
    for (const store of this.changelogs) place.needsFrom(store.changelog, store.purgeBefore())
    const metadata = place.text
    const commitOf = ({ topic: { name: topic }, position: next }: Input) => ({ topic, partition, next, metadata })
    const commits = [...this.inputs.values()].map(commitOf)
    if (engine) engine.offsets = Object.fromEntries(commits.map(({ topic, next }) => [topic, next]))
    for (const store of this.changelogs) {
      const before = records.length
      store.seal(records, partition, this.inHand.timestamp)
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
    this.place.applied()
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

  store(name: string): Store {
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
    this.emit(deadLetterOf(target, record, { origin, error, timestamp: this.inHand.timestamp }))
    this.options.onDeadLetter?.({ ...origin, reason: reasonOf(error), why: (error as Error).message })
  }

  private build(nodes: readonly GraphNode[]): Receiver[] {
    return nodes.map((node) => {
      if (node.type === 'sink') {
        const { topic, mode } = node
        return mode === 'keyed' ? new KeyedSink(this, topic) : new BroadcastSink(this, topic)
      }
      const forks = [...node.outputs].map(([name, children]) => [name, new Fork(this.build(children))])
      const outputs = Object.fromEntries(forks) as Outputs<OutputTypes>
      return new ProcessorReceiver(node.supplier(new TaskContext(this, outputs)))
    })
  }
}
