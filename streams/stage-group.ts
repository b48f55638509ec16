import type { TopicPartition } from './ports.ts'
import {
  type Clock,
  type GroupListener,
  type Log,
  LogError,
  type MemberIdentity,
  type Membership,
  type RuntimeObserver,
} from './ports.ts'
import { retried } from './retry.ts'
import type { TaskRunner } from './task-runner.ts'
import type { Stage } from './topology.ts'

export interface GroupOptions {
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

/** Pause before a lost member joins again, and before a fenced task is opened again: whoever fenced it should settle. */
const PAUSE_MS = 1_000

/**
 * The membership of this process in one stage's group, and a runner for each partition it owns. Every change ends in
 * `match`, which compares what is owned with what runs; so it does not matter in which order things happen.
 */
export class StageGroup {
  readonly runners = new Map<number, TaskRunner>()
  private readonly stage: Stage
  private readonly options: GroupOptions
  private readonly closing = new AbortController()
  private readonly retiring = new Map<number, Promise<void>>()
  private membership: Membership | undefined
  private identity: MemberIdentity | undefined
  /** Newest generation heard of; an assignment of an older one comes too late to mean anything. */
  private generation = 0
  /** Counts the memberships, so that nothing is heard of those before the present one. */
  private joins = 0
  private owned: ReadonlySet<number> = new Set()

  constructor(stage: Stage, options: GroupOptions) {
    this.stage = stage
    this.options = options
  }

  get stageName(): string {
    return this.stage.name
  }

  /** Whether this member has an assignment, and every task of it runs. */
  get settled(): boolean {
    if (this.identity === undefined || this.retiring.size > 0) return false
    for (const runner of this.runners.values()) if (runner.state === 'opening') return false
    return true
  }

  async join(): Promise<void> {
    const { log, clock, group, instanceId, fingerprint } = this.options
    const topics = this.stage.sources.map(({ name }) => name)
    const joined = ++this.joins
    const listener: GroupListener = {
      assigned: (partitions, identity) => {
        if (joined === this.joins) this.assigned(partitions, identity)
      },
      lost: (cause) => {
        if (joined === this.joins) this.lost(cause)
      },
    }
    this.membership = await retried(clock, this.closing.signal, () =>
      log.join({ group, topics, instanceId, fingerprint }, listener),
    )
  }

  /** The task seems to have another owner: drop it, and open it again if it is still, or again, ours. */
  reopen(runner: TaskRunner): void {
    if (this.runners.get(runner.task.partition) === runner) this.retire(runner, PAUSE_MS)
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
    await this.membership?.leave()
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  private assigned(partitions: readonly TopicPartition[], identity: MemberIdentity): void {
    if (this.closing.signal.aborted || identity.generation < this.generation) return
    this.generation = identity.generation
    const owned = new Set(partitions.map(({ partition }) => partition))
    const lost = [...this.owned].filter((partition) => !owned.has(partition)).length
    this.identity = identity
    this.owned = owned
    this.options.observer.rebalanced?.(this.stage.name, owned.size, lost)
    this.match()
  }

  private lost(cause: Error): void {
    this.joins++
    this.identity = undefined
    this.owned = new Set()
    this.match()
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
    for (const [partition, runner] of this.runners) if (!this.owned.has(partition)) this.retire(runner, 0)
    if (!this.closing.signal.aborted)
      for (const partition of this.owned)
        if (!this.runners.has(partition) && !this.retiring.has(partition)) this.open(partition)
    this.options.wake()
  }

  private open(partition: number): void {
    const { createRunner, observer, wake, fail } = this.options
    const runner = createRunner(partition, () => (this.owned.has(partition) ? this.identity : undefined))
    this.runners.set(partition, runner)
    runner.open().then(wake, (error) => {
      if (this.runners.get(partition) !== runner || this.closing.signal.aborted) return
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
