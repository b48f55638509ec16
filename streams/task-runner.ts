/** One task with its writer: opens it from the log, feeds it in slices, and commits its bursts. */
import { Committer, type CommitterOptions } from './committer.ts'
import type { FetchedPartition, FetchPosition, LogRecord } from './ports.ts'
import { restoreTask } from './restore.ts'
import { retried } from './retry.ts'
import type { Task } from './task.ts'

export interface RunnerOptions extends CommitterOptions {
  readonly commitIntervalMs: number
  readonly burstBytesMax: number
  readonly bufferedRecordsMax: number
  readonly bufferedBytesMax: number
  readonly prepare: (topic: string, records: readonly LogRecord[]) => unknown[] | Promise<unknown[]> | undefined
  /** Something changed that the loops should look at. */
  readonly wake: () => void
  readonly fail: (error: unknown) => void
  readonly yieldToLoop: () => Promise<void>
}

/** Records of one fetch. */
interface Chunk {
  readonly topic: string
  readonly records: readonly LogRecord[]
  /** Position behind the chunk, which may lie behind its last record + 1. */
  readonly next: number
  readonly bytes: number
  prepared: readonly unknown[] | undefined
  ready: boolean
  /** First record not processed yet. */
  index: number
}

const SLICE_MS = 5
const SLICE_RECORDS = 1_000
/** Records between two looks at the clock. */
const STEP_RECORDS = 64

export class TaskRunner {
  readonly task: Task
  state: 'opening' | 'running' | 'committing' | 'closed' = 'opening'
  /** Whether the fetch under way asks for this task's positions. */
  asked = false
  private readonly options: RunnerOptions
  private readonly committer: Committer
  private readonly life = new AbortController()
  private readonly fetchPositions = new Map<string, number>()
  private chunks: Chunk[] = []
  private bufferedRecords = 0
  private bufferedBytes = 0
  private lastCommit = 0
  private busy: Promise<unknown> = Promise.resolve()

  constructor(task: Task, options: RunnerOptions) {
    this.task = task
    this.options = options
    this.committer = new Committer(task, options, this.life.signal)
  }

  /** Fences older owners, then reads the offsets, then restores: an older owner's last burst is in the log or never will be. */
  open(): Promise<void> {
    const opened = this.openTask()
    this.busy = opened.catch(() => {})
    return opened
  }

  private async openTask(): Promise<void> {
    const { log, clock, group, observer, yieldToLoop } = this.options
    const { signal } = this.life
    const started = clock.now()
    await this.committer.open()
    const inputs = this.task.stage.sources.map(({ name }) => ({ topic: name, partition: this.task.partition }))
    const committed = await retried(clock, signal, () => log.committedOffsets(group, inputs))
    const bounds = await retried(clock, signal, () => log.bounds(inputs))
    const restored = await this.restore(yieldToLoop)
    if (signal.aborted) return
    inputs.forEach(({ topic }, at) => {
      // An old broker may answer a stale offset; the one in the changelog came with the state itself.
      const logged = this.task.engine?.offsets?.[topic] ?? 0
      const offset = Math.max(committed[at]?.next ?? bounds[at]!.start, logged)
      this.task.startAt(topic, offset)
      this.fetchPositions.set(topic, offset)
    })
    this.lastCommit = clock.now()
    this.state = 'running'
    observer.restored?.(this.task.stageName, this.task.partition, restored, clock.now() - started)
  }

  private restore(yieldToLoop: () => Promise<void>): Promise<number> {
    const { log, clock } = this.options
    return retried(clock, this.life.signal, () => {
      for (const store of this.task.changelogs) store.clear()
      return restoreTask(log, this.task, this.life.signal, yieldToLoop)
    })
  }

  /** Whether the buffer is at most half full, so that the next fetch should ask for this task too. */
  get hungry(): boolean {
    const { bufferedRecordsMax, bufferedBytesMax } = this.options
    return (
      (this.state === 'running' || this.state === 'committing') &&
      this.bufferedRecords * 2 <= bufferedRecordsMax &&
      this.bufferedBytes * 2 <= bufferedBytesMax
    )
  }

  positionsToFetch(): FetchPosition[] {
    const { partition } = this.task
    return [...this.fetchPositions].map(([topic, offset]) => ({ topic, partition, offset }))
  }

  /** Takes a fetch answer, if it is the one for the present position. @throws when the input is gone from the log */
  accept(askedFrom: number, { topic, partition, records, next, outOfRange, stable, start }: FetchedPartition): void {
    if (this.state === 'closed' || this.fetchPositions.get(topic) !== askedFrom) return
    if (outOfRange)
      throw new Error(
        `${topic}/${partition}: offset ${askedFrom} is not in the log (it begins at ${start} and ends at ${stable}); ` +
          `what stage ${this.task.stageName} has not processed was deleted. Reset the offsets of its group to go on`,
      )
    const lag = Math.max(0, stable - next) + this.bufferedRecords + records.length
    this.options.observer.lag?.(this.task.stageName, topic, partition, lag)
    if (next === askedFrom && records.length === 0) return
    this.fetchPositions.set(topic, next)
    const bytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
    const chunk: Chunk = { topic, records, next, bytes, prepared: undefined, ready: true, index: 0 }
    this.chunks.push(chunk)
    this.bufferedRecords += records.length
    this.bufferedBytes += bytes
    if (records.length > 0) this.prepare(chunk)
  }

  private prepare(chunk: Chunk): void {
    const { prepare, wake, fail } = this.options
    const prepared = prepare(chunk.topic, chunk.records)
    if (!(prepared instanceof Promise)) {
      chunk.prepared = prepared
      return
    }
    chunk.ready = false
    prepared.then(
      (values) => {
        chunk.prepared = values
        chunk.ready = true
        wake()
      },
      (error) => {
        if (!this.life.signal.aborted) fail(error)
      },
    )
  }

  get runnable(): boolean {
    return this.state === 'running' && this.chunks[0]?.ready === true
  }

  /** Processes until the slice is over, the buffer empty, or the burst full. @returns the number of records */
  runSlice(): number {
    const { clock, burstBytesMax, observer } = this.options
    const { task } = this
    const started = clock.now()
    let processed = 0
    let elapsed = 0
    while (this.runnable && task.bytes < burstBytesMax && processed < SLICE_RECORDS && elapsed < SLICE_MS) {
      processed += this.step(this.chunks[0]!)
      elapsed = clock.now() - started
    }
    if (processed > 0) observer.processed?.(task.stageName, task.partition, processed, elapsed)
    return processed
  }

  private step(chunk: Chunk): number {
    const { index: from, records, topic, next } = chunk
    const to = Math.min(records.length, from + STEP_RECORDS)
    if (to > from) this.task.process(topic, records, from, to, chunk.prepared)
    chunk.index = to
    this.bufferedRecords -= to - from
    if (to === records.length) {
      this.task.skipTo(topic, next)
      this.bufferedBytes -= chunk.bytes
      this.chunks.shift()
    }
    return to - from
  }

  /** When the next commit is due, ms; undefined while there is nothing to commit, or a commit is under way. */
  commitDueAt(): number | undefined {
    if (this.state !== 'running' || !this.task.dirty) return undefined
    if (this.task.commitRequested || this.task.bytes >= this.options.burstBytesMax) return 0
    return this.lastCommit + this.options.commitIntervalMs
  }

  /** Commits what the task has done since the last time; it is frozen meanwhile. @returns false when the task is lost */
  commit(): Promise<boolean> {
    this.state = 'committing'
    const kept = this.committer.commit()
    this.busy = kept.catch(() => {})
    return kept.then((isKept) => {
      this.lastCommit = this.options.clock.now()
      if (isKept && this.state === 'committing') this.state = 'running'
      return isKept
    })
  }

  /** What nobody needs any more: committed input of repartition topics, and changelogs before the oldest live scope. */
  purgeable(repartitionTopics: ReadonlySet<string>): FetchPosition[] {
    if (this.state !== 'running') return []
    const { partition, stage, changelogs } = this.task
    const inputs = stage.sources
      .filter(({ name }) => repartitionTopics.has(name))
      .map(({ name }) => ({ topic: name, partition, offset: this.task.committedPositionOf(name) }))
    const logs = changelogs.map((store) => ({ topic: store.changelog, partition, offset: store.purgeBefore() }))
    return [...inputs, ...logs].filter(({ offset }) => offset > 0)
  }

  /** Waits for the opening or the commit under way, commits the rest when asked to, and lets go of the task. */
  async close(commitRest: boolean): Promise<void> {
    if (!commitRest) this.life.abort()
    await this.busy
    if (commitRest && this.state !== 'closed' && this.task.dirty) await this.commit()
    this.life.abort()
    this.state = 'closed'
    this.chunks = []
    await this.committer.close()
  }
}
