/** Submissions of one partition that wait for their epoch, in the order of the log. */
import type { Entry } from './entry.ts'

export class Waiting {
  private readonly byDigest = new Map<string, Entry>()
  private readonly byOwner = new Map<string, Set<Entry>>()
  /** Those whose slot is another's. */
  strangers = 0

  entries(): IterableIterator<Entry> {
    return this.byDigest.values()
  }

  /** The same submission, signed by the same, that waits for the same market. */
  copyOf(entry: Entry): Entry | undefined {
    return this.byDigest.get(digestIn(entry))
  }

  /** What the owner of the slot has waiting in the market. */
  ofOwner(entry: Entry): readonly Entry[] {
    return [...(this.byOwner.get(ownerIn(entry)) ?? [])]
  }

  add(entry: Entry): void {
    this.byDigest.set(digestIn(entry), entry)
    const owner = this.byOwner.get(ownerIn(entry)) ?? new Set()
    this.byOwner.set(ownerIn(entry), owner.add(entry))
    if (entry.stranger) this.strangers++
  }

  delete(entry: Entry): void {
    this.byDigest.delete(digestIn(entry))
    const owner = this.byOwner.get(ownerIn(entry))
    owner?.delete(entry)
    if (owner?.size === 0) this.byOwner.delete(ownerIn(entry))
    if (entry.stranger) this.strangers--
  }
}

const digestIn = ({ dataMarket, digest, signer }: Entry): string => `${dataMarket} ${digest} ${signer}`
const ownerIn = ({ dataMarket, submission, signer }: Entry): string => `${dataMarket} ${submission.slotId} ${signer}`
