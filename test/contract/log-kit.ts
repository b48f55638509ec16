import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type {
  CommitOutcome,
  FetchedPartition,
  GroupListener,
  Log,
  LogRecord,
  MemberIdentity,
  OutgoingRecord,
  TopicConfig,
  TopicPartition,
} from '../../streams/ports.ts'

/** One driver with a log of its own, as a test gets it. */
export interface LogUnderTest {
  readonly log: Log
  /** Another user of the same log; the same handle where a log has only one user. */
  readonly other: Log
  readonly now: () => number
  /** Lets retention and compaction have their turn `ms` later. */
  readonly maintain: (ms: number) => Promise<void>
  /** Stops the log and opens what it kept. `log` must not be used afterwards. */
  readonly reopen: () => Promise<Log>
  readonly close: () => Promise<void>
}

/** What a driver can be made to do in a test; the tests that need more are left out. */
export interface LogTraits {
  readonly maintains: boolean
  readonly reopens: boolean
}

export type MakeLog = () => Promise<LogUnderTest>

export async function cannot(): Promise<never> {
  throw new Error('this driver cannot')
}

const run = randomUUID().slice(0, 8)
let names = 0

/** A name nobody has used: drivers may share one broker between tests, and between files of tests. */
export function fresh(kind: string): string {
  return `${kind}-${run}-${++names}`
}

export async function createTopic(log: Log, partitions = 1, more: Partial<TopicConfig> = {}): Promise<string> {
  const name = fresh('topic')
  await log.createTopics([{ name, partitions, cleanup: 'delete', ...more }])
  return name
}

export function record(topic: string, partition: number, value: string | null, key: string | null = null) {
  return { topic, partition, timestamp: 1_704_067_200_000, key: bytes(key), value: bytes(value) }
}

export function records(topic: string, partition: number, ...values: readonly string[]): OutgoingRecord[] {
  return values.map((value) => record(topic, partition, value))
}

export function bytes(text: string | null): Uint8Array | null {
  return text === null ? null : Buffer.from(text)
}

export function text(value: Uint8Array | null | undefined): string | null {
  return value ? Buffer.from(value).toString() : null
}

export async function append(log: Log, outgoing: readonly OutgoingRecord[]): Promise<readonly number[]> {
  const appender = await log.appender()
  const offsets = await appender.append(outgoing)
  await appender.close()
  return offsets
}

/** One fetch of one partition that waits for nothing. */
export async function fetchOne(log: Log, topic: string, offset: number, partition = 0): Promise<FetchedPartition> {
  const [fetched] = await log.fetch([{ topic, partition, offset }], { maxWaitMs: 0, maxBytesPerPartition: 1 << 20 })
  return fetched!
}

/** Everything a reader sees from a position (the start by default) to the stable offset. */
export async function readAll(log: Log, at: TopicPartition, from?: number): Promise<LogRecord[]> {
  const [bounds] = await log.bounds([at])
  const found: LogRecord[] = []
  for (let offset = from ?? bounds!.start; offset < bounds!.stable; ) {
    const [fetched] = await log.fetch([{ ...at, offset }], { maxWaitMs: 0, maxBytesPerPartition: 1 << 20 })
    found.push(...fetched!.records)
    expect(fetched!.next, 'a fetch below the stable offset moves on').toBeGreaterThan(offset)
    offset = fetched!.next
  }
  return found
}

export async function values(log: Log, topic: string, partition = 0): Promise<(string | null)[]> {
  return (await readAll(log, { topic, partition })).map(({ value }) => text(value))
}

export function expectCommitted(outcome: CommitOutcome): ReadonlyMap<string, number> {
  if (outcome.outcome !== 'committed') throw new Error(`not committed: ${outcome.outcome} ${outcome.cause ?? ''}`)
  return outcome.baseOffsets
}

export async function commit(log: Log, id: string, outgoing: readonly OutgoingRecord[]) {
  const writer = await log.transactionalWriter(id)
  const outcome = await writer.commit({ records: outgoing })
  await writer.close()
  return expectCommitted(outcome)
}

/** A group listener that keeps what it was told, and lets a test wait for it. */
export class Listener implements GroupListener {
  readonly generations: number[] = []
  readonly causes: Error[] = []
  partitions: readonly TopicPartition[] = []
  standbys: readonly number[] = []
  identity: MemberIdentity = { memberId: '', generation: -1 }
  private waiting: { readonly until: () => boolean; readonly resolve: () => void }[] = []

  assigned(partitions: readonly TopicPartition[], identity: MemberIdentity, standbys: readonly number[]): void {
    this.partitions = partitions
    this.standbys = standbys
    this.identity = identity
    this.generations.push(identity.generation)
    this.check()
  }

  lost(cause: Error): void {
    this.causes.push(cause)
    this.check()
  }

  get numbers(): number[] {
    return [...new Set(this.partitions.map(({ partition }) => partition))].sort((a, b) => a - b)
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ until: condition, resolve })
      this.check()
    })
  }

  private check(): void {
    this.waiting = this.waiting.filter(({ until, resolve }) => {
      if (!until()) return true
      resolve()
      return false
    })
  }
}
