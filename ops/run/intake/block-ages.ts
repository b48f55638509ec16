/**
 * How this intake's clock stands to the time of the blocks that it hears of. Blocks are of the past: one that seems to be of the
 * future says by how much the clock is behind, at least. That it is ahead cannot be told from ticks that come late, so it is
 * only said how old the blocks seem.
 */

/** Of the newest blocks the one that seemed youngest counts: the others may have been on their way for long. */
const COMPARED_MAX = 32

export function blockAges() {
  const ages: number[] = []
  /** Of the blocks compared, ms: negative when the clock is behind. */
  const least = (): number | undefined => ages.reduce<number | undefined>((a, b) => Math.min(a ?? b, b), undefined)
  return {
    /** @param blockTimestamp seconds @param now ms, by this clock */
    heard(blockTimestamp: number, now: number): void {
      ages.push(now - blockTimestamp * 1000)
      if (ages.length > COMPARED_MAX) ages.shift()
    },
    least,
    /** What a submission that comes now is stamped with. */
    stamp: (now: number): number => now + Math.max(0, -(least() ?? 0)),
  }
}
