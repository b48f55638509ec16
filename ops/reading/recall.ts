/** The newest records of some partitions, so that who follows them from the end knows what is under way. */
import type { LogRecord, TopicPartition } from '../../streams/ports.ts'
import { type RangePorts, readRange } from '../../streams/read-range.ts'
import { isTimestamp } from '../../streams/read-record.ts'

export interface Recalled {
  readonly records: readonly (readonly [at: TopicPartition, record: LogRecord])[]
  /** From when on, ms, all records of all the partitions are here. */
  readonly completeFrom: number
}

/** @param end end of each partition, in the same order; at most `most` records before it are read */
export async function recall(
  ports: RangePorts,
  partitions: readonly TopicPartition[],
  bounds: readonly { readonly start: number; readonly stable: number }[],
  most: number,
): Promise<Recalled> {
  const records: [TopicPartition, LogRecord][] = []
  let completeFrom = 0
  for (const [at, partition] of partitions.entries()) {
    const { start, stable } = bounds[at]!
    const from = Math.max(start, stable - most)
    let first: LogRecord | undefined
    await readRange(ports, { ...partition, offset: from }, stable, (record) => {
      if (isTimestamp(record.timestamp)) first ??= record
      records.push([partition, record])
    })
    if (from > start && first) completeFrom = Math.max(completeFrom, first.timestamp)
  }
  return { records, completeFrom }
}
