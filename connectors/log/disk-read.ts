import type { FetchedPartition, LogRecord } from '../../streams/ports.ts'
import type { Catalog } from './catalog.ts'
import type { LevelStore } from './level-store.ts'
import { rowRange } from './meta-rows.ts'
import { type PartitionLog, sizeOf } from './partition.ts'
import { lastOffsetOf, unpackRow } from './rows.ts'

/** Answers one position from LevelDB: for readers behind the tail that is kept in memory. */
export async function readFromDisk(
  store: LevelStore,
  catalog: Catalog,
  partition: PartitionLog,
  from: number,
  sizeBytesMax: number,
): Promise<FetchedPartition> {
  const { topic, index, stable, start } = partition
  const records: LogRecord[] = []
  let next = stable
  let size = 0
  const range = rowRange(catalog.idOf(topic), index, from, Number.MAX_SAFE_INTEGER)
  for await (const [key, value] of store.entries(range, sizeBytesMax)) {
    const taken = takeRow(records, unpackRow(value, from), size, sizeBytesMax, stable)
    size = taken.size
    if (taken.cut === undefined && size < sizeBytesMax) continue
    next = Math.min(stable, taken.cut ?? lastOffsetOf(key) + 1)
    break
  }
  return { topic, partition: index, records, next, stable, start, outOfRange: false }
}

/** Adds a row's records up to the bounds. @returns the offset of the first record left out, if one was */
function takeRow(
  records: LogRecord[],
  row: readonly LogRecord[],
  before: number,
  sizeBytesMax: number,
  stable: number,
): { size: number; cut: number | undefined } {
  let size = before
  for (const record of row) {
    size += sizeOf(record)
    if (record.offset >= stable || (size > sizeBytesMax && records.length > 0)) return { size, cut: record.offset }
    records.push(record)
  }
  return { size, cut: undefined }
}
