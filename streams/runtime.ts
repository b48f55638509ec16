/**
 * Runs a topology on a log: one consumer group per stage, one task per assigned partition. Two loops share one event loop:
 * one fetches for all tasks, the other processes in slices and starts commits, which overlap between tasks.
 */
import { FetchLoop, type Reader } from './fetch-loop.ts'
import { configOf } from './kafka-topic.ts'
import { type LogRecord, type MemberIdentity, PositionLostError } from './ports.ts'
import { readAhead } from './read-ahead.ts'
import type { Restored } from './restore.ts'
import { retried } from './retry.ts'
import { RUNTIME_DEFAULTS, type RuntimeOptions, type RuntimeSettings } from './runtime-options.ts'
import { Signal } from './signal.ts'
import { StageGroup } from './stage-group.ts'
import { NO_STAGE, type StageState } from './stage-state.ts'
import { Standby } from './standby.ts'
import { TableReader } from './table-reader.ts'
import { Task } from './task.ts'
import { TaskRunner } from './task-runner.ts'
import { changelogsOf, ordersOf, type Stage, type Topology } from './topology.ts'

export type RuntimeState = 'created' | 'rebalancing' | 'running' | 'stopping' | 'stopped' | 'error'

/** Longest wait of the process loop for news. */
const POLL_MS = 500

/** Longest time that a background stage waits for others. */
const BACKGROUND_WAIT_MS = 500

export class StreamsRuntime {
  private readonly topology: Topology
  private readonly options: RuntimeSettings
  private readonly tables = new Map<string, TableReader>()
  private readonly groups: StageGroup[] = []
  private readonly stop = new AbortController()
  private readonly news: Signal
  private readonly fetching: FetchLoop
  private phase: Exclude<RuntimeState, 'rebalancing'> = 'created'
  private loops: Promise<unknown> = Promise.resolve()

  constructor(topology: Topology, options: RuntimeOptions) {
    this.topology = topology
    this.options = { ...RUNTIME_DEFAULTS, ...options }
    this.news = new Signal(options.clock)
    this.fetching = new FetchLoop({
      log: options.log,
      clock: options.clock,
      readers: () => [...this.runners(), ...this.groups.flatMap(({ standbys }) => [...standbys.values()])],
      reopen: (reader) => this.reopen(reader),
      refuse: (reader, cause) => void this.groups.map((group) => group.refuse(reader, cause)),
      news: this.news,
      stop: this.stop.signal,
    })
  }

  get state(): RuntimeState {
    if (this.phase !== 'running') return this.phase
    return this.groups.every(({ ready }) => ready) ? 'running' : 'rebalancing'
  }

  stageState(name: string): StageState {
    const group = this.groups.find(({ stageName }) => stageName === name)
    if (!group) return NO_STAGE
    let buffered = 0
    const rows = new Map<string, number>()
    for (const runner of group.runners.values()) {
      buffered += runner.buffered
      for (const [store, own] of runner.task.rows()) rows.set(store, Math.max(own, rows.get(store) ?? 0))
    }
    const ready = this.phase === 'running' && group.ready
    const waitsFor = group.waitsFor ?? this.fetching.trouble.lasting
    const { refused, runners, standbys } = group
    return { ready, tasks: runners.size, standbys: standbys.size, refused, buffered, rows, waitsFor }
  }

  /** Creates what topics are missing, loads the global tables, joins the groups. Rejects when any of it cannot be. */
  async start(): Promise<void> {
    if (this.phase !== 'created') throw new Error(`a runtime that is ${this.phase} cannot be started`)
    this.phase = 'running'
    try {
      const stages = this.stages()
      await this.createTopics()
      const followers = await this.loadTables()
      const loops = [this.fetching.run(), this.processLoop(), this.purgeLoop(), ...followers]
      this.loops = Promise.all(loops.map((loop) => loop.catch((error) => this.fail(error))))
      for (const stage of stages) {
        const group = this.createGroup(stage)
        await group.join()
        this.groups.push(group)
      }
    } catch (error) {
      this.phase = 'error'
      await this.close()
      throw error
    }
  }

  /** Resolves when the global table of this topic holds every record of partition 0 below the offset. */
  async globalTableReached(topic: string, offset: number): Promise<void> {
    await this.table(topic).reached(offset)
  }

  /** Finishes the slices, commits, leaves the groups. Rejects when the last commits failed; everything is let go all the same. */
  async close(): Promise<void> {
    if (this.phase === 'stopped' || this.phase === 'stopping') return
    const healthy = this.phase === 'running'
    this.phase = 'stopping'
    this.stopLoops()
    await this.loops
    const results = await Promise.allSettled(this.groups.map((group) => group.close(healthy)))
    this.phase = 'stopped'
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  private stages(): Stage[] {
    const { stages: names } = this.options
    const known = this.topology.stages.map(({ name }) => name)
    const unknown = names?.filter((name) => !known.includes(name)) ?? []
    if (unknown.length > 0) throw new Error(`no such stage: ${unknown.join(', ')}; there are ${known.join(', ')}`)
    const stages = this.topology.stages.filter(({ name }) => names?.includes(name) ?? true)
    return stages.sort((a, b) => Number(this.isBackground(a)) - Number(this.isBackground(b))) // they come last in each round
  }

  private async createTopics(): Promise<void> {
    const { log, clock, appId } = this.options
    const configs = [...this.topology.topics.map(configOf), ...this.topology.internalTopics(appId)]
    await retried(clock, this.stop.signal, () => log.createTopics(configs))
    const { deadLetterTopic } = this.topology
    if (deadLetterTopic === undefined) return
    await retried(clock, this.stop.signal, () => log.partitionCount(deadLetterTopic)) // it is the application's to create
  }

  private async loadTables(): Promise<Promise<void>[]> {
    const { log, clock, observer } = this.options
    for (const topic of this.topology.globalTables) {
      const ports = { log, clock, signal: this.stop.signal }
      const table = new TableReader(ports, topic, (left) => observer.unreadable?.(left))
      this.tables.set(topic.name, table)
      await table.load()
    }
    return [...this.tables].map(([name, table]) => table.follow().catch((error) => this.loseTable(name, error)))
  }

  /** Where it is lost, the tasks that rest on it wait, like tasks whose inputs are lost; the others go on. */
  private loseTable(name: string, error: unknown): void {
    if (!(error instanceof PositionLostError)) throw error
    for (const group of this.groups) group.refuseTable(name, error)
  }

  private table(topic: string): TableReader {
    const table = this.tables.get(topic)
    if (!table) throw new Error(`${topic} is no global table of the topology, or the runtime has not started`)
    return table
  }

  private createGroup(stage: Stage): StageGroup {
    const { appId, log, clock, observer, instanceId, standbys } = this.options
    return new StageGroup(stage, {
      group: `${appId}-${stage.name}`,
      instanceId,
      fingerprint: this.topology.fingerprint,
      log,
      clock,
      observer,
      fail: (error) => this.fail(error),
      wake: () => this.wake(),
      standbys,
      watched: [...changelogsOf(appId, stage), ...ordersOf(stage)],
      createTask: (partition) => this.createTask(stage, partition),
      createStandby: (task) => new Standby(task, observer),
      createRunner: (task, identity, restored) => this.createRunner(task, identity, restored),
    })
  }

  private createTask(stage: Stage, partition: number): Task {
    const { appId, observer } = this.options
    return new Task(stage, partition, {
      appId,
      deadLetterTopic: this.topology.deadLetterTopic,
      countedTopics: this.topology.countedTopics,
      globalTable: (name) => this.table(name),
      onDeadLetter: (letter) => observer.deadLettered?.(letter),
    })
  }

  private createRunner(
    task: Task,
    identity: () => MemberIdentity | undefined,
    restored: Restored | undefined,
  ): TaskRunner {
    const { appId, prepare } = this.options
    const { stage, partition } = task
    const name = `${appId}-${stage.name}`
    const options = {
      ...this.options,
      group: name,
      transactionalId: `${name}-${partition}`,
      identity,
      tableCurrent: (name: string, signal: AbortSignal) => this.table(name).current(signal),
      tableStarts: (name: string) => this.table(name).starts,
      readAhead: (topic: string, records: readonly LogRecord[]) =>
        readAhead(stage, topic, { records, partition }, prepare),
      wake: () => this.news.raise(),
      fail: (error: unknown) => this.failTask(task, error),
    }
    return new TaskRunner(task, options, restored)
  }

  private runners(): TaskRunner[] {
    return this.groups.flatMap(({ runners }) => [...runners.values()])
  }

  /** The tasks changed: look again, and ask for their positions. */
  private wake(): void {
    this.fetching.interrupt()
    this.news.raise()
  }

  private async processLoop(): Promise<void> {
    const { clock, yieldToLoop } = this.options
    while (!this.stop.signal.aborted) {
      let worked = false
      let wakeAt = clock.now() + POLL_MS
      for (const runner of this.runners()) {
        if (runner.runnable && !(worked && this.letsOthersGo(runner))) worked = this.runSlice(runner) || worked
        const due = runner.commitDueAt()
        if (due !== undefined && due <= clock.now()) this.startCommit(runner)
        else if (due !== undefined) wakeAt = Math.min(wakeAt, due)
      }
      if (worked) await yieldToLoop()
      else await this.news.wait(Math.max(1, wakeAt - clock.now()))
    }
  }

  private letsOthersGo(runner: TaskRunner): boolean {
    if (!this.isBackground(runner.task.stage)) return false
    runner.waitingSince ??= this.options.clock.now()
    return this.options.clock.now() - runner.waitingSince < BACKGROUND_WAIT_MS
  }

  private isBackground({ name }: Stage): boolean {
    return this.options.background.includes(name)
  }

  private runSlice(runner: TaskRunner): boolean {
    try {
      runner.runSlice()
    } catch (error) {
      this.failTask(runner.task, error)
      return false
    }
    if (!runner.hasWork) runner.waitingSince = undefined
    if (!runner.asked && runner.hungry) this.wake()
    return true
  }

  private startCommit(runner: TaskRunner): void {
    runner.commit().then(
      (kept) => {
        if (!kept) this.reopen(runner)
        this.news.raise()
      },
      (error) => this.failTask(runner.task, error),
    )
  }

  private reopen(reader: Reader): void {
    for (const group of this.groups) group.reopen(reader)
  }

  private async purgeLoop(): Promise<void> {
    const { clock, log, purgeIntervalMs } = this.options
    const { repartitionTopics } = this.topology
    const { signal } = this.stop
    while (!signal.aborted) {
      await clock.sleep(purgeIntervalMs, signal)
      const before = signal.aborted ? [] : this.runners().flatMap((runner) => runner.purgeable(repartitionTopics))
      if (before.length > 0) await log.deleteRecords(before).catch(() => {}) // at the next interval again
    }
  }

  private failTask(task: Task, error: unknown): void {
    if (this.phase !== 'running') return
    if (error instanceof PositionLostError) return void this.groups.map((group) => group.refuse(task, error))
    this.options.observer.taskFailed?.(task.stageName, task.partition, error)
    this.fail(error)
  }

  private fail(cause: unknown): void {
    if (this.phase !== 'running') return
    this.phase = 'error'
    this.stopLoops()
    this.options.onFailure?.(cause instanceof Error ? cause : new Error(String(cause)))
  }

  private stopLoops(): void {
    this.stop.abort()
    this.wake()
  }
}
