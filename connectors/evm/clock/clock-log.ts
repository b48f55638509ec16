/** The clock's side of the log: what it knows is read from there, and each step is one transaction. */
import type { EpochTick, SlotOwner } from '../../../schemas/types.ts'
import { configOf } from '../../../streams/kafka-topic.ts'
import type {
  Clock,
  Log,
  OffsetCommit,
  OutgoingRecord,
  TopicPartition,
  TransactionalWriter,
} from '../../../streams/ports.ts'
import { positionBehind, readRecords } from '../../../streams/read-record.ts'
import { Sealer } from '../../../streams/seals.ts'
import { EvmError } from '../errors.ts'
import { pastIn } from './chain-past.ts'
import {
  applyTick,
  type ChainState,
  type ClockMarket,
  EMPTY_CHAIN,
  forgetOldHeads,
  type Head,
  orphanTick,
} from './chain-state.ts'
import type { ChainPast } from './chain-steps.ts'
import { type Cursor, cursorBefore, withCursor } from './clock-cursor.ts'
import { type CheckMarket, ClockMarkets, type MarketNews } from './clock-markets.ts'
import { type PlaceObserver, readPlace } from './clock-place.ts'
import { SlotTable } from './slot-table.ts'
import {
  type ClockTopics,
  canonicalTicks,
  chunksOf,
  FETCH_BYTES,
  PARTITION,
  record,
  type TopicReading,
} from './tick-log.ts'
import { planAnswer, type TickRequestObserver, type TickRequests } from './tick-requests.ts'

/** Rows or ticks of one transaction. */
const RECORDS_PER_BURST = 1_000

/** Higher than any block, so that no reorganisation takes the row back. */
const NO_BLOCK = Number.MAX_SAFE_INTEGER

/** The answer to a commit was lost, or it was refused: the log must be read again before going on. */
class SessionLost extends Error {}

export type CursorReadings = Pick<Cursor, 'slotsReadAt' | 'registry' | 'genesis'>

export interface SessionOptions {
  readonly appId: string
  readonly topics: ClockTopics
  readonly reorgDepthMax: number
  readonly slotHistoryBlocks: number
  readonly slotChangesMax: number
  /** The configured ones. */
  readonly markets: readonly ClockMarket[]
  readonly addedWindowUnit: ClockMarket['windowUnit']
  readonly marketsMax: number
  readonly observer?: (TickRequestObserver & PlaceObserver) | undefined
}

/** Takes the role over from its former holder, then reads the place that it had reached. Rejects with LogError. */
export async function openSession(options: SessionOptions, ports: { log: Log; clock: Clock }): Promise<ClockSession> {
  const { epochTicks, tickRequests, slots, marketRequests, markets } = options.topics
  await ports.log.createTopics([epochTicks, tickRequests, slots, marketRequests, markets].map(configOf))
  const writer = await ports.log.transactionalWriter(groupOf(options), groupOf(options))
  const session = new ClockSession(options, ports, writer)
  await session.restore()
  return session
}

const groupOf = ({ appId }: SessionOptions): string => `${appId}-clock`
/** A holder of the role: its knowledge of the chain, and its way to write. */
export class ClockSession {
  readonly slots: SlotTable
  readonly markets: ClockMarkets
  private readonly ticksAt: TopicPartition
  private readonly requestsAt: TopicPartition
  private readonly marketRequestsAt: TopicPartition
  private readonly slotsAt: TopicPartition
  private known = EMPTY_CHAIN
  private cursor: Cursor | undefined
  /** The facts of the topics that every cursor repeats. */
  private kept: Pick<Cursor, 'ids' | 'begins'> = {}
  private rowsEnd = 0
  private ticksEnd = 0
  private requestsNext = 0
  private marketRequestsNext = 0
  private readonly options: SessionOptions
  private readonly log: Log
  private readonly reading: TopicReading
  private readonly clock: Clock
  private readonly writer: TransactionalWriter
  private sealer: Sealer | undefined

  constructor(options: SessionOptions, { log, clock }: { log: Log; clock: Clock }, writer: TransactionalWriter) {
    this.options = options
    this.slots = new SlotTable(options)
    this.log = log
    this.reading = { log, tell: (left) => options.observer?.unreadable?.(left) }
    this.clock = clock
    this.writer = writer
    const { epochTicks, tickRequests, marketRequests, slots } = options.topics
    const at = ({ name: topic }: { name: string }): TopicPartition => ({ topic, partition: PARTITION })
    ;[this.ticksAt, this.requestsAt] = [at(epochTicks), at(tickRequests)]
    ;[this.marketRequestsAt, this.slotsAt] = [at(marketRequests), at(slots)]
    this.markets = new ClockMarkets(options.markets, options)
  }

  get chain(): ChainState {
    return this.known
  }

  /** Every row written lies below this offset of the topic slots. */
  get slotsOffset(): number {
    return this.rowsEnd
  }

  /** The place reached; undefined before the first block. */
  get place(): Cursor | undefined {
    return this.cursor
  }

  async restore(): Promise<void> {
    const { topics, reorgDepthMax, observer } = this.options
    const { seals } = topics.epochTicks
    // every older holder has been fenced, so that what this one seals comes behind all of theirs
    this.sealer = seals && new Sealer(seals, (await this.log.ends([this.ticksAt]))[0]!)
    const options = { group: groupOf(this.options), topics, reorgDepthMax, observer }
    const place = await readPlace(options, this.reading, this)
    const { ids, begins, cursor, chain, rowsEnd, ticksEnd, requestsNext, marketRequestsNext } = place
    this.kept = { ids, begins }
    this.cursor = cursor
    this.known = chain
    ;[this.rowsEnd, this.ticksEnd] = [rowsEnd, ticksEnd]
    ;[this.requestsNext, this.marketRequestsNext] = [requestsNext, marketRequestsNext]
    // Rows are written before the ticks of their blocks. When only the rows got through, those blocks may leave the chain
    // unseen, so the rows are taken back. Without any tick, the rows alone tell how far the count of forks is.
    const newest = this.known.heads.at(-1)
    if (newest) await this.writeSlots(this.slots.goOnFrom(newest.number, this.known.forks))
    else this.known = { ...this.known, forks: this.slots.forks }
  }

  async writeSlots(rows: readonly SlotOwner[]): Promise<void> {
    const { slots } = this.options.topics
    for (const chunk of chunksOf(rows, RECORDS_PER_BURST)) {
      const records = chunk.map((row) => record(slots, { slotId: row.slotId }, row, this.clock.now()))
      this.rowsEnd = (await this.commit(records)) + chunk.length
    }
  }

  /** Says that the blocks from this one on left the chain. @param past the chain as far back as that block is known */
  async writeOrphan(orphaned: Head, past: ChainState): Promise<void> {
    this.known = { ...past, forks: this.known.forks }
    await this.writeSlots(this.slots.orphan(orphaned.number))
    const tick = orphanTick(orphaned, this.slotsOffset, this.slots.forks)
    await this.writeTicks([tick], cursorBefore(this.cursor!, orphaned.number))
  }

  /** Appends ticks that follow the newest head, with the cursor behind them, and what they say of markets. */
  async writeTicks(ticks: readonly EpochTick[], read: CursorReadings, news?: MarketNews): Promise<void> {
    const { reorgDepthMax } = this.options
    const { heads, forks } = fold(this.known, ticks, 0)
    const { number: block, hash, parentHash, timestamp } = heads.at(-1)!
    const cursor: Cursor = { block, hash, parentHash, timestamp, forks, ...read, ...this.kept }
    const next = this.known.heads[0]?.offset ?? this.ticksEnd
    const slotsRead = { ...this.slotsAt, next: this.rowsEnd } // for its copy of the cursor
    const positions = [{ ...this.ticksAt, next }, { ...this.requestsAt, next: this.requestsNext }, slotsRead]
    const base = await this.commit(
      [...this.tickRecords(ticks), ...(news ? this.marketRecords(news) : [])],
      withCursor(cursor, ...positions, ...(news ? [this.decidedUpTo()] : [])),
    )
    if (news) this.markets.written(news)
    this.known = forgetOldHeads(fold(this.known, ticks, base), reorgDepthMax)
    this.cursor = cursor
    this.ticksEnd = base + ticks.length
  }

  /** The chain as far as the ticks in the log tell, and as far as their readers can take it back. */
  async past(headsMax: number): Promise<ChainPast> {
    const { topics, reorgDepthMax } = this.options
    const past = await pastIn(this.reading, topics.epochTicks, { headsMax, beginAnewMax: reorgDepthMax })
    return { ...past, genesis: this.cursor?.genesis ?? '' }
  }

  /** Lets `markets` decide on requests that have come. Refusals are answered now, the rest with the next block. */
  async takeMarketRequests(check: CheckMarket): Promise<void> {
    const { marketRequests } = this.options.topics
    const [got] = await this.log.fetch([{ ...this.marketRequestsAt, offset: this.marketRequestsNext }], {
      maxWaitMs: 0,
      maxBytesPerPartition: FETCH_BYTES,
    })
    const read = readRecords(marketRequests, PARTITION, got!.records, this.reading.tell)
    const asked = [...read].flatMap(({ key, value }) => (value ? [{ ...key, ...value }] : []))
    if (asked.length > 0) await this.markets.decide(asked, check)
    this.marketRequestsNext = got!.outOfRange ? got!.start : got!.next // not past damage: nobody asks again
    if (!this.markets.hasOnlyRefusals) return
    const news = { ...this.markets.news(NO_BLOCK, NO_BLOCK, []), changes: [] }
    await this.commit(this.marketRecords(news), withCursor(this.cursor, this.decidedUpTo()))
    this.markets.written(news)
  }

  /** Requests that have not been answered, in order; undefined when there is none. */
  async requests(): Promise<TickRequests | undefined> {
    const position = { ...this.requestsAt, offset: this.requestsNext }
    const [got] = await this.log.fetch([position], { maxWaitMs: 0, maxBytesPerPartition: FETCH_BYTES })
    const read = readRecords(this.options.topics.tickRequests, PARTITION, got!.records, this.reading.tell)
    const asked = [...read].map(({ offset, value }) => ({ offset, request: value! }))
    if (asked.length > 0) return { asked, next: got!.next }
    // None of them is a request: nothing is answered. A damaged record is passed over: lost requests are made again.
    this.requestsNext = positionBehind(got!, this.reading.tell)
    return undefined
  }

  /** Sends the ticks of the canonical blocks asked for again, as they lie in the log: of the first requests, as many as one answer has. */
  async resend(requests: TickRequests): Promise<void> {
    const { blocks, told, next } = planAnswer(requests, this.known.heads.at(-1)?.number)
    const { observer, topics } = this.options
    const isAsked = (block: number): boolean => blocks.has(block)
    const ticks = blocks.size > 0 ? await canonicalTicks(this.reading, topics.epochTicks, isAsked) : []
    for (const chunk of chunksOf(ticks, RECORDS_PER_BURST)) {
      this.ticksEnd = (await this.commit(this.tickRecords(chunk))) + chunk.length
      observer?.resent?.(chunk.length)
    }
    await this.commit([], withCursor(this.cursor, { ...this.requestsAt, next }))
    this.requestsNext = next
    for (const { request, leftOut } of told) observer?.ticksAsked?.(request, leftOut)
  }

  close(): Promise<void> {
    return this.writer.close()
  }

  /** @returns the offset of the first record */
  private async commit(records: readonly OutgoingRecord[], commits: readonly OffsetCommit[] = []): Promise<number> {
    const group = groupOf(this.options)
    const outcome = await this.writer.commit({ records, ...(commits.length > 0 && { offsets: { group, commits } }) })
    if (outcome.outcome === 'committed') {
      const [first] = records
      return first ? outcome.baseOffsets.get(`${first.topic}/${first.partition}`)! : 0
    }
    if (outcome.outcome === 'fenced') {
      throw new EvmError('FENCED', `another ${group} has taken over; this one stops`, { cause: outcome.cause })
    }
    const why = outcome.cause instanceof Error ? `: ${outcome.cause.message}` : ''
    throw new SessionLost(`a commit of ${group} was ${outcome.outcome}${why}`, { cause: outcome.cause })
  }

  private decidedUpTo(): TopicPartition & Pick<OffsetCommit, 'next'> {
    return { ...this.marketRequestsAt, next: this.marketRequestsNext }
  }

  private marketRecords({ rows }: MarketNews): OutgoingRecord[] {
    const { markets } = this.options.topics
    return [...rows].map(([dataMarket, row]) => record(markets, { dataMarket }, row, this.clock.now()))
  }

  private tickRecords(ticks: readonly EpochTick[]): OutgoingRecord[] {
    const { epochTicks } = this.options.topics
    return ticks.map((tick) => record(epochTicks, { dataMarket: tick.dataMarket }, tick, this.clock.now(), this.sealer))
  }
}

const fold = (chain: ChainState, ticks: readonly EpochTick[], base: number): ChainState =>
  ticks.reduce((state, tick, i) => applyTick(state, tick, base + i), chain)
