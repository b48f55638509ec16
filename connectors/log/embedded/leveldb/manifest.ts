import { readBlockLog } from './block-log.ts'
import { VarintReader } from './varint.ts'

/** The content of a MANIFEST (db/version_edit.cc). */
export interface Manifest {
  /** Bytes of each table by the number of its file. */
  readonly tables: ReadonlyMap<number, number>
  /** Number of the oldest `.log` whose writes are in no table. */
  readonly logNumber: number
  /** Number of a `.log` that was being emptied; 0 when there is none. */
  readonly previousLogNumber: number
}

const TAG = {
  comparator: 1,
  log: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deleted: 6,
  added: 7,
  previousLog: 9,
}

/** @throws RangeError that says what is wrong; a last record that was not written to its end is left out */
export function readManifest(file: Buffer): Manifest {
  const tables = new Map<number, number>()
  const numbers = { logNumber: 0, previousLogNumber: 0, nextFile: 0 }
  for (const item of readBlockLog(file)) {
    if ('record' in item) applyEdit(new VarintReader(item.record), tables, numbers)
    else if (!isTorn(file, item)) throw new RangeError(`${item.fault} at byte ${item.at}`)
  }
  if (numbers.nextFile === 0) throw new RangeError('it has no beginning')
  return { tables, logNumber: numbers.logNumber, previousLogNumber: numbers.previousLogNumber }
}

/** A crash leaves a record without its end, or the place for one. */
function isTorn(file: Buffer, { at, fault, atEnd }: { at: number; fault: string; atEnd: boolean }): boolean {
  return atEnd && (!fault.startsWith('a checksum') || file.subarray(at).every((byte) => byte === 0))
}

function applyEdit(
  edit: VarintReader,
  tables: Map<number, number>,
  numbers: { logNumber: number; previousLogNumber: number; nextFile: number },
): void {
  while (!edit.isDone) {
    const tag = edit.varint()
    if (tag === TAG.comparator) edit.string()
    else if (tag === TAG.log) numbers.logNumber = edit.varint()
    else if (tag === TAG.previousLog) numbers.previousLogNumber = edit.varint()
    else if (tag === TAG.nextFile) numbers.nextFile = edit.varint()
    else if (tag === TAG.lastSequence) edit.varint()
    else if (tag === TAG.compactPointer) {
      edit.varint()
      edit.string()
    } else if (tag === TAG.deleted) {
      edit.varint()
      tables.delete(edit.varint())
    } else if (tag === TAG.added) {
      edit.varint()
      tables.set(edit.varint(), edit.varint())
      edit.string()
      edit.string()
    } else throw new RangeError(`it has an entry of no known kind, ${tag}`)
  }
}
