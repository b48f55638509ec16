import type { LevelOperation } from './level-operation.ts'

/** The change that a list of operations makes to the sum, until it is known whether they were written. */
export interface SumChange {
  readonly sum: number
  readonly hashes: ReadonlyMap<string, number>
}

/**
 * The sum of what stands in the rows of topics, bounds and offsets, as every write leaves it. A write that is missing below
 * later ones leaves an older row somewhere, and so another sum. In 32 bits, one damage in 4 * 10^9 would go unseen.
 */
export class MetaSum {
  private readonly hashes = new Map<string, number>()
  private total = 0

  get sum(): number {
    return this.total
  }

  /** Takes in a row as it lies in the log. */
  add(key: Buffer, value: Buffer): void {
    this.accept(this.after([{ type: 'put', key, value }]))
  }

  /** The sum after these are written; rows of other kinds do not count. */
  after(operations: readonly LevelOperation[]): SumChange {
    const hashes = new Map<string, number>()
    let sum = this.total
    for (const operation of operations) {
      if (operation.type === 'del' || !isSummed(operation.key)) continue
      const name = operation.key.toString('latin1')
      const hash = hashOf(operation.value)
      sum = (sum - (hashes.get(name) ?? this.hashes.get(name) ?? 0) + hash) >>> 0
      hashes.set(name, hash)
    }
    return { sum, hashes }
  }

  accept({ sum, hashes }: SumChange): void {
    this.total = sum
    for (const [name, hash] of hashes) this.hashes.set(name, hash)
  }
}

const SUMMED = new Set(['t', 'b', 'o'].map((kind) => kind.charCodeAt(0)))
const isSummed = (key: Buffer): boolean => SUMMED.has(key[0]!)

/**
 * From the CRC that the row ends with (the CRC of a row with its own CRC would be the same for all). CRCs alone would not
 * do: equal changes in two rows change them by the same bits. So the bits are mixed (MurmurHash3).
 */
function hashOf(value: Buffer): number {
  let hash = value.readUInt32LE(value.length - 4)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
