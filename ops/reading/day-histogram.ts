/** The slots of a day by their share of its quota. Pure. */

export interface Bucket {
  readonly from: number
  /** null: and all above. */
  readonly below: number | null
  readonly slots: number
}

const BUCKETS_BELOW = 20
const BUCKETS_ABOVE = 10

/** Number of slots by their share of the quota: buckets of one width up to the quota, and some above. */
export function histogramOf(counts: Iterable<number>, quota: number): readonly Bucket[] {
  const width = Math.max(1, Math.ceil(quota / BUCKETS_BELOW))
  const below = Math.ceil(quota / width)
  const slots = new Array<number>(below + BUCKETS_ABOVE).fill(0)
  for (const counted of counts) {
    const at = counted < quota ? Math.floor(counted / width) : below + Math.floor((counted - quota) / width)
    slots[Math.min(at, slots.length - 1)]!++
  }
  return slots.map((n, at) => {
    const from = at < below ? at * width : quota + (at - below) * width
    const end = at < below ? Math.min((at + 1) * width, quota) : quota + (at - below + 1) * width
    return { from, below: at === slots.length - 1 ? null : end, slots: n }
  })
}
