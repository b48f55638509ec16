import type { Batch, EpochSummary, MarketKey } from '../../schemas/types.ts'
import type { KafkaTopic } from '../../streams/kafka-topic.ts'
import { type Log, LogError } from '../../streams/ports.ts'

/** Batches kept decoded: each is needed three times in a row (stored, dry-run, signed). */
const KEPT = 8

/** The log no longer has the batch. */
export class BatchGone extends Error {}

/** Reads batches by their offset. Rejects with BatchGone, or with LogError. */
export function createBatchReader(log: Log, topic: KafkaTopic<MarketKey, Batch | EpochSummary>) {
  const kept = new Map<number, Batch>()
  return async (offset: number, signal: AbortSignal): Promise<Batch> => {
    const found = kept.get(offset)
    if (found) return found
    const options = { maxWaitMs: 0, maxBytesPerPartition: 1, signal } // one record, whatever its size
    const [fetched] = await log.fetch([{ topic: topic.name, partition: 0, offset }], options)
    const { records, next, outOfRange } = fetched!
    if (next <= offset && !outOfRange)
      throw new LogError('OFFSET_NOT_AVAILABLE', `offset ${offset} of ${topic.name} is not to be had yet`, {
        retriable: true,
      })
    const record = records[0]
    const value = record?.offset === offset && record.value ? topic.value.decode(record.value) : undefined
    if (!value || !('json' in value))
      throw new BatchGone(`there is no batch at offset ${offset} of ${topic.name} any more`)
    kept.set(offset, value)
    for (const oldest of kept.keys()) if (kept.size > KEPT) kept.delete(oldest)
    return value
  }
}

export type BatchReader = ReturnType<typeof createBatchReader>
