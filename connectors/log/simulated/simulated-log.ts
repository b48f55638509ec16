import {
  type Appender,
  type Burst,
  type Clock,
  type CommitOutcome,
  type FetchedPartition,
  type FetchOptions,
  type FetchPosition,
  type GroupListener,
  type JoinOptions,
  type Log,
  LogError,
  type Membership,
  type OutgoingRecord,
  type TopicConfig,
  type TopicPartition,
  type TransactionalWriter,
} from '../../../streams/ports.ts'
import type { Producer } from '../core/core.ts'
import type { GroupEvent } from '../core/groups.ts'
import { closedError } from '../core/long-poll.ts'
import type { OpenTransaction, SimulatedBroker } from './simulated-broker.ts'
import { SimulatedProcess } from './simulated-process.ts'

/** How much later than its caller's patience a lost commit may still arrive. */
const LATE_COMMIT_FACTOR = 5

/** The log as one simulated instance sees it: requests and answers take time, get lost, and end when the instance dies. */
export class SimulatedLog implements Log {
  readonly instanceId: string
  /** The instance's own view of time: it stands still while the instance does. */
  readonly clock: Clock
  private readonly broker: SimulatedBroker
  private readonly process: SimulatedProcess
  private readonly memberships = new Map<string, string>()
  private readonly earlier = new Map<string, FetchedPartition>()
  private readonly polls = new Set<() => void>()
  private readonly lines = new Map<string, (action: () => void) => void>()
  private closed = false

  constructor(instanceId: string, broker: SimulatedBroker) {
    this.instanceId = instanceId
    this.broker = broker
    this.process = new SimulatedProcess(instanceId, broker)
    this.clock = this.process.clock
  }

  get state(): 'running' | 'paused' | 'dead' {
    return this.process.state
  }

  crash(): void {
    this.process.crash()
    this.expireLater('dead')
  }

  pause(): void {
    this.process.pause()
    this.expireLater('paused')
  }

  resume(): void {
    this.process.resume()
  }

  createTopics(topics: readonly TopicConfig[]): Promise<void> {
    return this.request('create topics', () => void this.broker.core.createTopics(topics))
  }

  partitionCount(topic: string): Promise<number> {
    return this.request('partition count', () => this.broker.core.topic(topic).partitions.length)
  }

  async topicIds(): Promise<undefined> {}

  bounds(partitions: readonly TopicPartition[]) {
    return this.request('bounds', () =>
      partitions.map((partition) => {
        const { start, stable } = this.broker.core.partition(partition)
        return { start, stable }
      }),
    )
  }

  ends(partitions: readonly TopicPartition[]) {
    return this.request('ends', () => partitions.map((partition) => this.broker.core.partition(partition).end))
  }

  committedOffsets(group: string, partitions: readonly TopicPartition[]) {
    return this.request('committed offsets', () =>
      partitions.map((partition) => this.broker.committedOffset(group, partition)),
    )
  }

  async fetch(positions: readonly FetchPosition[], options: FetchOptions): Promise<FetchedPartition[]> {
    for (const position of positions) this.broker.core.partition(position)
    const fetched = await this.process.exchange<FetchedPartition[]>('fetch', (answer) => {
      this.broker.admit()
      if (this.closed) throw closedError()
      this.poll(positions, options, answer)
    })
    if (this.closed) throw closedError()
    return fetched.map((partition, at) => this.perhapsRepeated(partition, positions[at]!.offset))
  }

  join(options: JoinOptions, listener: GroupListener): Promise<Membership> {
    const { groups } = this.broker.core
    const notify = (event: GroupEvent): void =>
      this.lineOf(options.group)(() => {
        if (this.memberships.get(options.group) === undefined) return
        if (event.kind === 'assigned') listener.assigned(event.partitions, event.identity, event.standbys)
        else listener.lost(event.cause)
      })
    return this.request(`join ${options.group}`, () => {
      const memberId = groups.join(options, notify)
      this.memberships.set(options.group, memberId)
      const leave = (): void => {
        if (this.memberships.get(options.group) === memberId) this.memberships.delete(options.group)
        groups.leave(options.group, memberId)
      }
      return { leave: () => this.request(`leave ${options.group}`, leave) }
    })
  }

  async transactionalWriter(transactionalId: string): Promise<TransactionalWriter> {
    const producer = await this.request(`open ${transactionalId}`, () => this.broker.openProducer(transactionalId))
    return { commit: (burst) => this.commit(producer, burst), close: async () => {} }
  }

  async appender(): Promise<Appender> {
    if (this.closed) throw closedError()
    const line = this.process.sendingLine()
    return { append: (records) => this.append(line, records), close: async () => {} }
  }

  deleteRecords(before: readonly FetchPosition[]): Promise<void> {
    return this.request('delete records', () => {
      for (const position of before) this.broker.core.partition(position).deleteBefore(position.offset)
    })
  }

  async close(): Promise<void> {
    this.closed = true
    for (const cancel of [...this.polls]) cancel()
  }

  private request<T>(label: string, act: () => T): Promise<T> {
    if (this.closed) return Promise.reject(closedError())
    return this.process.exchange<T>(label, (answer) => {
      this.broker.admit()
      answer(act())
    })
  }

  private poll(
    positions: readonly FetchPosition[],
    options: FetchOptions,
    answer: (fetched: FetchedPartition[]) => void,
  ): void {
    let cancel = (): void => {}
    const end = (): void => cancel()
    this.polls.add(end)
    options.signal?.addEventListener('abort', end, { once: true })
    cancel = this.broker.fetch(positions, options, (fetched) => {
      this.polls.delete(end)
      options.signal?.removeEventListener('abort', end)
      answer(fetched)
    })
    if (options.signal?.aborted) end()
  }

  private lineOf(group: string): (action: () => void) => void {
    const line = this.lines.get(group) ?? this.process.line(`group ${group}`)
    this.lines.set(group, line)
    return line
  }

  /** Records wholly before the position asked for may come again; records behind it may not come early. */
  private perhapsRepeated(fetched: FetchedPartition, asked: number): FetchedPartition {
    const name = `${fetched.topic}/${fetched.partition}`
    const earlier = this.earlier.get(name)
    const { random, faults } = this.broker
    if (earlier !== undefined && earlier.next <= asked && random.chance(faults.repeatedFetch)) return earlier
    if (fetched.records.length > 0) this.earlier.set(name, fetched)
    if (earlier?.next !== asked || fetched.outOfRange || !random.chance(faults.overlappingFetch)) return fetched
    return { ...fetched, records: [...earlier.records, ...fetched.records] }
  }

  private async commit(producer: Producer, burst: Burst): Promise<CommitOutcome> {
    if (this.closed) return { outcome: 'aborted', cause: closedError() }
    const begun = await this.process.exchange<OpenTransaction | CommitOutcome>(`begin ${producer.id}`, (answer) => {
      answer(this.broker.begin(producer, burst))
    })
    return 'outcome' in begun ? begun : await this.end(begun)
  }

  private async end(transaction: OpenTransaction): Promise<CommitOutcome> {
    const { random, faults, clock } = this.broker
    const label = `end ${transaction.producer.id}`
    if (random.chance(faults.abortedCommit)) {
      return await this.process.exchange(label, (answer) => answer(this.broker.end(transaction, 'aborted')))
    }
    const lost = random.chance(faults.lostRequest)
    if (!lost && !random.chance(faults.lostAnswer)) {
      return await this.process.exchange(label, (answer) => answer(this.broker.end(transaction, 'committed')))
    }
    const delayMs = lost ? random.next() * faults.requestTimeoutMs * LATE_COMMIT_FACTOR : this.broker.latency()
    clock.schedule(delayMs, `late ${label}`, () => void this.broker.end(transaction, 'committed'))
    await this.clock.sleep(faults.requestTimeoutMs)
    return { outcome: 'unknown', cause: lostAnswer() }
  }

  private async append(
    line: SimulatedProcess['exchange'],
    records: readonly OutgoingRecord[],
  ): Promise<readonly number[]> {
    if (this.closed) throw closedError()
    const { random, faults, core } = this.broker
    const lost = random.chance(faults.lostRequest)
    const unanswered = lost || random.chance(faults.lostAnswer)
    const offsets = await line<readonly number[]>('append', (answer) => {
      this.broker.admit()
      if (lost) return answer([])
      const staged = core.stage(records, false)
      core.conclude(staged, 'committed')
      answer(staged.offsets)
    })
    if (!unanswered) return offsets
    await this.clock.sleep(faults.requestTimeoutMs)
    throw lostAnswer()
  }

  /** The coordinator throws a silent member out. */
  private expireLater(when: 'dead' | 'paused'): void {
    const { clock, faults, core } = this.broker
    clock.schedule(faults.sessionTimeoutMs, `expire ${this.instanceId}`, () => {
      if (this.state !== when) return
      for (const [group, memberId] of this.memberships) {
        core.groups.expel(group, memberId, new LogError('SESSION_EXPIRED', `${this.instanceId} was not heard of`))
      }
    })
  }
}

function lostAnswer(): LogError {
  return new LogError('TIMEOUT', 'no answer (simulated)', { retriable: true, indefinite: true })
}
