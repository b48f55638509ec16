import type { Reader } from './fetch-loop.ts'
import type { TopicPartition } from './ports.ts'
import {
  type Clock,
  type GroupListener,
  type Log,
  LogError,
  type MemberIdentity,
  type Membership,
  PositionLostError,
} from './ports.ts'
import type { Restored } from './restore.ts'
import { retried } from './retry.ts'
import type { RuntimeObserver } from './runtime-observer.ts'
import type { Standby } from './standby.ts'
import type { Task } from './task.ts'
import type { TaskRunner } from './task-runner.ts'
import { hasEngineState, type Stage } from './topology.ts'
import { Trouble } from './trouble.ts'

export interface GroupOptions {
  readonly group: string
  readonly instanceId: string
  readonly fingerprint: string
  readonly log: Log
  readonly clock: Clock
  readonly observer: RuntimeObserver
  readonly fail: (error: unknown) => void
  readonly wake: () => void
  /** Members that keep the state of each task ready beside its owner. */
  readonly standbys: number
  /** Changelogs of its tasks. */
  readonly watched: readonly string[]
  readonly createTask: (partition: number) => Task
  readonly createStandby: (task: Task) => Standby
  readonly createRunner: (
    task: Task,
    identity: () => MemberIdentity | undefined,
    restored: Restored | undefined,
  ) => TaskRunner
}

/**
 * Pause before a lost member joins again, and before a fenced task is opened again: it gives the owner that fenced it time to
 * start.
 */
const PAUSE_MS = 1_000

const NONE: ReadonlySet<number> = new Set()

/**
 * The membership of this process in one stage's group, a runner for each partition it owns, and a standby for each whose
 * state it keeps ready. Every change ends in `match`, which compares what is wanted with what there is; so it does not
 * matter in which order things happen.
 */
export class StageGroup {
  readonly runners = new Map<number, TaskRunner>()
  readonly standbys = new Map<number, Standby>()
  private readonly joining: Trouble
  private readonly stage: Stage
  private readonly options: GroupOptions
  private readonly closing = new AbortController()
  private readonly retiring = new Map<number, Promise<void>>()
  private membership: Membership | undefined
  /** The log is not the one that its positions belong to: the member does not join again. So many tasks stopped with it. */
  private refusal: PositionLostError | undefined
  private refusedTasks = 0
  private identity: MemberIdentity | undefined
  /** Newest generation heard of; an assignment of an older one comes too late to mean anything. */
  private generation = 0
  /** Counts the memberships, so that nothing is heard of those before the present one. */
  private joins = 0
  private owned: ReadonlySet<number> = NONE
  private keptReady: ReadonlySet<number> = NONE

  constructor(stage: Stage, options: GroupOptions) {
    this.stage = stage
    this.options = options
    this.joining = new Trouble(options.clock)
  }

  get stageName(): string {
    return this.stage.name
  }

  /** Tasks that do not go on, since their positions belong to another log. */
  get refused(): number {
    if (this.refusal !== undefined) return this.refusedTasks
    return [...this.runners.values()].filter(({ state }) => state === 'refused').length
  }

  /** Whether this member has an assignment, and every task of it runs. */
  get ready(): boolean {
    if (this.identity === undefined || this.retiring.size > 0) return false
    for (const { state } of this.runners.values()) if (state === 'opening' || state === 'refused') return false
    return true
  }

  /** The reason why it cannot join its group, or why a task cannot open or commit, when that lasts for some seconds already. */
  get waitsFor(): string | undefined {
    if (this.refusal !== undefined) return this.refusal.message
    if (this.joining.lasting !== undefined) return this.joining.lasting
    for (const { waitsFor } of this.runners.values()) if (waitsFor !== undefined) return waitsFor
    return undefined
  }

  async join(): Promise<void> {
    const { log, clock, group, instanceId, fingerprint, watched } = this.options
    const topics = this.stage.sources.map(({ name }) => name)
    const standbys = hasEngineState(this.stage) ? this.options.standbys : 0
    const restored = (): Map<number, number> =>
      new Map([...this.standbys].map(([partition, { progress }]) => [partition, progress]))
    const joined = ++this.joins
    const listener: GroupListener = {
      assigned: (partitions, identity, standbys) => {
        if (joined === this.joins) this.assigned(partitions, identity, standbys)
      },
      lost: (cause) => {
        if (joined === this.joins) this.lost(cause)
      },
    }
    const join = () => log.join({ group, topics, watched, instanceId, fingerprint, standbys, restored }, listener)
    this.membership = await retried(clock, this.closing.signal, join, this.joining)
  }

  /** The task seems to have another owner: drop it, and open it again if it is still, or again, ours. */
  reopen(reader: Reader): void {
    for (const runner of this.runners.values()) if (runner === reader) this.retire(runner, PAUSE_MS)
  }

  /** A topic is not the one that the reader, or the task, has read or written so far: it waits, and says so. */
  refuse(reader: Reader | Task, cause: PositionLostError): void {
    for (const runner of this.runners.values())
      if (runner === reader || runner.task === reader) this.refuseTask(runner, cause)
    for (const standby of this.standbys.values()) if (standby === reader) standby.close()
  }

  /** A global table is not what it was read from: tasks that rest on it wait, and say so. */
  refuseTable(table: string, cause: PositionLostError): void {
    for (const runner of this.runners.values()) if (runner.task.globalTables.has(table)) this.refuseTask(runner, cause)
  }

  private refuseTask(runner: TaskRunner, cause: PositionLostError): void {
    if (runner.state === 'refused') return // it was heard on another way
    runner.refuse(cause)
    this.options.observer.taskRefused?.(this.stage.name, runner.task.partition, cause)
  }

  /** Finishes every task, with a last commit when `commitRest`, then leaves the group. */
  async close(commitRest: boolean): Promise<void> {
    this.closing.abort()
    const runners = [...this.runners.values()]
    const results = await Promise.allSettled([
      ...runners.map((runner) => runner.close(commitRest)),
      ...this.retiring.values(),
    ])
    this.runners.clear()
    for (const partition of this.standbys.keys()) this.drop(partition)
    await this.membership?.leave()
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  private assigned(partitions: readonly TopicPartition[], identity: MemberIdentity, standbys: readonly number[]): void {
    if (this.closing.signal.aborted || identity.generation < this.generation) return
    this.generation = identity.generation
    const owned = new Set(partitions.map(({ partition }) => partition))
    this.identity = identity
    this.owned = owned
    this.keptReady = new Set(standbys)
    this.options.observer.rebalanced?.(this.stage.name, owned, this.keptReady)
    this.match()
  }

  private lost(cause: Error): void {
    this.joins++
    this.identity = undefined
    this.generation = 0 // a group that had no members for long counts from 1 again
    if (cause instanceof PositionLostError) for (const runner of this.runners.values()) this.refuseTask(runner, cause)
    this.refusedTasks = Math.max(1, this.refused)
    this.owned = NONE // the standbys stay: whether this member is one does not change what is in the changelogs
    this.options.observer.rebalanced?.(this.stage.name, NONE, this.keptReady)
    this.match()
    if (cause instanceof PositionLostError) {
      this.refusal = cause
      return
    }
    // Two processes with one name would throw each other out for ever.
    if (cause instanceof LogError && cause.code === 'MEMBER_REPLACED') this.options.fail(cause)
    else this.rejoin().catch(this.options.fail)
  }

  private async rejoin(): Promise<void> {
    const { clock } = this.options
    const { signal } = this.closing
    await clock.sleep(PAUSE_MS, signal)
    if (!signal.aborted) await this.join()
    if (signal.aborted) await this.membership?.leave()
  }

  private match(): void {
    const { owned, keptReady, runners, standbys, retiring } = this
    for (const [partition, runner] of runners) if (!owned.has(partition)) this.retire(runner, 0)
    if (!this.closing.signal.aborted)
      for (const partition of owned) if (!runners.has(partition) && !retiring.has(partition)) this.open(partition)
    for (const partition of standbys.keys()) if (!keptReady.has(partition)) this.drop(partition)
    if (!this.closing.signal.aborted)
      for (const partition of keptReady)
        if (!standbys.has(partition) && !owned.has(partition)) this.keepReady(partition)
    this.options.wake()
  }

  private keepReady(partition: number): void {
    const { createStandby, createTask } = this.options
    this.standbys.set(partition, createStandby(createTask(partition)))
  }

  /** @returns the standby of that partition, which follows no more */
  private drop(partition: number): Standby | undefined {
    const standby = this.standbys.get(partition)
    this.standbys.delete(partition)
    standby?.close()
    return standby
  }

  private open(partition: number): void {
    const { createRunner, createTask, observer, wake, fail } = this.options
    const standby = this.drop(partition)
    const identity = () => (this.owned.has(partition) ? this.identity : undefined)
    const runner = createRunner(standby?.task ?? createTask(partition), identity, standby?.restored)
    this.runners.set(partition, runner)
    runner.open().then(wake, (error) => {
      if (this.runners.get(partition) !== runner || this.closing.signal.aborted) return
      if (error instanceof PositionLostError) return this.refuseTask(runner, error)
      observer.taskFailed?.(this.stage.name, partition, error)
      fail(error)
    })
  }

  private retire(runner: TaskRunner, pauseMs: number): void {
    const { partition } = runner.task
    this.runners.delete(partition)
    const gone = runner
      .close(false)
      .catch(() => {}) // it was lost anyway: its last burst is for the next owner to find
      .then(() => (pauseMs > 0 ? this.options.clock.sleep(pauseMs, this.closing.signal) : undefined))
      .then(() => {
        this.retiring.delete(partition)
        this.match()
      })
    this.retiring.set(partition, gone)
  }
}
