/** Reads topics from end to end, in bounded pieces. */
import type { Log, LogRecord, TopicPartition } from '../../streams/ports.ts'
import { readPieces } from '../../streams/read-range.ts'
import type { OnUnreadable } from '../../streams/read-record.ts'

const PIECE_BYTES = 1024 * 1024

/** Every partition of a topic. */
export const partitionsOf = ({ name: topic, partitions }: { name: string; partitions: number }): TopicPartition[] =>
  Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))

export interface ScanRange {
  /** First offset; the start of the log by default. */
  readonly from?: number
  /** Offset before which the scan ends; the last stable offset at the beginning of the scan by default. */
  readonly to?: number
  /** Told of what is damaged, which is passed over; without it the scan ends there with the failure. */
  readonly tell?: OnUnreadable
}

/**
 * The committed records of one partition in order, in pieces of about 1 MiB. Records that are written meanwhile are left out, and
 * records that are deleted meanwhile are passed over.
 * @throws LogError when the log gets no further before the end
 */
export async function* scan(
  log: Log,
  partition: TopicPartition,
  { from = 0, to = Number.POSITIVE_INFINITY, tell }: ScanRange = {},
): AsyncGenerator<readonly LogRecord[]> {
  const [bounds] = await log.bounds([partition])
  const position = { ...partition, offset: Math.max(from, bounds!.start) }
  const options = { pieceBytes: PIECE_BYTES, passesDeleted: true }
  yield* readPieces({ log, ...(tell && { tell }) }, position, Math.min(to, bounds!.stable), options)
}

/** Every record of a topic, one partition after another. */
export async function* scanTopic(
  log: Log,
  topic: { readonly name: string; readonly partitions: number },
  tell?: OnUnreadable,
): AsyncGenerator<{ readonly partition: number; readonly records: readonly LogRecord[] }> {
  for (let partition = 0; partition < topic.partitions; partition++)
    for await (const records of scan(log, { topic: topic.name, partition }, tell && { tell }))
      yield { partition, records }
}

/** The record at an offset; undefined when it is gone or no record. */
export async function readAt(log: Log, partition: TopicPartition, offset: number): Promise<LogRecord | undefined> {
  const [fetched] = await log.fetch([{ ...partition, offset }], { maxWaitMs: 0, maxBytesPerPartition: 1 })
  return fetched!.records.find((record) => record.offset === offset)
}
