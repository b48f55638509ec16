/** Submissions of one partition that wait for their epoch, in the order of the log. */
import type { Entry } from './entry.ts'

/** The submissions that wait for an epoch of a market. */
interface OfEpoch {
  readonly entries: Set<Entry>
  /** Ms since 1970, before which none of them came. */
  arrivedFrom: number
}

export class Waiting {
  private readonly byDigest = new Map<string, Entry>()
  private readonly byEpoch = new Map<string, Map<number, OfEpoch>>()
  private readonly byOwner = new Map<string, Set<Entry>>()
  /** Waiting submissions whose slot is another's. */
  strangers = 0

  entries(): IterableIterator<Entry> {
    return this.byDigest.values()
  }

  get size(): number {
    return this.byDigest.size
  }

  /** True when the owner would have more waiting submissions, with this one, than its share once all places are taken. */
  isBeyondShare(entry: Entry, places: number): boolean {
    const others = [...this.byOwner].filter(([name]) => name !== ownerIn(entry)).map(([, { size }]) => size)
    const own = (this.byOwner.get(ownerIn(entry))?.size ?? 0) + 1
    return own > levelOf([...others, own], places)
  }

  /**
   * Makes room when all of so many places are taken, until seven of eight are at most: water is let out from the top. An owner
   * with more than the level that is left gives up its farthest epochs, whole.
   */
  shareOut(places: number): readonly Entry[] {
    const owners = [...this.byOwner.values()]
    const level = levelOf(
      owners.map(({ size }) => size),
      Math.floor((places * 7) / 8),
    )
    const left = owners.flatMap((owner) => beyond(owner, level))
    for (const entry of left) this.delete(entry)
    return left
  }

  /** The same submission, signed by the same, that waits for the same market. */
  copyOf(entry: Entry): Entry | undefined {
    return this.byDigest.get(digestIn(entry))
  }

  /** The waiting submissions of the slot's owner in the market. */
  ofOwner(entry: Entry): readonly Entry[] {
    return [...(this.byOwner.get(ownerIn(entry)) ?? [])]
  }

  /**
   * Goes through what waits in the market for the epochs that are meant, and lets go of what `leaves` answers true for.
   * @param isMeant by epoch, and the time in ms before which nothing that waits for it came
   */
  release(
    dataMarket: string,
    isMeant: (epochId: number, arrivedFrom: number) => boolean,
    leaves: (entry: Entry) => boolean,
  ): void {
    for (const [epochId, ofEpoch] of this.byEpoch.get(dataMarket) ?? []) {
      if (!isMeant(epochId, ofEpoch.arrivedFrom)) continue
      ofEpoch.arrivedFrom = Number.POSITIVE_INFINITY
      for (const entry of ofEpoch.entries)
        if (leaves(entry)) this.delete(entry)
        else ofEpoch.arrivedFrom = Math.min(ofEpoch.arrivedFrom, entry.arrivedAt!)
    }
  }

  add(entry: Entry): void {
    this.byDigest.set(digestIn(entry), entry)
    const owner = this.byOwner.get(ownerIn(entry)) ?? new Set()
    this.byOwner.set(ownerIn(entry), owner.add(entry))
    const epochs = this.byEpoch.get(entry.dataMarket) ?? new Map<number, OfEpoch>()
    this.byEpoch.set(entry.dataMarket, epochs)
    const { epochId } = entry.submission
    const ofEpoch = epochs.get(epochId) ?? { entries: new Set(), arrivedFrom: Number.POSITIVE_INFINITY }
    epochs.set(epochId, ofEpoch)
    ofEpoch.entries.add(entry)
    ofEpoch.arrivedFrom = Math.min(ofEpoch.arrivedFrom, entry.arrivedAt!)
    if (entry.stranger) this.strangers++
  }

  delete(entry: Entry): void {
    this.byDigest.delete(digestIn(entry))
    const owner = this.byOwner.get(ownerIn(entry))
    owner?.delete(entry)
    if (owner?.size === 0) this.byOwner.delete(ownerIn(entry))
    const epochs = this.byEpoch.get(entry.dataMarket)!
    const { epochId } = entry.submission
    const { entries } = epochs.get(epochId)!
    entries.delete(entry)
    if (entries.size === 0) epochs.delete(epochId)
    if (epochs.size === 0) this.byEpoch.delete(entry.dataMarket)
    if (entry.stranger) this.strangers--
  }
}

/** The highest level at which all that is below it fits. */
function levelOf(sizes: readonly number[], places: number): number {
  let low = 0
  let high = places
  while (low < high) {
    const level = Math.ceil((low + high) / 2)
    if (sizes.reduce((sum, size) => sum + Math.min(size, level), 0) <= places) low = level
    else high = level - 1
  }
  return low
}

function beyond(owner: ReadonlySet<Entry>, level: number): Entry[] {
  const kept = [...owner].sort((a, b) => a.submission.epochId - b.submission.epochId)
  const left: Entry[] = []
  while (kept.length > level) {
    const { epochId } = kept.at(-1)!.submission
    while (kept.at(-1)?.submission.epochId === epochId) left.push(kept.pop()!)
  }
  return left
}

const digestIn = ({ dataMarket, digest, signer }: Entry): string => `${dataMarket} ${digest} ${signer}`
const ownerIn = ({ dataMarket, submission, signer }: Entry): string => `${dataMarket} ${submission.slotId} ${signer}`
