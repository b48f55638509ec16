/** Reads batches by the offset of their first record. Rejects with BatchGone, or with LogError. */
import { createBatchJoiner, withBytes } from '../../../schemas/batch-joiner.ts'
import type { Batch, EpochSummary, MarketKey } from '../../../schemas/types.ts'
import type { KafkaTopic } from '../../../streams/kafka-topic.ts'
import { type Log, LogError, type LogRecord } from '../../../streams/ports.ts'
import { readPieces } from '../../../streams/read-range.ts'
import { readRecord } from '../../../streams/read-record.ts'

type BatchTopic = KafkaTopic<MarketKey, Batch | EpochSummary>
type Named = Pick<BatchTopic, 'name'>

/** Batches of which the first record is kept decoded: what calls are made of is needed twice in a row (dry-run, signed). */
const KEPT = 8

/** Bytes of one piece of the further records of a batch. */
const PIECE_BYTES = 1024 * 1024

/** The log does not have the batch or the payout, or not any more. */
export class BatchGone extends Error {}

export interface BatchReader {
  /** Everything but the bytes: the record has texts, or a piece of them. */
  summary(offset: number, signal: AbortSignal): Promise<Batch>
  /** In one piece. Not kept: it is needed once, when it is stored. */
  whole(offset: number, signal: AbortSignal): Promise<Batch>
}

export function createBatchReader(log: Log, topic: BatchTopic): BatchReader {
  const kept = new Map<number, Batch>()
  return {
    async summary(offset, signal) {
      const found = kept.get(offset)
      if (found) return found
      const { batch } = await readFirst(log, topic, offset, signal)
      return keep(kept, offset, batch, KEPT)
    },
    whole: (offset, signal) => readBatch(log, topic, offset, signal),
  }
}

/** Keeps the newest so many. @returns the value */
export function keep<T>(kept: Map<number, T>, offset: number, value: T, max: number): T {
  kept.set(offset, value)
  for (const oldest of kept.keys()) if (kept.size > max) kept.delete(oldest)
  return value
}

/** The whole batch whose first record lies at the offset, with its bytes. */
export async function readBatch(log: Log, topic: BatchTopic, offset: number, signal?: AbortSignal): Promise<Batch> {
  const { batch, dataMarket } = await readFirst(log, topic, offset, signal)
  const joiner = createBatchJoiner()
  const whole = joiner.take(dataMarket, batch)
  if (whole) return withBytes(whole)
  // They came into the log together, so they are there. Other tasks write to the partition at the same time.
  for await (const record of recordsBehind(log, topic, offset, signal)) {
    const part = readPart(topic, record)
    if (part?.dataMarket !== dataMarket) continue
    if (isBehind(part.event, batch)) throw gone(topic, offset)
    const joined = 'json' in part.event ? joiner.take(dataMarket, part.event) : undefined
    if (joined && joined.batchIndex === batch.batchIndex && joined.epochId === batch.epochId) return withBytes(joined)
  }
  throw notYet(topic, offset)
}

/** As many as there are, until the signal. */
export async function* recordsBehind(log: Log, topic: Named, offset: number, signal: AbortSignal | undefined) {
  const position = { topic: topic.name, partition: 0, offset: offset + 1 }
  const ports = { log, ...(signal && { signal }) }
  try {
    for await (const records of readPieces(ports, position, Number.POSITIVE_INFINITY, { pieceBytes: PIECE_BYTES }))
      yield* records
  } catch (error) {
    throw error instanceof LogError && error.code === 'OUT_OF_RANGE' ? gone(topic, offset) : error
  }
}

/** An epoch's batches lie in their order, and its summary behind them. */
const isBehind = (event: Batch | EpochSummary, { epochId, batchIndex }: Batch): boolean =>
  'json' in event ? event.epochId === epochId && event.batchIndex > batchIndex : event.summaryOf === epochId

async function readFirst(log: Log, topic: BatchTopic, offset: number, signal: AbortSignal | undefined) {
  const record = await recordAt(log, topic, offset, signal)
  const found = record?.offset === offset ? readPart(topic, record) : undefined
  if (!found || !('json' in found.event) || found.event.part > 0) throw gone(topic, offset)
  return { dataMarket: found.dataMarket, batch: found.event }
}

/** Undefined for a record that is none of the topic: the stage that reads all of it has told of it. */
function readPart(topic: BatchTopic, record: LogRecord) {
  const read = readRecord(topic, 0, record, () => {})
  return read && { dataMarket: read.key.dataMarket, event: read.value! }
}

/** Undefined when there is none, but later ones are. */
export async function recordAt(
  log: Log,
  topic: Named,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<LogRecord | undefined> {
  const options = { maxWaitMs: 0, maxBytesPerPartition: 1, ...(signal && { signal }) } // one record, whatever its size
  const [fetched] = await log.fetch([{ topic: topic.name, partition: 0, offset }], options)
  const { next, outOfRange, records } = fetched!
  if (outOfRange) throw new BatchGone(`there is no offset ${offset} in ${topic.name} any more`)
  if (next <= offset) throw notYet(topic, offset)
  return records[0]
}

export const notYet = ({ name }: Named, offset: number): LogError =>
  new LogError('OFFSET_NOT_AVAILABLE', `the part of the batch at offset ${offset} of ${name} is not to be had yet`, {
    retriable: true,
  })

const gone = ({ name }: Named, offset: number): BatchGone =>
  new BatchGone(`there is nothing whole at offset ${offset} of ${name} any more`)
