import type { Burst, Clock, CommitOutcome, Log, MemberIdentity, TransactionalWriter } from './ports.ts'
import { LogError } from './ports.ts'
import { readRange } from './read-range.ts'
import { backOff, retried } from './retry.ts'
import type { RuntimeObserver } from './runtime-observer.ts'
import type { Task } from './task.ts'
import { Trouble } from './trouble.ts'

/** About two minutes of refusals (see retry.ts), but for refusals by a setting that an operator has to put right. */
const ATTEMPTS_MAX = 60

export interface CommitterOptions {
  readonly group: string
  readonly transactionalId: string
  readonly log: Log
  readonly clock: Clock
  readonly observer: RuntimeObserver
  /** This member in the present generation, while the task is its own; undefined when it is not any more. */
  readonly identity: () => MemberIdentity | undefined
}

/** Brings the bursts of one task into the log, whatever the outcome of an attempt. */
export class Committer {
  /** The reason why it cannot commit. */
  readonly trouble: Trouble
  private readonly task: Task
  private readonly options: CommitterOptions
  private readonly signal: AbortSignal
  private writer: TransactionalWriter | undefined

  /** @param signal aborted when the task is let go: then there is no further attempt */
  constructor(task: Task, options: CommitterOptions, signal: AbortSignal) {
    this.task = task
    this.options = options
    this.signal = signal
    this.trouble = new Trouble(options.clock)
  }

  /** Fences older owners of the task. */
  async open(): Promise<void> {
    const { log, clock, transactionalId, group } = this.options
    const open = () => log.transactionalWriter(transactionalId, group)
    this.writer = await retried(clock, this.signal, open, this.trouble)
  }

  async close(): Promise<void> {
    const { writer } = this
    this.writer = undefined
    await writer?.close()
  }

  /**
   * Commits everything since the last commit. One call at a time; the task must not process meanwhile.
   * @returns false when the task is lost: it has another owner, or was let go before the outcome was certain
   */
  async commit(): Promise<boolean> {
    const { group, clock } = this.options
    const sealed = this.task.seal(group)
    for (let attempt = 1; ; attempt++) {
      const identity = this.options.identity()
      if (identity === undefined) return false
      const outcome = await this.attempt(sealed, identity)
      const resolved = outcome.outcome === 'unknown' ? await this.resolve(sealed) : outcome.outcome
      if (resolved === 'fenced') return false
      if (resolved === 'committed') {
        this.task.applied(sealed, outcome.outcome === 'committed' ? outcome.baseOffsets : undefined)
        return true
      }
      checkMayPass(outcome, attempt, this.options.transactionalId)
      if (this.signal.aborted) return false
      await backOff(clock, attempt, this.signal)
    }
  }

  private async attempt(sealed: Burst, membership: MemberIdentity): Promise<CommitOutcome> {
    const { clock, observer } = this.options
    const started = clock.now()
    const records = this.task.seals.seal(sealed.records)
    const outcome = await this.writer!.commit({ records, offsets: { ...sealed.offsets!, membership } })
    if (outcome.outcome === 'committed') this.trouble.over()
    else this.trouble.met(reasonOf(outcome.cause))
    const { stageName, partition } = this.task
    const elapsedMs = clock.now() - started
    observer.committed?.(stageName, partition, outcome.outcome, {
      records: records.length,
      bytes: bytesOf(records),
      elapsedMs,
    })
    return outcome
  }

  /**
   * The answer was lost. A new writer resolves the old transaction (never when the task is not ours any more: it would fence
   * the owner); then the offsets in the log say whether the burst is there.
   */
  private async resolve(sealed: Burst): Promise<'committed' | 'aborted' | 'fenced'> {
    if (this.signal.aborted || this.options.identity() === undefined) return 'fenced'
    await this.close().catch(() => {}) // it failed already
    try {
      await this.open()
      const found = await retried(this.options.clock, this.signal, () => this.offsetsInLog(sealed), this.trouble)
      return this.signal.aborted ? 'fenced' : compare(sealed, found)
    } catch (error) {
      if (this.signal.aborted) return 'fenced' // let go of meanwhile: the next owner will find out
      throw error
    }
  }

  /** The group's offsets, or the offsets in the task's changelog where they are ahead (an old broker may answer stale ones). */
  private async offsetsInLog(sealed: Burst): Promise<number[]> {
    const { log, group } = this.options
    const { commits } = sealed.offsets!
    const committed = await log.committedOffsets(group, commits)
    const logged = await this.loggedOffsets()
    return commits.map(({ topic }, at) => Math.max(committed[at]?.next ?? -1, logged?.[topic] ?? -1))
  }

  private async loggedOffsets(): Promise<Readonly<Record<string, number>> | undefined> {
    const { engine, partition } = this.task
    if (engine === undefined) return undefined
    const { log, clock } = this.options
    const at = { topic: engine.changelog, partition }
    const [bounds] = await log.bounds([at])
    const from = { ...at, offset: Math.max(engine.end, bounds!.start) }
    let offsets: Readonly<Record<string, number>> | undefined
    await readRange({ log, clock, signal: this.signal }, from, bounds!.stable, (record) => {
      offsets = engine.offsetsOf(record) ?? offsets
    })
    return offsets
  }
}

function bytesOf(records: Burst['records']): number {
  let bytes = 0
  for (const { value } of records) bytes += value?.length ?? 0
  return bytes
}

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : 'the log did not take it')

function compare({ offsets }: Burst, found: readonly number[]): 'committed' | 'aborted' | 'fenced' {
  const { commits } = offsets!
  if (commits.every(({ next }, at) => found[at] === next)) return 'committed'
  return commits.some(({ next }, at) => found[at]! > next) ? 'fenced' : 'aborted'
}

/** @throws when the burst was refused for a reason that stays, or too often: no attempt can succeed */
function checkMayPass(outcome: CommitOutcome, attempt: number, transactionalId: string): void {
  const refusal = outcome.outcome === 'aborted' && outcome.cause instanceof LogError ? outcome.cause : undefined
  if (refusal?.untilMended) return
  if (refusal && !refusal.retriable) throw refusal
  if (attempt >= ATTEMPTS_MAX) throw new Error(`${transactionalId}: no commit in ${ATTEMPTS_MAX} attempts`)
}
