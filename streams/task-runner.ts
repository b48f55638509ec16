/** One task with its writer: opens it from the log, feeds it, and commits its bursts. All awaiting around a task is here. */
import type {
  Clock,
  CommitOutcome,
  FetchedPartition,
  Log,
  LogRecord,
  MemberIdentity,
  RuntimeObserver,
  TopicPartition,
  TransactionalWriter,
} from './ports.ts'
import type { Task } from './task.ts'

export interface RunnerOptions {
  readonly group: string
  readonly transactionalId: string
  readonly log: Log
  readonly clock: Clock
  readonly observer: RuntimeObserver
  readonly commitIntervalMs: number
  readonly burstBytesMax: number
  readonly bufferedRecordsMax: number
  readonly sliceMs: number
  readonly identity: () => MemberIdentity | undefined
  readonly prepare: (topic: string, records: readonly LogRecord[]) => unknown[] | Promise<unknown[]> | undefined
  /** Something changed that the loops should look at. */
  readonly wake: () => void
}

interface Chunk {
  readonly topic: string
  readonly records: readonly LogRecord[]
  readonly next: number
  prepared: readonly unknown[] | undefined
  ready: boolean
  index: number
}

const SLICE_RECORDS = 1_000
const FETCH_BYTES = 1024 * 1024
const RETRY_FIRST_MS = 10
const RETRY_MOST_MS = 2_000

export class TaskRunner {
  readonly task: Task
  state: 'opening' | 'running' | 'committing' | 'closed' = 'opening'
  private readonly options: RunnerOptions
  private readonly chunks: Chunk[] = []
  private readonly fetchPositions = new Map<string, number>()
  private buffered = 0
  private lastCommit = 0
  private writer: TransactionalWriter | undefined
  private inFlight: Promise<void> = Promise.resolve()

  constructor(task: Task, options: RunnerOptions) {
    this.task = task
    this.options = options
  }

  /** Fences older owners, reads the offsets, restores the stores. */
  async open(): Promise<void> {
    const { log, clock, group, observer, transactionalId } = this.options
    const started = clock.now()
    this.writer = await log.transactionalWriter(transactionalId)
    const inputs = this.inputs()
    const committed = await log.committedOffsets(group, inputs)
    const bounds = await log.bounds(inputs)
    const restored = await this.restore()
    if (this.closed) return
    const vector = this.task.restoredPositions()
    inputs.forEach(({ topic }, i) => {
      const offset = Math.max(committed[i]?.next ?? bounds[i]!.start, vector[topic] ?? 0)
      this.task.startAt(topic, offset)
      this.fetchPositions.set(topic, offset)
    })
    this.lastCommit = clock.now()
    this.state = 'running'
    observer.restored?.(this.task.stage.name, this.task.partition, restored, clock.now() - started)
    this.options.wake()
  }

  get closed(): boolean {
    return this.state === 'closed'
  }

  private inputs = (): TopicPartition[] =>
    this.task.stage.sources.map(({ name }) => ({ topic: name, partition: this.task.partition }))

  private async restore(): Promise<number> {
    let count = 0
    for (const store of this.task.changelogs) {
      const at = { topic: store.changelog, partition: this.task.partition }
      const [bounds] = await this.options.log.bounds([at])
      let offset = bounds!.start
      while (offset < bounds!.stable && !this.closed) {
        const [fetched] = await this.options.log.fetch([{ ...at, offset }], {
          maxWaitMs: 0,
          maxBytesPerPartition: 4 * FETCH_BYTES,
        })
        for (const record of fetched!.records) if (record.offset < bounds!.stable) store.restore(record)
        count += fetched!.records.length
        offset = fetched!.outOfRange ? fetched!.start : fetched!.next
      }
    }
    return count
  }

  /** Where to fetch next, unless enough is buffered. */
  positionsToFetch(): { topic: string; partition: number; offset: number }[] {
    if (this.state !== 'running' && this.state !== 'committing') return []
    if (this.buffered >= this.options.bufferedRecordsMax) return []
    return [...this.fetchPositions].map(([topic, offset]) => ({ topic, partition: this.task.partition, offset }))
  }

  /** Takes a fetch answer, if it is the one for the present position. */
  accept(askedFrom: number, { topic, partition, records, next, outOfRange, stable }: FetchedPartition): void {
    if (this.closed || this.fetchPositions.get(topic) !== askedFrom) return
    if (outOfRange)
      throw new Error(
        `${topic}/${partition}: offset ${askedFrom} is no longer in the log; the input was deleted before it was processed`,
      )
    this.options.observer.lag?.(this.task.stage.name, topic, partition, stable - next + this.buffered + records.length)
    if (next === askedFrom && records.length === 0) return
    this.fetchPositions.set(topic, next)
    const chunk: Chunk = { topic, records, next, prepared: undefined, ready: true, index: 0 }
    this.chunks.push(chunk)
    this.buffered += records.length
    const prepared = records.length > 0 ? this.options.prepare(topic, records) : undefined
    if (prepared instanceof Promise) {
      chunk.ready = false
      void prepared.then((values) => {
        chunk.prepared = values
        chunk.ready = true
        this.options.wake()
      })
    } else chunk.prepared = prepared
  }

  get runnable(): boolean {
    return this.state === 'running' && this.chunks[0]?.ready === true && !this.task.commitRequested
  }

  /** Processes until the slice is over, the buffer empty, or a commit asked for. */
  runSlice(): void {
    const { clock, sliceMs, burstBytesMax, observer } = this.options
    const { task } = this
    const started = clock.now()
    let processed = 0
    while (this.runnable && task.bytes < burstBytesMax) {
      const chunk = this.chunks[0]!
      const from = chunk.index
      const to = Math.min(chunk.records.length, from + 64)
      if (to > from) {
        chunk.index = task.process(chunk.topic, chunk.records, from, to, chunk.prepared)
        processed += chunk.index - from
        this.buffered -= chunk.index - from
      }
      if (chunk.index >= chunk.records.length) {
        task.positions.set(chunk.topic, chunk.next)
        this.chunks.shift()
      }
      if (processed >= SLICE_RECORDS || clock.now() - started >= sliceMs) break
    }
    observer.processed?.(task.stage.name, task.partition, processed, clock.now() - started)
  }

  commitDueAt(): number | undefined {
    if (this.state !== 'running' || !this.task.dirty) return undefined
    if (this.task.commitRequested || this.task.bytes >= this.options.burstBytesMax) return 0
    return this.lastCommit + this.options.commitIntervalMs
  }

  /** Commits what the task has done since the last time. Resolves to false when the task was lost. */
  commit(): Promise<boolean> {
    this.state = 'committing'
    const result = this.commitBurst()
    this.inFlight = result.then(
      () => {},
      () => {},
    )
    return result
  }

  private async commitBurst(): Promise<boolean> {
    const { group, clock, observer, identity } = this.options
    const { task } = this
    const started = clock.now()
    const sealed = task.seal(group, '')
    for (let attempt = 1; !this.closed; attempt++) {
      const membership = identity()
      const burst = membership ? { ...sealed, offsets: { ...sealed.offsets!, membership } } : sealed
      const outcome = await this.writer!.commit(burst)
      observer.committed?.(
        task.stage.name,
        task.partition,
        outcome.outcome,
        sealed.records.length,
        clock.now() - started,
      )
      const settled = await this.settle(outcome, sealed)
      if (settled === 'fenced') return false
      if (settled) {
        task.applied(sealed, settled)
        this.lastCommit = clock.now()
        if (!this.closed) this.state = 'running'
        this.options.wake()
        return true
      }
      await clock.sleep(Math.min(RETRY_FIRST_MS * 2 ** (attempt - 1), RETRY_MOST_MS))
    }
    return false
  }

  /** The base offsets when the burst is in the log; undefined when it must be sent again. */
  private async settle(
    outcome: CommitOutcome,
    sealed: ReturnType<Task['seal']>,
  ): Promise<ReadonlyMap<string, number> | 'fenced' | undefined> {
    if (outcome.outcome === 'committed') return outcome.baseOffsets
    if (outcome.outcome === 'fenced') return 'fenced'
    if (outcome.outcome === 'aborted') return undefined
    // The answer was lost: a new writer settles the old transaction, then the offsets say whether it committed.
    this.writer = await this.options.log.transactionalWriter(this.options.transactionalId)
    const { commits } = sealed.offsets!
    const committed = await this.options.log.committedOffsets(this.options.group, commits)
    return commits.every(({ next }, i) => committed[i]?.next === next) ? new Map() : undefined
  }

  /** Waits for a commit in flight, commits the rest when asked to, and lets go of the task. */
  async close(commitRest: boolean): Promise<void> {
    await this.inFlight
    if (commitRest && this.state === 'running' && this.task.dirty) await this.commit()
    this.state = 'closed'
    await this.writer?.close()
  }
}
