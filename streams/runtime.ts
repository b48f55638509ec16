/**
 * Runs a topology on a log: one consumer group per stage, one task per assigned partition. Two loops share one event loop:
 * one fetches for all tasks, the other processes in slices and starts commits, which overlap between tasks.
 */
import type { KafkaTopic } from './kafka-topic.ts'
import type {
  Clock,
  FetchPosition,
  Log,
  LogRecord,
  MemberIdentity,
  Membership,
  RuntimeObserver,
  TopicPartition,
} from './ports.ts'
import { TableReader } from './table-reader.ts'
import { countedTopics, Task } from './task.ts'
import { TaskRunner } from './task-runner.ts'
import type { Stage, Topology } from './topology.ts'

export type Prepare = (records: readonly LogRecord[]) => unknown[] | Promise<unknown[]>

export interface RuntimeOptions {
  readonly appId: string
  /** Stable name of this process within its groups. */
  readonly instanceId: string
  readonly log: Log
  readonly clock: Clock
  /** Stages to run here; all when undefined. */
  readonly stages?: readonly string[]
  /** Pure, costly work on a fetched batch of a source topic, done before its records enter the task. */
  readonly prepare?: Readonly<Record<string, Prepare>>
  readonly observer?: RuntimeObserver
  /** Called once when a task failed for good; the runtime has stopped processing then. */
  readonly onFailure?: (error: Error) => void
  readonly commitIntervalMs?: number
  readonly burstBytesMax?: number
  readonly bufferedRecordsMax?: number
  readonly purgeIntervalMs?: number
  /** Lets other work of the event loop run between slices; a simulation passes its own. */
  readonly yieldToLoop?: () => Promise<void>
}

const POLL_MS = 500
const FETCH_BYTES = 1024 * 1024
const SLICE_MS = 5
const REJOIN_MS = 1_000

export class StreamsRuntime {
  state: 'created' | 'rebalancing' | 'running' | 'stopping' | 'stopped' | 'error' = 'created'
  private readonly topology: Topology
  private readonly options: RuntimeOptions & { observer: RuntimeObserver }
  private readonly tables = new Map<string, TableReader>()
  private readonly groups = new Map<string, StageGroup>()
  private readonly stop = new AbortController()
  private poll = new AbortController()
  /** Loops that wait until something happens. */
  private readonly waiting = new Set<() => void>()
  private loops: Promise<unknown> = Promise.resolve()

  constructor(topology: Topology, options: RuntimeOptions) {
    this.topology = topology
    this.options = { ...options, observer: options.observer ?? {} }
  }

  async start(): Promise<void> {
    const { log, appId } = this.options
    await log.createTopics([...this.topology.topics.map(configOf), ...this.topology.internalTopics(appId)])
    for (const topic of this.topology.globalTables) {
      const table = new TableReader(log, topic as unknown as KafkaTopic<unknown, unknown>)
      await table.load()
      this.tables.set(topic.name, table)
    }
    this.state = 'rebalancing'
    const followers = [...this.tables.values()].map((table) => table.follow(this.stop.signal))
    for (const stage of this.stages()) {
      const group = new StageGroup(stage, this.groupOptions(stage))
      this.groups.set(stage.name, group)
      await group.join()
    }
    this.state = 'running'
    const loops = [this.fetchLoop(), this.processLoop(), this.purgeLoop(), ...followers]
    this.loops = Promise.allSettled(loops.map((loop) => loop.catch((error) => this.fail(error))))
  }

  /** Resolves when the global table of this topic holds every record below the offset. */
  async globalTableReached(topic: string, offset: number): Promise<void> {
    await this.tables.get(topic)!.reached(offset)
  }

  async close(): Promise<void> {
    if (this.state === 'stopped') return
    const healthy = this.state === 'running'
    this.state = 'stopping'
    this.stop.abort()
    this.wake()
    await this.loops
    for (const group of this.groups.values()) await group.close(healthy)
    this.state = 'stopped'
  }

  private stages(): Stage[] {
    const { stages } = this.options
    const unknown = stages?.filter((name) => !this.topology.stages.some((stage) => stage.name === name)) ?? []
    if (unknown.length > 0)
      throw new Error(
        `no such stage: ${unknown.join(', ')}; there are ${this.topology.stages.map(({ name }) => name).join(', ')}`,
      )
    return this.topology.stages.filter(({ name }) => !stages || stages.includes(name))
  }

  private groupOptions(stage: Stage): GroupOptions {
    const { appId, log, clock, observer, instanceId, prepare } = this.options
    const counted = countedTopics(this.topology.stages)
    return {
      group: `${appId}-${stage.name}`,
      instanceId,
      fingerprint: this.topology.fingerprint,
      log,
      clock,
      observer,
      fail: (error) => this.fail(error),
      wake: () => this.wake(),
      createRunner: (partition, identity) => {
        const task = new Task(stage, partition, {
          appId,
          deadLetterTopic: this.topology.deadLetterTopic,
          globalTable: (name) => this.tables.get(name)!,
          onDeadLetter: (topic, error) => observer.deadLettered?.(topic, error),
        })
        task.countedTopics = counted
        return new TaskRunner(task, {
          group: `${appId}-${stage.name}`,
          transactionalId: `${appId}-${stage.name}-${partition}`,
          log,
          clock,
          observer,
          identity,
          commitIntervalMs: this.options.commitIntervalMs ?? 100,
          burstBytesMax: this.options.burstBytesMax ?? 8 * 1024 * 1024,
          bufferedRecordsMax: this.options.bufferedRecordsMax ?? 10_000,
          sliceMs: SLICE_MS,
          prepare: (topic, records) => prepare?.[topic]?.(records),
          wake: () => this.wake(),
        })
      },
    }
  }

  private *runners(): IterableIterator<TaskRunner> {
    for (const group of this.groups.values()) yield* group.runners.values()
  }

  private wake(): void {
    this.poll.abort()
    this.notify()
  }

  private notify(): void {
    for (const happened of this.waiting) happened()
    this.waiting.clear()
  }

  private async fetchLoop(): Promise<void> {
    const { log } = this.options
    while (!this.stop.signal.aborted) {
      this.poll = new AbortController()
      const asked: { runner: TaskRunner; position: FetchPosition }[] = []
      for (const runner of this.runners())
        for (const position of runner.positionsToFetch()) asked.push({ runner, position })
      if (asked.length === 0) {
        await this.pause(POLL_MS)
        continue
      }
      const fetched = await log.fetch(
        asked.map(({ position }) => position),
        { maxWaitMs: POLL_MS, maxBytesPerPartition: FETCH_BYTES, signal: this.poll.signal },
      )
      for (const [i, answer] of fetched.entries()) asked[i]!.runner.accept(asked[i]!.position.offset, answer)
      this.notify()
    }
  }

  private async processLoop(): Promise<void> {
    const { clock, yieldToLoop = defaultYield } = this.options
    while (!this.stop.signal.aborted) {
      let worked = false
      let wakeAt = clock.now() + POLL_MS
      for (const runner of [...this.runners()]) {
        if (runner.runnable) {
          this.runSlice(runner)
          worked = true
        }
        const due = runner.commitDueAt()
        if (due === undefined) continue
        if (due <= clock.now()) this.startCommit(runner)
        else wakeAt = Math.min(wakeAt, due)
      }
      if (worked) {
        this.notify()
        await yieldToLoop()
      } else await this.pause(Math.max(1, wakeAt - clock.now()))
    }
  }

  private runSlice(runner: TaskRunner): void {
    try {
      runner.runSlice()
    } catch (error) {
      this.options.observer.taskFailed?.(runner.task.stage.name, runner.task.partition, error)
      this.fail(error)
    }
  }

  private startCommit(runner: TaskRunner): void {
    runner.commit().then(
      (kept) => {
        if (!kept) this.groups.get(runner.task.stage.name)!.reopen(runner)
      },
      (error) => this.fail(error),
    )
  }

  private async purgeLoop(): Promise<void> {
    const { clock, log, purgeIntervalMs = 30_000 } = this.options
    while (!this.stop.signal.aborted) {
      await clock.sleep(purgeIntervalMs, this.stop.signal)
      if (this.stop.signal.aborted) return
      const before = [...this.runners()].flatMap((runner) => this.purgeable(runner))
      if (before.length > 0) await log.deleteRecords(before).catch(() => {}) // tried again at the next interval
    }
  }

  private purgeable({ task, state }: TaskRunner): FetchPosition[] {
    if (state !== 'running') return []
    const { partition } = task
    const inputs = [...task.committedPositions].filter(([topic]) => this.topology.repartitionTopics.has(topic))
    const purges = inputs.map(([topic, offset]) => ({ topic, partition, offset }))
    for (const store of task.changelogs) {
      const offset = store.purgeBefore()
      if (offset > 0) purges.push({ topic: store.changelog, partition, offset })
    }
    return purges
  }

  /** Waits until something happens, at most `ms`. */
  private async pause(ms: number): Promise<void> {
    const over = new AbortController()
    const happened = new Promise<void>((resolve) => this.waiting.add(resolve))
    await Promise.race([happened, this.options.clock.sleep(ms, over.signal)])
    over.abort()
  }

  private fail(cause: unknown): void {
    if (this.state === 'error' || this.state === 'stopping' || this.state === 'stopped') return
    this.state = 'error'
    this.stop.abort()
    this.wake()
    this.options.onFailure?.(cause instanceof Error ? cause : new Error(String(cause)))
  }
}

const configOf = ({ name, partitions, cleanup, retentionMs }: Topology['topics'][number]) => ({
  name,
  partitions,
  cleanup,
  ...(retentionMs !== undefined && { retentionMs }),
})

const defaultYield = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface GroupOptions {
  readonly group: string
  readonly instanceId: string
  readonly fingerprint: string
  readonly log: Log
  readonly clock: Clock
  readonly observer: RuntimeObserver
  readonly fail: (error: unknown) => void
  readonly wake: () => void
  readonly createRunner: (partition: number, identity: () => MemberIdentity | undefined) => TaskRunner
}

/** The membership of this process in one stage's group, and the tasks it got. */
class StageGroup {
  readonly runners = new Map<number, TaskRunner>()
  private readonly stage: Stage
  private readonly options: GroupOptions
  private membership: Membership | undefined
  private identity: MemberIdentity | undefined
  private owned = new Set<number>()
  private changing: Promise<void> = Promise.resolve()
  private closed = false

  constructor(stage: Stage, options: GroupOptions) {
    this.stage = stage
    this.options = options
  }

  async join(): Promise<void> {
    const { log, group, instanceId, fingerprint } = this.options
    this.membership = await log.join(
      { group, topics: this.stage.sources.map(({ name }) => name), instanceId, fingerprint },
      {
        assigned: (partitions, identity) => this.assigned(partitions, identity),
        lost: () => void this.rejoin(),
      },
    )
  }

  private assigned(partitions: readonly TopicPartition[], identity: MemberIdentity): void {
    this.identity = identity
    const owned = new Set(partitions.map(({ partition }) => partition))
    const lost = [...this.owned].filter((partition) => !owned.has(partition)).length
    this.owned = owned
    this.options.observer.rebalanced?.(this.stage.name, owned.size, lost)
    this.reconcile()
  }

  private async rejoin(): Promise<void> {
    this.owned = new Set()
    this.reconcile()
    if (this.closed) return
    await this.options.clock.sleep(REJOIN_MS)
    if (!this.closed) await this.join().catch(this.options.fail)
  }

  /** A task was fenced: another owner was there first. Drop it, and open it again if it is still ours. */
  reopen(runner: TaskRunner): void {
    this.changing = this.changing.then(async () => {
      if (this.runners.get(runner.task.partition) !== runner) return
      this.runners.delete(runner.task.partition)
      await runner.close(false)
      await this.options.clock.sleep(REJOIN_MS)
    })
    this.reconcile()
  }

  private reconcile(): void {
    this.changing = this.changing.then(() => this.match()).catch(this.options.fail)
  }

  private async match(): Promise<void> {
    for (const [partition, runner] of this.runners) {
      if (this.owned.has(partition)) continue
      this.runners.delete(partition)
      await runner.close(false)
    }
    if (this.closed) return
    const opening = [...this.owned]
      .filter((partition) => !this.runners.has(partition))
      .map(async (partition) => {
        const runner = this.options.createRunner(partition, () => this.identity)
        this.runners.set(partition, runner)
        await runner.open()
      })
    await Promise.all(opening)
    this.options.wake()
  }

  async close(commitRest: boolean): Promise<void> {
    this.closed = true
    await this.changing
    await Promise.all([...this.runners.values()].map((runner) => runner.close(commitRest)))
    await this.membership?.leave()
  }
}
