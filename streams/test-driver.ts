/**
 * Runs a topology without a log or a broker, synchronously: what is piped in flows through all stages, repartition topics
 * and partitions until nothing is left to do.
 */
import type { GlobalTable } from './global-table.ts'
import type { RecordTopic } from './kafka-topic.ts'
import { partitionFor } from './partitioner.ts'
import type { LogRecord, OutgoingRecord } from './ports.ts'
import { restoreRecord } from './restore.ts'
import { Sealer } from './seals.ts'
import type { Store, StoreBuilder } from './store.ts'
import { latin1 } from './table-reader.ts'
import { Task } from './task.ts'
import { type Stage, sealedBy, type Topology, tasksOf } from './topology.ts'

export interface DriverOptions {
  /** Records a task processes before it commits; outputs become visible to the next stage then. */
  readonly commitEvery?: number
  /** Picks the next task out of so many that have work; in their order when undefined. For tests of interleavings. */
  readonly schedule?: (runnable: number) => number
}

export interface OutputRecord<K, V> {
  readonly key: K
  readonly value: V
  readonly timestamp: number
  readonly partition: number
  readonly offset: number
}

export class TopologyTestDriver {
  private readonly partitions = new Map<string, LogRecord[][]>()
  private readonly tables = new Map<string, Map<string, unknown>>()
  private readonly committed = new Map<string, number>()
  private readonly tasks: Task[] = []
  private readonly commitEvery: number
  private readonly schedule: DriverOptions['schedule']
  private readonly topology: Topology

  constructor(topology: Topology, { commitEvery = 1, schedule }: DriverOptions = {}) {
    this.topology = topology
    this.commitEvery = commitEvery
    this.schedule = schedule
    for (const table of topology.globalTables) this.tables.set(table.name, new Map())
    for (const stage of topology.stages)
      for (let p = 0; p < tasksOf(stage); p++) this.tasks.push(this.openTask(stage, p))
  }

  /** Appends a record and runs everything until it is quiet. */
  pipe<K, V>(
    topic: RecordTopic<K, V>,
    key: K,
    value: V,
    options: { timestamp?: number; partition?: number } = {},
  ): void {
    this.append(topic, key, value, options)
    this.run()
  }

  /** Appends a record without running anything. */
  append<K, V>(
    topic: RecordTopic<K, V>,
    key: K,
    value: V,
    { timestamp = 0, partition }: { timestamp?: number; partition?: number } = {},
  ): void {
    const keyBytes = topic.key.encode(key)
    const to = partition ?? partitionFor(keyBytes, topic.partitions)
    const record = { topic: topic.name, partition: to, timestamp, key: keyBytes, value: topic.value.encode(value) }
    // each by a writer of its own, who begins where the topic ends
    this.write(topic.seals ? new Sealer(topic.seals, this.partitionOf(topic.name, to).length).seal(record) : record)
    const table = this.tables.get(topic.name)
    if (table) table.set(latin1(keyBytes), topic.value.decode(topic.value.encode(value)))
  }

  /** Appends bytes as they are, e.g. such as cannot be decoded, without running anything. */
  appendRaw(record: OutgoingRecord): void {
    this.write(record)
  }

  /** Puts a record of a log where it lies there, behind those before it, without running anything. The offsets between hold none. */
  appendAt(topic: string, partition: number, record: LogRecord): void {
    this.partitionOf(topic, partition)[record.offset] = record
  }

  /** Runs everything until it is quiet. */
  run(): void {
    for (;;) {
      const runnable = this.tasks.filter((task) => this.waitingTopic(task) !== undefined)
      if (runnable.length === 0) return
      if (this.schedule) this.step(runnable[this.schedule(runnable.length)]!)
      else for (const task of runnable) this.step(task)
    }
  }

  /** All records of a topic, partition by partition; markers too, but no tombstones. */
  read<K, V>(topic: RecordTopic<K, V>): OutputRecord<K, V>[] {
    return (this.partitions.get(topic.name) ?? []).flatMap((records, partition) =>
      records
        .filter(({ value }) => value !== null)
        .map(({ key, value, timestamp, offset }) => ({
          key: topic.key.decode(key!),
          value: topic.value.decode(value!),
          timestamp,
          partition,
          offset,
        })),
    )
  }

  /** The rows of a compacted topic: the newest value of each key that has one. */
  rows<K, V>(topic: RecordTopic<K, V>): Pick<OutputRecord<K, V>, 'key' | 'value'>[] {
    const newest = new Map<string, LogRecord>()
    for (const record of this.readRaw(topic.name)) newest.set(latin1(record.key!), record)
    return [...newest.values()].flatMap(({ key, value }) =>
      value === null ? [] : [{ key: topic.key.decode(key!), value: topic.value.decode(value) }],
    )
  }

  /** Records of a topic as they are, e.g. of the dead letters. */
  readRaw(topicName: string): readonly LogRecord[] {
    return this.readPartitions(topicName).flat()
  }

  /** The same by partition; tombstones too. */
  readPartitions(topicName: string): readonly (readonly LogRecord[])[] {
    return this.partitions.get(topicName) ?? []
  }

  store<S extends Store>(builder: StoreBuilder<S>, partition: number): S {
    const task = this.tasks.find(
      (t) => t.partition === partition && t.stage.stores.some(({ name }) => name === builder.name),
    )
    if (!task) throw new Error(`no task ${partition} has a store ${builder.name}`)
    return task.store(builder.name) as S
  }

  /** Throws a task away and restores it from its changelogs, as after a crash. */
  restart(stageName: string, partition: number): void {
    const index = this.tasks.findIndex((task) => task.stage.name === stageName && task.partition === partition)
    this.tasks[index] = this.openTask(this.tasks[index]!.stage, partition)
  }

  private openTask(stage: Stage, partition: number): Task {
    const task = new Task(stage, partition, {
      appId: 'test',
      deadLetterTopic: this.topology.deadLetterTopic,
      countedTopics: this.topology.countedTopics,
      globalTable: (name) => this.tableView(name),
    })
    for (const store of task.changelogs)
      for (const record of this.partitions.get(store.changelog)?.[partition] ?? [])
        restoreRecord(store, partition, record, () => {})
    for (const at of sealedBy(stage)) task.seals.begin(at, this.recordsOf(at.topic, at.partition).length)
    for (const { name } of stage.sources)
      task.startAt(name, task.engine?.offsets?.[name] ?? this.committed.get(`${stage.name}/${name}/${partition}`) ?? 0)
    return task
  }

  private tableView(name: string): GlobalTable<unknown, unknown> {
    const rows = this.tables.get(name)!
    const topic = this.topology.globalTables.find((table) => table.name === name)!
    return {
      get: (key) => rows.get(latin1(topic.key.encode(key))),
      get size() {
        return rows.size
      },
    }
  }

  private waitingTopic(task: Task): string | undefined {
    const waits = ({ name }: { name: string }) => this.recordsOf(name, task.partition).length > task.positionOf(name)
    return task.stage.sources.find(waits)?.name
  }

  private step(task: Task): void {
    const name = this.waitingTopic(task)!
    const records = this.recordsOf(name, task.partition)
    let from = task.positionOf(name)
    while (!(from in records)) from++
    let to = from + 1
    while (to in records && to < from + this.commitEvery) to++
    task.skipTo(name, from)
    task.process(name, records, from, to)
    this.commit(task)
  }

  private recordsOf(topic: string, partition: number): readonly LogRecord[] {
    return this.partitions.get(topic)?.[partition] ?? []
  }

  private commit(task: Task): void {
    const burst = task.seal(task.stageName)
    const bases = new Map<string, number>()
    for (const record of task.seals.seal(burst.records)) {
      const offset = this.write(record)
      const at = `${record.topic}/${record.partition}`
      if (!bases.has(at)) bases.set(at, offset)
    }
    for (const { topic, partition, next } of burst.offsets!.commits)
      this.committed.set(`${task.stageName}/${topic}/${partition}`, next)
    task.applied(burst, bases)
  }

  private write({ topic, partition, timestamp, key, value, headers = [] }: OutgoingRecord): number {
    const records = this.partitionOf(topic, partition)
    records.push({ offset: records.length, timestamp, key, value, headers })
    return records.length - 1
  }

  private partitionOf(topic: string, partition: number): LogRecord[] {
    const partitions = this.partitions.get(topic) ?? []
    this.partitions.set(topic, partitions)
    for (let p = partitions.length; p <= partition; p++) partitions.push([])
    return partitions[partition]!
  }
}
