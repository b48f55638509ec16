/** Whether the `.log` files of a LevelDB directory hold every write that was acknowledged. */
import { readBlockLog } from './block-log.ts'
import { VarintReader } from './varint.ts'

/** Something that is wrong with a file of a LevelDB directory. */
export interface FileFault {
  readonly file: string
  readonly message: string
}

/** The caller's knowledge of the writes: how to read their numbers, and the last one that was acknowledged. */
export interface WriteNumbers {
  /** The number of a write, from what it puts under this key. */
  readonly key: Buffer
  readonly read: (value: Buffer) => number
  /** Undefined when it is not known. */
  readonly acknowledged: number | undefined
}

const BATCH_HEAD_BYTES = 12
const PUT = 1

/** The `.log` files in order. */
export class WriteLogs {
  private readonly numbers: WriteNumbers
  private readonly found: FileFault[] = []
  /** Writes that are whole and stand behind the first fault: what was being written at a crash has none behind it. */
  private behind = 0
  private last: number | undefined
  private lastBefore: number | undefined
  private file = ''

  constructor(numbers: WriteNumbers) {
    this.numbers = numbers
  }

  read(file: string, bytes: Buffer): void {
    this.file = file
    for (const item of readBlockLog(bytes)) {
      const fault = 'record' in item ? this.take(item.record) : item.fault
      if (fault !== undefined) this.fault({ file, message: `${fault} at byte ${item.at}` })
    }
  }

  faults(): FileFault[] {
    const { acknowledged } = this.numbers
    if (this.behind > 0) return this.found
    const last = this.found.length > 0 ? this.lastBefore : this.last
    if (acknowledged === undefined || last === undefined || last >= acknowledged) return []
    const message = `it ends with write ${last}, and write ${acknowledged} was acknowledged`
    return [...this.found, { file: this.file, message }]
  }

  private fault(fault: FileFault): void {
    if (this.found.length === 0) this.lastBefore = this.last
    this.found.push(fault)
  }

  /** @returns the fault of a record whose checksum is right */
  private take(batch: Buffer): string | undefined {
    if (this.found.length > 0) this.behind++
    if (batch.length < BATCH_HEAD_BYTES) return 'a write is too short'
    const reader = new VarintReader(batch)
    reader.at = BATCH_HEAD_BYTES
    try {
      while (!reader.isDone) {
        const isPut = reader.byte() === PUT
        const key = reader.string()
        if (!isPut) continue
        const value = reader.string()
        if (key.equals(this.numbers.key)) this.last = this.numbers.read(value)
      }
    } catch (error) {
      if (error instanceof RangeError) return 'a write cannot be read'
      throw error
    }
    return undefined
  }
}
