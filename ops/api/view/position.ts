/**
 * How much of the log a view reflects, as text: the sum of the next offsets of all partitions, which only grows, and the
 * offsets themselves, so that two views of one log can be compared exactly.
 */
export type Offsets = readonly number[]

/** @param offsets in the order of `viewPartitions` */
export function positionText(offsets: Offsets): string {
  const sum = offsets.reduce((total, offset) => total + offset, 0)
  return `${sum}.${offsets.map((offset) => offset.toString(36)).join('-')}`
}

/** Undefined when it is no position of a log with as many partitions. */
export function parsePosition(text: string, partitions: number): Offsets | undefined {
  const [, , given] = /^(\d{1,16})\.([0-9a-z-]+)$/.exec(text) ?? []
  const offsets = given?.split('-').map((offset) => Number.parseInt(offset, 36))
  return offsets?.length === partitions && offsets.every(Number.isSafeInteger) ? offsets : undefined
}

/** Everything that `one` reflects, `other` does too. */
export const isWithin = (one: Offsets, other: Offsets): boolean => one.every((offset, i) => offset <= other[i]!)
