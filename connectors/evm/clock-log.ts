/** The clock's side of the log: what it knows is read from there, and each step is one transaction. */
import type { EpochTick, MarketKey, SlotKey, SlotOwner, TickRequest } from '../../schemas/types.ts'
import type { KafkaTopic } from '../../streams/kafka-topic.ts'
import type { Clock, Log, LogRecord, OffsetCommit, OutgoingRecord, TopicConfig } from '../../streams/ports.ts'
import { applyTick, type ChainState, EMPTY_CHAIN, forgetOldHeads } from './chain-state.ts'
import { EvmError } from './errors.ts'
import { SlotTable } from './slot-table.ts'

export interface ClockTopics {
  readonly epochTicks: KafkaTopic<MarketKey, EpochTick>
  readonly tickRequests: KafkaTopic<MarketKey, TickRequest>
  readonly slots: KafkaTopic<SlotKey, SlotOwner>
}

/** All three topics have one partition. */
const PARTITION = 0
const FETCH_BYTES = 4 * 1024 * 1024
const FORGET_EVERY = 256
/** Rows or ticks of one transaction. */
const RECORDS_PER_BURST = 1_000

/** Blocks that one request gets; who needs more asks again. */
const REQUEST_BLOCKS_MAX = 10_000

/** The place reached, kept beside the committed offset of epoch-ticks. */
interface Cursor {
  readonly block: number
  readonly hash: string
  readonly parentHash: string
  readonly timestamp: number
  /** Block of the newest full reading of the slots. */
  readonly slotsReadAt: number
}

/** The answer to a commit was lost, or it was refused: what is in the log must be read again before going on. */
export class SessionLost extends Error {}

export interface ClockSession {
  readonly chain: ChainState
  readonly slots: SlotTable
  /** Every row written lies below this offset of the topic slots. */
  readonly slotsOffset: number
  /** Block of the newest full reading of the slots; undefined before the first. */
  readonly slotsReadAt: number | undefined
  writeSlots(rows: readonly SlotOwner[]): Promise<void>
  /** Appends ticks that follow the newest head, with the cursor behind them. */
  writeTicks(ticks: readonly EpochTick[], slotsReadAt: number): Promise<void>
  /** Requests that have not been answered, in order; undefined when there is none. */
  requests(): Promise<TickRequests | undefined>
  /** Sends the ticks of the canonical blocks asked for again, as they lie in the log. */
  resend(requests: TickRequests): Promise<void>
  close(): Promise<void>
}

export interface TickRequests {
  readonly ranges: readonly TickRequest[]
  /** Offset behind them. */
  readonly next: number
}

export interface SessionOptions {
  readonly appId: string
  readonly topics: ClockTopics
  readonly reorgDepthMax: number
}

/** Takes the role over from whoever had it, then reads how far it got. Rejects with LogError. */
export async function openSession(options: SessionOptions, ports: { log: Log; clock: Clock }): Promise<ClockSession> {
  const { topics, reorgDepthMax } = options
  const { log, clock } = ports
  const group = `${options.appId}-clock`
  await log.createTopics([topics.epochTicks, topics.tickRequests, topics.slots].map(configOf))
  const writer = await log.transactionalWriter(group)
  const ticksAt = { topic: topics.epochTicks.name, partition: PARTITION }
  const requestsAt = { topic: topics.tickRequests.name, partition: PARTITION }

  const slots = new SlotTable()
  let slotsOffset = await readAll(log, topics.slots.name, 0, ({ value }) => {
    if (value) slots.load(topics.slots.value.decode(value))
  })
  const [committed, answered] = await log.committedOffsets(group, [ticksAt, requestsAt])
  let cursor = cursorIn(committed?.metadata)
  let requestsNext = answered?.next ?? 0
  let chain = EMPTY_CHAIN
  // Without a cursor (someone reset the offset) the whole topic is read: what has ticks is gone on from.
  let ticksEnd = await readAll(log, ticksAt.topic, cursor ? committed!.next : 0, ({ offset, value }) => {
    chain = applyTick(chain, topics.epochTicks.value.decode(value!), offset)
    if (offset % FORGET_EVERY === 0) chain = forgetOldHeads(chain, reorgDepthMax)
  })
  chain = startFrom(cursor, forgetOldHeads(chain, reorgDepthMax))

  const commit = async (records: readonly OutgoingRecord[], commits: readonly OffsetCommit[] = []): Promise<number> => {
    const outcome = await writer.commit({ records, ...(commits.length > 0 && { offsets: { group, commits } }) })
    if (outcome.outcome === 'committed') {
      const [first] = records
      return first ? outcome.baseOffsets.get(`${first.topic}/${first.partition}`)! : 0
    }
    if (outcome.outcome === 'fenced') {
      throw new EvmError('FENCED', `another ${group} has taken over; this one stops`, { cause: outcome.cause })
    }
    throw new SessionLost(`a commit of ${group} was ${outcome.outcome}`, { cause: outcome.cause })
  }
  const tickRecord = (tick: EpochTick): OutgoingRecord =>
    record(topics.epochTicks, { dataMarket: tick.dataMarket }, tick, clock.now())

  const writeSlots = async (rows: readonly SlotOwner[]): Promise<void> => {
    for (const chunk of chunksOf(rows, RECORDS_PER_BURST)) {
      const records = chunk.map((row) => record(topics.slots, { slotId: row.slotId }, row, clock.now()))
      slotsOffset = (await commit(records)) + chunk.length
    }
  }

  const writeTicks = async (ticks: readonly EpochTick[], slotsReadAt: number): Promise<void> => {
    const after = forgetOldHeads(fold(chain, ticks, 0), reorgDepthMax)
    const { number: block, hash, parentHash, timestamp } = after.heads.at(-1)!
    const next: Cursor = { block, hash, parentHash, timestamp, slotsReadAt }
    const needed = chain.heads[0]?.offset ?? ticksEnd
    const base = await commit(ticks.map(tickRecord), [{ ...ticksAt, next: needed, metadata: JSON.stringify(next) }])
    chain = forgetOldHeads(fold(chain, ticks, base), reorgDepthMax)
    cursor = next
    ticksEnd = base + ticks.length
  }

  const requests = async (): Promise<TickRequests | undefined> => {
    const position = { ...requestsAt, offset: requestsNext }
    const [got] = await log.fetch([position], { maxWaitMs: 0, maxBytesPerPartition: FETCH_BYTES })
    if (got!.outOfRange) requestsNext = got!.start
    if (got!.records.length === 0) return undefined
    return { ranges: got!.records.map(({ value }) => topics.tickRequests.value.decode(value!)), next: got!.next }
  }

  const resend = async ({ ranges, next }: TickRequests): Promise<void> => {
    const asked = (block: number): boolean =>
      ranges.some(
        ({ fromBlock: from, toBlock: to }) => from <= block && block <= to && block < from + REQUEST_BLOCKS_MAX,
      )
    const ticks = await canonicalTicks(log, topics, asked)
    for (const chunk of chunksOf(ticks, RECORDS_PER_BURST))
      ticksEnd = (await commit(chunk.map(tickRecord))) + chunk.length
    await commit([], [{ ...requestsAt, next, metadata: '' }])
    requestsNext = next
  }

  const session: ClockSession = {
    get chain() {
      return chain
    },
    slots,
    get slotsOffset() {
      return slotsOffset
    },
    get slotsReadAt() {
      return cursor?.slotsReadAt
    },
    writeSlots,
    writeTicks,
    requests,
    resend,
    close: () => writer.close(),
  }
  await dropUncommitted(session)
  return session
}

/** Rows are written before the ticks of their blocks. When only the rows got through, a reorg may follow unseen: they go. */
async function dropUncommitted({ chain, slots, writeSlots }: ClockSession): Promise<void> {
  const newest = chain.heads.at(-1)
  if (newest) await writeSlots(slots.orphan(newest.number + 1))
}

function cursorIn(metadata: string | undefined): Cursor | undefined {
  try {
    return metadata ? (JSON.parse(metadata) as Cursor) : undefined
  } catch {
    return undefined
  }
}

/** The ticks must end where the cursor says. After a pause longer than their retention there are none, and the cursor goes on. */
function startFrom(cursor: Cursor | undefined, chain: ChainState): ChainState {
  const newest = chain.heads.at(-1)
  if (!cursor || (newest?.number === cursor.block && newest.hash === cursor.hash)) return chain
  if (newest) {
    throw new Error(
      `the ticks end at block ${newest.number} ${newest.hash}, the cursor at ${cursor.block} ${cursor.hash}`,
    )
  }
  const { block: number, hash, parentHash, timestamp } = cursor
  return { heads: [{ number, hash, parentHash, timestamp, offset: 0 }], open: [] }
}

const configOf = ({ name, partitions, cleanup, retentionMs }: TopicConfig): TopicConfig => ({
  name,
  partitions,
  cleanup,
  ...(retentionMs !== undefined && { retentionMs }),
})

const fold = (chain: ChainState, ticks: readonly EpochTick[], base: number): ChainState =>
  ticks.reduce((state, tick, i) => applyTick(state, tick, base + i), chain)

/** The ticks of the blocks asked for, of the chain as it ended, once each and in chain order. */
async function canonicalTicks(log: Log, topics: ClockTopics, asked: (block: number) => boolean): Promise<EpochTick[]> {
  const byBlock = new Map<number, Map<string, EpochTick>>()
  await readAll(log, topics.epochTicks.name, 0, ({ value }) => {
    const tick = topics.epochTicks.value.decode(value!)
    if (tick.kind === 'ORPHAN') {
      for (const block of [...byBlock.keys()]) if (block >= tick.blockNumber) byBlock.delete(block)
      return
    }
    if (!asked(tick.blockNumber)) return
    const ofBlock = byBlock.get(tick.blockNumber) ?? new Map<string, EpochTick>()
    byBlock.set(tick.blockNumber, ofBlock)
    const id = `${tick.kind}/${tick.dataMarket}/${tick.epochId}`
    if (!ofBlock.has(id)) ofBlock.set(id, tick)
  })
  return [...byBlock.entries()].toSorted(([a], [b]) => a - b).flatMap(([, ticks]) => [...ticks.values()])
}

/** Reads a topic from an offset to its end as of now; answers the end. */
async function readAll(log: Log, topic: string, from: number, take: (record: LogRecord) => void): Promise<number> {
  const at = { topic, partition: PARTITION }
  const [bounds] = await log.bounds([at])
  let offset = Math.max(from, bounds!.start)
  while (offset < bounds!.stable) {
    const [got] = await log.fetch([{ ...at, offset }], { maxWaitMs: 0, maxBytesPerPartition: FETCH_BYTES })
    for (const record of got!.records) take(record)
    offset = got!.outOfRange ? Math.max(offset, got!.start) : got!.next
  }
  return offset
}

const record = <K, V>({ name, key, value }: KafkaTopic<K, V>, k: K, v: V, timestamp: number): OutgoingRecord => ({
  topic: name,
  partition: PARTITION,
  timestamp,
  key: key.encode(k),
  value: value.encode(v),
})

function* chunksOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}
