/** Which epochs of a day were counted, as the row of the day tells it. */
import type { EpochRange } from '../../../../schemas/types.ts'

/** With more of them the two lowest become one, with what lies between. */
const RANGES_MAX = 64

export class EpochRanges {
  /** Ascending, with a gap between each two. */
  private ranges: EpochRange[] = []
  /** Ranges were merged since there were too many. */
  merged = false

  add(first: number, last: number): void {
    const touches = (range: EpochRange) => range.first <= last + 1 && first <= range.last + 1
    const joined = this.ranges.filter(touches)
    const ends = [...joined.flatMap((range) => [range.first, range.last]), first, last].sort((a, b) => a - b)
    const range = { first: ends[0]!, last: ends.at(-1)! }
    this.ranges = [...this.ranges.filter((other) => !touches(other)), range].sort((a, b) => a.first - b.first)
    if (this.ranges.length <= RANGES_MAX) return
    this.merged = true
    const [lowest, next, ...rest] = this.ranges as [EpochRange, EpochRange, ...EpochRange[]]
    this.ranges = [{ first: lowest.first, last: next.last }, ...rest]
  }

  has(epochId: number): boolean {
    return this.ranges.some(({ first, last }) => epochId >= first && epochId <= last)
  }

  endsWith(epochId: number): boolean {
    return this.ranges.some(({ last }) => last === epochId)
  }

  get first(): number {
    return this.ranges[0]!.first
  }

  /** All that lies between the first and the last was counted. */
  get isGapless(): boolean {
    return !this.merged && this.ranges.length === 1
  }

  toString(): string {
    return textOf(this.ranges)
  }
}

export const textOf = (ranges: readonly EpochRange[]): string =>
  ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(', ')
