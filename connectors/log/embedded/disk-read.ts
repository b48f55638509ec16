import { type FetchedPartition, LogError, type LogRecord } from '../../../streams/ports.ts'
import { type PartitionLog, sizeOf } from '../core/partition.ts'
import type { Catalog } from './catalog.ts'
import type { LevelStore } from './level-store.ts'
import { rowRange } from './meta-rows.ts'
import { coversFrom, lastOffsetOf, unpackRow } from './rows.ts'

/**
 * Answers one position from LevelDB: for readers behind the tail that is kept in memory.
 * @throws LogError `CORRUPT` where a row is damaged, or one is missing between two others
 */
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
  let covered = from
  const range = rowRange(catalog.idOf(topic), index, from, Number.MAX_SAFE_INTEGER)
  for await (const [key, value] of store.entries(range, sizeBytesMax)) {
    const row = unpackAt(partition, key, value, from)
    const begins = coversFrom(value) ?? covered
    if (begins > covered) checkGap(partition, covered, begins)
    covered = lastOffsetOf(key) + 1
    const taken = takeRow(records, row, { size, sizeBytesMax, stable })
    size = taken.size
    if (taken.cut === undefined && size < sizeBytesMax) continue
    next = Math.min(stable, taken.cut ?? lastOffsetOf(key) + 1)
    return { topic, partition: index, records, next, stable, start, outOfRange: false }
  }
  if (covered < stable) checkGap(partition, covered, stable)
  return { topic, partition: index, records, next, stable, start, outOfRange: false }
}

function unpackAt({ topic, index }: PartitionLog, key: Buffer, value: Buffer, from: number): LogRecord[] {
  try {
    return unpackRow(key, value, from)
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    throw new LogError(error.code, `${topic}[${index}], row up to offset ${lastOffsetOf(key)}: ${error.message}`)
  }
}

/** Rows below the start of a partition may be gone: it may have moved since the read began. */
function checkGap({ topic, index, start }: PartitionLog, from: number, to: number): void {
  if (to <= start) return
  const message = `records of ${topic}[${index}] are missing: offsets ${Math.max(from, start)} to ${to - 1}`
  throw new LogError('CORRUPT', message)
}

/** Adds a row's records up to the bounds. @returns the offset of the first record left out, if one was */
function takeRow(
  records: LogRecord[],
  row: readonly LogRecord[],
  { size: before, sizeBytesMax, stable }: { size: number; sizeBytesMax: number; stable: number },
): { size: number; cut: number | undefined } {
  let size = before
  for (const record of row) {
    size += sizeOf(record)
    if (record.offset >= stable || (size > sizeBytesMax && records.length > 0)) return { size, cut: record.offset }
    records.push(record)
  }
  return { size, cut: undefined }
}
