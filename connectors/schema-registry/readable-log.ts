/**
 * A log that hands out only records whose schemas are known. A record may name a schema that was registered after the codec
 * was made, by a newer version of the sequencer or by another producer; decoding is synchronous and cannot ask for it. So it is
 * asked for here, between the log and its reader. While it cannot be had (the id is unknown, the registry is away) the partition
 * is parked: it answers that there is nothing new, keeps its position, and goes on by itself; other partitions are not held up.
 */
import type { Codec } from '../../schemas/codec.ts'
import type {
  Clock,
  FetchedPartition,
  FetchOptions,
  FetchPosition,
  GroupListener,
  JoinOptions,
  Log,
  TopicConfig,
  TopicPartition,
} from '../../streams/ports.ts'
import { nothingNew, Parking, type ParkingOptions } from './parking.ts'

/**
 * How long a fetch of parked partitions alone waits when its caller cannot stop it; then it fails and may be made again.
 * A fetch that has a signal waits until it is aborted.
 */
const PATIENCE_MS = 5_000

export interface ReadableLogOptions extends Omit<ParkingOptions, 'codec' | 'log'> {
  readonly log: Log
  readonly codec: Pick<Codec, 'missing' | 'learn' | 'learnVersions'>
  /** Topics whose records are enveloped, and whether their keys are too. Others are handed out as they are. */
  readonly enveloped: ReadonlyMap<string, Enveloped>
  /**
   * For a reader that tells which records it cannot decode. When the registry says for PATIENCE_MS that it does not have their
   * schema, they are handed out as they are, from then on at once.
   */
  readonly handsOutUnknown?: boolean
}

export type Enveloped = 'value' | 'key and value'

export const readableLog = (options: ReadableLogOptions): Log => new ReadableLog(options)

/** A topic made anew is read with the same schemas as the one before. */
const reopenedFrom = ({ log, ...options }: ReadableLogOptions): Log['reopened'] =>
  log.reopened && (async () => readableLog({ ...options, log: await log.reopened!() }))

class ReadableLog implements Log {
  private readonly log: Log
  private readonly clock: Clock
  private readonly codec: ReadableLogOptions['codec']
  private readonly enveloped: ReadableLogOptions['enveloped']
  private readonly parking: Parking
  private readonly handsOutUnknown: boolean
  private readonly observer: ParkingOptions['observer']
  /** Partitions that stand at what is damaged. */
  private readonly damaged = new Set<string>()
  /** Schemas that were waited for in vain. */
  private readonly givenUp = new Set<number>()
  readonly reopened: Log['reopened']

  constructor(options: ReadableLogOptions) {
    this.log = options.log
    this.clock = options.clock
    this.codec = options.codec
    this.enveloped = options.enveloped
    this.parking = new Parking(options)
    this.handsOutUnknown = options.handsOutUnknown ?? false
    this.observer = options.observer
    this.reopened = reopenedFrom(options)
  }

  async fetch(positions: readonly FetchPosition[], options: FetchOptions): Promise<readonly FetchedPartition[]> {
    const { signal } = options
    const givenUpAt = signal ? Number.POSITIVE_INFINITY : this.clock.now() + PATIENCE_MS
    for (;;) {
      const held = positions.map((position) => this.parking.answer(position))
      const open = positions.filter((_, at) => held[at] === undefined)
      const answers = open.length > 0 ? await this.log.fetch(open, options) : []
      for (const answer of answers) this.tellDamage(answer)
      const given = answers.map((answer, at) => (this.park(answer) ? nothingNew(open[at]!, answer) : answer))
      const readable = given.filter((answer, at) => answer === answers[at]).length
      if (readable > 0 || signal?.aborted) return held.map((answer) => answer ?? given.shift()!)
      if (this.clock.now() >= givenUpAt) {
        const unknown = this.handsOutUnknown ? this.parking.freeUnknown(positions) : []
        if (unknown.length === 0) throw this.parking.failure(positions)
        for (const id of unknown) this.givenUp.add(id)
        continue
      }
      await this.parking.released(positions, Math.min(PATIENCE_MS, givenUpAt - this.clock.now()), signal)
    }
  }

  /** @returns whether the records cannot be read yet */
  private park(answer: FetchedPartition): boolean {
    const enveloped = this.enveloped.get(answer.topic)
    if (enveloped === undefined) return false
    const missing = new Set<number>()
    let first: number | undefined
    const passed = this.parking.passedBefore(answer)
    for (const { key, value, offset, fault } of answer.records) {
      if (offset < passed || fault !== undefined) continue
      const inValue = this.codec.missing(value)
      if (inValue !== undefined && !this.givenUp.has(inValue)) missing.add(inValue)
      const inKey = enveloped === 'value' ? undefined : this.codec.missing(key)
      if (inKey !== undefined && !this.givenUp.has(inKey)) missing.add(inKey)
      if (missing.size > 0) first ??= offset
    }
    if (first !== undefined) this.parking.park(answer, first, missing)
    return first !== undefined
  }

  /** A partition waits at what is damaged as it does for a schema, and says so. */
  private tellDamage({ topic, partition, damaged, failure }: FetchedPartition): void {
    const name = `${topic}/${partition}`
    if (damaged && failure) {
      this.damaged.add(name)
      this.observer?.parked?.({ topic, partition }, failure)
    } else if (this.damaged.size > 0 && !failure && this.damaged.delete(name))
      this.observer?.resumed?.({ topic, partition })
  }

  async close(): Promise<void> {
    this.parking.close()
    await this.log.close()
  }

  createTopics(topics: readonly TopicConfig[]) {
    return this.log.createTopics(topics)
  }
  partitionCount(topic: string) {
    return this.log.partitionCount(topic)
  }
  topicIds(topics: readonly string[]) {
    return this.log.topicIds(topics)
  }
  bounds(partitions: readonly TopicPartition[]) {
    return this.log.bounds(partitions)
  }

  ends(partitions: readonly TopicPartition[]) {
    return this.log.ends(partitions)
  }
  committedOffsets(group: string, partitions: readonly TopicPartition[]) {
    return this.log.committedOffsets(group, partitions)
  }
  join(options: JoinOptions, listener: GroupListener) {
    return this.log.join(options, listener)
  }
  transactionalWriter(transactionalId: string, group?: string) {
    return this.log.transactionalWriter(transactionalId, group)
  }
  appender() {
    return this.log.appender()
  }
  deleteRecords(before: readonly FetchPosition[]) {
    return this.log.deleteRecords(before)
  }
}
