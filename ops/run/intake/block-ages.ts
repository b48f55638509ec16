/**
 * How this intake's clock stands to the time of the blocks that it hears of. Blocks are of the past: one that seems to be of the
 * future says by how much the clock is behind, at least. A clock that is ahead looks like ticks that come late, so only the
 * apparent age of the blocks is reported.
 */

/** The newest block that seemed youngest counts: the others may have been on their way for long. */
const COMPARED_MAX = 32
/** The clock is behind by as much as so many blocks say: a node that lies of one or two of them moves no stamp. */
const SAYING_SO = 3
/** A block that is further ahead tells nothing of this clock: it is of a test chain whose time was moved, or a lie. */
const BEHIND_MS_MAX = 60 * 60 * 1000

export function blockAges() {
  const ages: number[] = []
  /** Least age of the blocks compared, ms: negative when the clock is behind. */
  const least = (): number | undefined => ages.reduce<number | undefined>((a, b) => Math.min(a ?? b, b), undefined)
  const behindMs = (): number => {
    const likely = ages.filter((age) => age >= -BEHIND_MS_MAX).sort((a, b) => a - b)
    return Math.max(0, -(likely[Math.min(SAYING_SO, likely.length) - 1] ?? 0))
  }
  return {
    /** @param blockTimestamp seconds @param now ms, by this clock */
    heard(blockTimestamp: number, now: number): void {
      ages.push(now - blockTimestamp * 1000)
      if (ages.length > COMPARED_MAX) ages.shift()
    },
    least,
    /** The time that a submission is stamped with now; at most `BEHIND_MS_MAX` later than now. */
    stamp: (now: number): number => now + behindMs(),
  }
}
