/** One task with its writer: opens it from the log, feeds it in slices, and commits its bursts. */
import { Committer, type CommitterOptions } from './committer.ts'
import type { Reader } from './fetch-loop.ts'
import { HeldBack, heldInWords } from './held-back.ts'
import type { FetchedPartition, FetchPosition, LogRecord, PositionLostError } from './ports.ts'
import type { ReadAhead, readAhead } from './read-ahead.ts'
import { freshRecords } from './read-range.ts'
import type { Restored } from './restore.ts'
import type { Task } from './task.ts'
import { openTask } from './task-opening.ts'
import { Trouble } from './trouble.ts'

export interface RunnerOptions extends CommitterOptions {
  readonly commitIntervalMs: number
  readonly burstBytesMax: number
  readonly bufferedRecordsMax: number
  readonly bufferedBytesMax: number
  /** Resolves when the global table of that name holds all that is in the log by now, or the signal is aborted. */
  readonly tableCurrent: (name: string, signal: AbortSignal) => Promise<void>
  /** Where the partitions of the global table of that name began when it was read. */
  readonly tableStarts: (name: string) => readonly FetchPosition[]
  /** See `readAhead`. */
  readonly readAhead: (topic: string, records: readonly LogRecord[]) => ReturnType<typeof readAhead>
  /** Something changed that the loops should look at. */
  readonly wake: () => void
  readonly fail: (error: unknown) => void
}

/** Records of one fetch. */
interface Chunk {
  readonly topic: string
  readonly records: readonly LogRecord[]
  /** Position behind the chunk, which may lie behind its last record + 1. */
  readonly next: number
  readonly bytes: number
  ahead: ReadAhead | undefined
  /** True when nothing is being prepared for the task. */
  ready: boolean
  /** First record not processed yet. */
  index: number
}

/** Intervals between two commits of a task without output, and the records after which it commits as any other. */
const QUIET_INTERVALS = 10
const QUIET_RECORDS_MAX = 10_000

const SLICE_MS = 5
const SLICE_RECORDS = 1_000
/** Records between two looks at the clock. */
const STEP_RECORDS = 64

export class TaskRunner implements Reader {
  readonly task: Task
  state: 'opening' | 'running' | 'committing' | 'refused' | 'closed' = 'opening'
  refusal: PositionLostError | undefined
  asked = false
  /** Since when others go before it, ms. */
  waitingSince: number | undefined
  private readonly reading: Trouble
  private readonly held: HeldBack
  private restored: Restored
  private readonly options: RunnerOptions
  private readonly committer: Committer
  private readonly life = new AbortController()
  private readonly fetchPositions = new Map<string, number>()
  private chunks: Chunk[] = []
  private bufferedRecords = 0
  private bufferedBytes = 0
  private lastCommit = 0
  /** Records processed since then, and when the first of them was, ms. */
  private uncommitted = 0
  private uncommittedSince = 0
  private busy: Promise<unknown> = Promise.resolve()

  /** @param restored how much of its state the task has already; nothing by default */
  constructor(task: Task, options: RunnerOptions, restored: Restored = NOTHING) {
    this.task = task
    this.restored = restored
    this.options = options
    this.reading = new Trouble(options.clock)
    this.held = new HeldBack(options.clock)
    this.committer = new Committer(task, options, this.life.signal)
  }

  /**
   * Fences older owners, then reads the offsets, then restores: an older owner's last burst is in the log or never will be.
   * Then waits until the global tables are as new as that owner's can have been.
   */
  open(): Promise<void> {
    const opened = this.openTask()
    this.busy = opened.catch(() => {})
    return opened
  }

  private async openTask(): Promise<void> {
    const { clock, observer, tableCurrent, tableStarts, log, group } = this.options
    const { signal } = this.life
    const started = clock.now()
    await this.committer.open()
    const { starts, restored } = await openTask(
      this.task,
      { log, clock, signal, group, tableStarts, trouble: this.reading, tell: (left) => observer.unreadable?.(left) },
      this.restored,
    )
    this.restored = NOTHING
    await Promise.all([...this.task.globalTables].map((name) => tableCurrent(name, signal)))
    if (signal.aborted) return
    for (const { topic, offset } of starts) {
      this.task.startAt(topic, offset)
      this.fetchPositions.set(topic, offset)
    }
    this.lastCommit = clock.now()
    this.state = 'running'
    observer.restored?.(this.task.stageName, this.task.partition, restored, clock.now() - started)
  }

  /** Stops the task for good: its position belongs to another log, so it reads and commits nothing any more. */
  refuse(cause: PositionLostError): void {
    if (this.state === 'closed') return
    this.state = 'refused'
    this.refusal = cause
    this.chunks = []
    this.life.abort()
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

  /** The reason why it cannot read, open or commit, when that lasts for some seconds already. */
  get waitsFor(): string | undefined {
    const { lasting: held } = this.held
    if (held && this.refusal === undefined) return heldInWords(held, this.options.clock.now())
    return this.refusal?.message ?? this.reading.lasting ?? this.committer.trouble.lasting
  }

  /** Records fetched and not processed. */
  get buffered(): number {
    return this.bufferedRecords
  }

  positionsToFetch(): FetchPosition[] {
    const { partition } = this.task
    return [...this.fetchPositions].map(([topic, offset]) => ({ topic, partition, offset }))
  }

  /**
   * Takes a fetch answer, if it is the one for the present position.
   * @returns false when that position is not in the log: another owner has gone on from it and purged what is behind (then
   * opening again finds the new position), or what was not processed yet was deleted (then opening again says so)
   */
  accept(askedFrom: number, fetched: FetchedPartition): boolean {
    const { topic, records, next, outOfRange, stable, end = stable, failure } = fetched
    if (failure) this.reading.met(failure.message)
    else this.reading.over()
    this.held.saw(fetched, stable, end)
    if (this.state === 'closed' || this.state === 'refused' || this.fetchPositions.get(topic) !== askedFrom) return true
    if (outOfRange) return false
    const fresh = freshRecords(records, askedFrom)
    const lag = Math.max(0, end - next) + this.bufferedRecords + fresh.length
    this.options.observer.lag?.(this.task.stageName, topic, this.task.partition, lag)
    if (next <= askedFrom) return true
    this.fetchPositions.set(topic, next)
    const bytes = fresh.reduce((sum, { value }) => sum + (value?.length ?? 0), 0)
    const chunk: Chunk = { topic, records: fresh, next, bytes, ahead: undefined, ready: true, index: 0 }
    this.chunks.push(chunk)
    this.bufferedRecords += fresh.length
    this.bufferedBytes += bytes
    if (fresh.length === 0) return true
    this.options.observer.fetched?.(this.task.stageName, fresh.length, bytes)
    this.prepare(chunk)
    return true
  }

  private prepare(chunk: Chunk): void {
    const { readAhead, wake, fail } = this.options
    const read = readAhead(chunk.topic, chunk.records)
    if (read === undefined) return
    const [ahead, preparing] = read
    chunk.ready = false
    preparing.then(
      (prepared) => {
        ahead.prepared = prepared
        chunk.ahead = ahead
        chunk.ready = true
        wake()
      },
      (error) => {
        if (!this.life.signal.aborted) fail(error)
      },
    )
  }

  /** True when fetched records wait to be processed. */
  get hasWork(): boolean {
    return this.chunks.length > 0
  }

  get runnable(): boolean {
    return this.state === 'running' && this.chunks[0]?.ready === true
  }

  /** Processes until the slice is over, the buffer empty, or the burst full. @returns the number of records */
  runSlice(): number {
    const { clock, burstBytesMax, observer } = this.options
    const { task } = this
    const started = clock.now()
    if (this.uncommitted === 0) this.uncommittedSince = started
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
    const most = Math.min(records.length, from + STEP_RECORDS)
    const { burstBytesMax } = this.options
    const to = from === most ? from : this.task.process(topic, records, from, most, chunk.ahead, burstBytesMax)
    chunk.index = to
    this.bufferedRecords -= to - from
    this.uncommitted += to - from
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
    const { commitIntervalMs } = this.options
    const isQuiet = !this.task.hasOutput && this.uncommitted < QUIET_RECORDS_MAX
    // Counted from its first record, so that a task that stood still does not commit in the midst of what has come.
    return isQuiet ? this.uncommittedSince + commitIntervalMs * QUIET_INTERVALS : this.lastCommit + commitIntervalMs
  }

  /** Commits what the task has done since the last time; it is frozen meanwhile. @returns false when the task is lost */
  commit(): Promise<boolean> {
    this.state = 'committing'
    this.uncommitted = 0
    const kept = this.committer.commit()
    this.busy = kept.catch(() => {})
    return kept.then((isKept) => {
      this.lastCommit = this.options.clock.now()
      if (isKept && this.state === 'committing') this.state = 'running'
      return isKept
    })
  }

  /** Records that nobody needs any more: committed input of repartition topics, and changelogs before the oldest live scope. */
  purgeable(repartitionTopics: ReadonlySet<string>): FetchPosition[] {
    if (this.state !== 'running') return []
    const { partition, stage, changelogs } = this.task
    const inputs = stage.sources
      .filter(({ name }) => repartitionTopics.has(name))
      .map(({ name }) => ({ topic: name, partition, offset: this.task.committedPositionOf(name) }))
    const logs = changelogs.map((store) => ({
      topic: store.changelog,
      partition,
      offset: this.task.purgeBefore(store),
    }))
    return [...inputs, ...logs].filter(({ offset }) => offset > 0)
  }

  /** Waits for the opening or the commit under way, commits the rest when asked to, and lets go of the task. */
  async close(commitRest: boolean): Promise<void> {
    if (!commitRest) this.life.abort()
    await this.busy
    if (commitRest && this.state !== 'closed' && this.state !== 'refused' && this.task.dirty) await this.commit()
    this.life.abort()
    this.state = 'closed'
    this.chunks = []
    await this.committer.close()
  }
}

const NOTHING: Restored = new Map()
