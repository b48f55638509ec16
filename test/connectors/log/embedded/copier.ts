import type { SimulatedLog } from '../../../../connectors/log/simulated/simulated-log.ts'
import {
  type CommitOutcome,
  LogError,
  type MemberIdentity,
  type TopicPartition,
  type TransactionalWriter,
} from '../../../../streams/ports.ts'

export const SOURCE = 'source'
export const SINK = 'sink'
const GROUP = 'copiers'
const RETRY_MS = 100

/** The rules by which a user of the log copies exactly once. A test leaves one out and sees records lost or doubled. */
export interface Guards {
  /** Records below the position are passed over. */
  readonly gate: boolean
  /** After an unknown outcome a new writer settles the transaction, and the committed offsets decide. */
  readonly settle: boolean
  /** Offsets that are neither the burst's nor those before it are another owner's: everything is dropped. */
  readonly exact: boolean
  /** After `fenced` everything is dropped, and the position read anew. */
  readonly drop: boolean
  /** The writer is opened before the offsets are read. */
  readonly fenceFirst: boolean
}

export const allGuards: Guards = { gate: true, settle: true, exact: true, drop: true, fenceFirst: true }

/** Copies each partition of one topic to another, as a member of a group: a stream task as small as it can be. */
export class Copier {
  private readonly log: SimulatedLog
  private readonly guards: Guards
  private owned = new Set<number>()
  private readonly working = new Set<number>()
  private identity: MemberIdentity | undefined

  constructor(log: SimulatedLog, guards: Guards) {
    this.log = log
    this.guards = guards
  }

  async start(): Promise<void> {
    const options = { group: GROUP, topics: [SOURCE], instanceId: this.log.instanceId, fingerprint: 'copy' }
    await this.retried(() =>
      this.log.join(options, {
        assigned: (partitions, identity) => this.assigned(partitions, identity),
        lost: () => {
          this.owned = new Set()
          void this.start()
        },
      }),
    )
  }

  private assigned(partitions: readonly TopicPartition[], identity: MemberIdentity): void {
    this.identity = identity
    this.owned = new Set(partitions.map(({ partition }) => partition))
    for (const partition of this.owned) if (!this.working.has(partition)) void this.work(partition)
  }

  private async work(partition: number): Promise<void> {
    this.working.add(partition)
    while (this.owned.has(partition)) {
      await this.copy(partition)
      await this.log.clock.sleep(RETRY_MS)
    }
    this.working.delete(partition)
  }

  /** Copies until the partition is lost or the writer fenced. */
  private async copy(partition: number): Promise<void> {
    const before = this.guards.fenceFirst ? undefined : await this.position(partition)
    let writer = await this.open(partition)
    let position = before ?? (await this.position(partition))
    while (this.owned.has(partition)) {
      const at = { topic: SOURCE, partition, offset: position }
      const [fetched] = await this.retried(() => this.log.fetch([at], { maxWaitMs: 500, maxBytesPerPartition: 200 }))
      const records = fetched!.records.filter(({ offset }) => !this.guards.gate || offset >= position)
      const next = this.guards.gate ? Math.max(position, fetched!.next) : fetched!.next
      if (next === position && records.length === 0) continue
      for (let settled = false; !settled; ) {
        const outcome = await this.commit(writer, partition, records, next)
        if (outcome.outcome === 'fenced') {
          if (this.guards.drop) return
          writer = await this.open(partition)
        } else if (outcome.outcome === 'unknown' && this.guards.settle) {
          writer = await this.open(partition)
          const found = await this.position(partition)
          if (this.guards.exact && found !== next && found !== position) return // another owner went on from there
          settled = found === next
        } else settled = outcome.outcome === 'committed'
        if (!settled && !this.owned.has(partition)) return
      }
      position = next
    }
  }

  private commit(
    writer: TransactionalWriter,
    partition: number,
    records: readonly { timestamp: number; key: Uint8Array | null; value: Uint8Array | null }[],
    next: number,
  ): Promise<CommitOutcome> {
    const copies = records.map(({ timestamp, key, value }) => ({ topic: SINK, partition, timestamp, key, value }))
    const commits = [{ topic: SOURCE, partition, next, metadata: '' }]
    const offsets = { group: GROUP, commits, ...(this.identity && { membership: this.identity }) }
    return writer.commit({ records: copies, offsets: this.guards.drop ? offsets : { group: GROUP, commits } })
  }

  private open(partition: number): Promise<TransactionalWriter> {
    return this.retried(() => this.log.transactionalWriter(`copy-${partition}`))
  }

  private async position(partition: number): Promise<number> {
    const [offset] = await this.retried(() => this.log.committedOffsets(GROUP, [{ topic: SOURCE, partition }]))
    return offset?.next ?? 0
  }

  private async retried<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof LogError && error.retriable)) throw error
        await this.log.clock.sleep(RETRY_MS)
      }
    }
  }
}
