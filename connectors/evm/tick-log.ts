/** Reads the clock's topics, which have one partition each. */
import type { EpochTick, MarketKey } from '../../schemas/types.ts'
import type { KafkaTopic } from '../../streams/kafka-topic.ts'
import type { Log, LogRecord } from '../../streams/ports.ts'

export const PARTITION = 0
export const FETCH_BYTES = 4 * 1024 * 1024

/** The ticks of the blocks asked for, of the chain as it ended, once each and in chain order. */
export async function canonicalTicks(
  log: Log,
  ticks: KafkaTopic<MarketKey, EpochTick>,
  asked: (block: number) => boolean,
): Promise<EpochTick[]> {
  const byBlock = new Map<number, Map<string, EpochTick>>()
  await readAll(log, ticks.name, 0, ({ value }) => {
    const tick = ticks.value.decode(value!)
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
export async function readAll(
  log: Log,
  topic: string,
  from: number,
  take: (record: LogRecord) => void,
): Promise<number> {
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
