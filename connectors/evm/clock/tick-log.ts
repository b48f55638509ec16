/** Reads the clock's topics, which have one partition each. */
import type {
  EpochTick,
  MarketKey,
  MarketRequest,
  ServedMarket,
  SlotKey,
  SlotOwner,
  TickRequest,
} from '../../../schemas/types.ts'
import type { KafkaTopic, RecordTopic } from '../../../streams/kafka-topic.ts'
import type { Log, OutgoingRecord } from '../../../streams/ports.ts'
import { readPieces } from '../../../streams/read-range.ts'
import { type OnUnreadable, type ReadingOptions, type ReadRecord, readRecords } from '../../../streams/read-record.ts'
import { SealGuard } from '../../../streams/seal-guard.ts'
import type { Sealer } from '../../../streams/seals.ts'

export interface ClockTopics {
  readonly epochTicks: KafkaTopic<MarketKey, EpochTick>
  readonly tickRequests: KafkaTopic<MarketKey, TickRequest>
  readonly slots: KafkaTopic<SlotKey, SlotOwner>
  readonly marketRequests: KafkaTopic<MarketKey, MarketRequest>
  readonly markets: KafkaTopic<MarketKey, ServedMarket>
}

export const PARTITION = 0
export const FETCH_BYTES = 4 * 1024 * 1024

/** The place of the topics, and the listener for records that are none of theirs. */
export interface TopicReading {
  readonly log: Log
  readonly tell: OnUnreadable
}

/** The ticks of the blocks asked for, of the chain as it ended, once each and in chain order. */
export async function canonicalTicks(
  reading: TopicReading,
  ticks: KafkaTopic<MarketKey, EpochTick>,
  asked: (block: number) => boolean,
): Promise<EpochTick[]> {
  const byBlock = new Map<number, Map<string, EpochTick>>()
  const take = ({ value }: ReadRecord<MarketKey, EpochTick>): void => {
    const tick = value!
    if (tick.kind === 'ORPHAN') {
      for (const block of [...byBlock.keys()]) if (block >= tick.blockNumber) byBlock.delete(block)
      return
    }
    const ofBlock = byBlock.get(tick.blockNumber) ?? new Map<string, EpochTick>()
    byBlock.set(tick.blockNumber, ofBlock)
    const id = `${tick.kind}/${tick.dataMarket}/${tick.epochId}`
    if (!ofBlock.has(id)) ofBlock.set(id, tick)
  }
  const wanted = (tick: EpochTick | null): boolean =>
    tick?.kind === 'ORPHAN' || (tick !== null && asked(tick.blockNumber))
  await readAll(reading, ticks, 0, take, { wanted })
  return [...byBlock.entries()].toSorted(([a], [b]) => a - b).flatMap(([, ticks]) => [...ticks.values()])
}

export interface HowToRead<V> extends Pick<ReadingOptions<V>, 'wanted'> {
  /** Told of what is damaged, which is passed over then. */
  readonly damaged?: OnUnreadable
}

/**
 * Reads a topic from an offset to its end as of now; answers the end. Null values come from compacted topics only. Sealed records
 * count once: a copy behind them is left out.
 * @throws LogError, also when the log gets no further before that end
 */
export async function readAll<K, V>(
  { log, tell }: TopicReading,
  topic: RecordTopic<K, V>,
  from: number,
  take: (record: ReadRecord<K, V>) => void,
  { wanted = () => true, damaged }: HowToRead<V> = {},
): Promise<number> {
  const at = { topic: topic.name, partition: PARTITION }
  const [bounds] = await log.bounds([at])
  const position = { ...at, offset: Math.max(from, bounds!.start) }
  const guard = topic.seals && new SealGuard(topic.name, PARTITION, topic.seals)
  const options: ReadingOptions<V> = { guard, wanted }
  const pieces = readPieces({ log, ...(damaged && { tell: damaged }) }, position, bounds!.stable, {
    pieceBytes: FETCH_BYTES,
    passesDeleted: true,
  })
  for (;;) {
    const { done, value } = await pieces.next()
    if (done) return value
    for (const record of readRecords(topic, PARTITION, value, tell, options)) take(record)
  }
}

/** For partition 0, the only one of the clock's topics. */
export function record<K, V>(
  { name: topic, key, value }: RecordTopic<K, V>,
  k: K,
  v: V,
  timestamp: number,
  sealer?: Sealer,
): OutgoingRecord {
  const made = { topic, partition: PARTITION, timestamp, key: key.encode(k), value: value.encode(v) }
  return sealer ? sealer.seal(made) : made
}

export function* chunksOf<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size)
}
