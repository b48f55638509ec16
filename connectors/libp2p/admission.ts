/**
 * What may go into the log. A submission that the owner of its slot signed, for an epoch that takes submissions, is a vote,
 * and as many votes of a slot are taken as the market's quota has use for. Everything else is doubtful: it is charged to the
 * connection and the address that bring it, never to the slot that it names, so nobody can use up what is another's.
 *
 * The verdict on a message is for `validate` to give, so a doubtful one is taken as long as its bearer has a budget; what is
 * refused beyond it cannot have counted, or is a copy of what was taken (decision 0023).
 */
import type { Submission } from '../../schemas/types.ts'
import type { Peer } from './connections.ts'
import type { Counts, Doubt } from './counts.ts'
import type { IntakeLimits } from './limits.ts'

export interface RecoveredSigner {
  /** What the signature is of, 32 bytes. */
  readonly digest: Uint8Array
  /** Lower case; undefined when there is none. */
  readonly signer?: string | undefined
}

/** What is known of slots and epochs; it may be behind, so it decides about budgets, not about votes. */
export interface Guide {
  /** Owners of a slot over time, lower case, newest last; undefined: no such slot; `no-word`: the table is not read yet. */
  ownersOf(slotId: number): readonly string[] | undefined | 'no-word'
  /** Whether a submission for the epoch may count. @param dataMarket lower case */
  takes(dataMarket: string, epochId: number): boolean
  /** Distinct submissions of a slot with this owner that are taken for one epoch. */
  votesMax(dataMarket: string, owner: string): number
  /** Element i belongs to submission i. */
  recover(submissions: readonly Submission[]): Promise<readonly RecoveredSigner[]>
}

/** Nothing is known, so nothing is doubtful. */
export const NO_GUIDE: Guide = {
  ownersOf: () => 'no-word',
  takes: () => true,
  votesMax: () => Number.POSITIVE_INFINITY,
  recover: async () => [],
}

/** What can be said of a submission without its signature. */
type FirstLook = Doubt | 'unknowable' | readonly string[]

export class Admission {
  /** `validate` is behind: only votes go on, and what connections with credit bring. */
  lagging = false
  private readonly guide: Guide
  private readonly limits: IntakeLimits
  private readonly counts: Counts
  private readonly faulted: (peer: Peer) => void
  /** Market and epoch → slot → votes. */
  private readonly votes = new Map<string, Map<number, number>>()
  /** Digests of votes: the older ones go all at once when there are too many. */
  private digests = new Set<string>()
  private olderDigests = new Set<string>()

  /** @param faulted called for each signature that is not the owner's */
  constructor(guide: Guide, limits: IntakeLimits, counts: Counts, faulted: (peer: Peer) => void) {
    this.guide = guide
    this.limits = limits
    this.counts = counts
    this.faulted = faulted
  }

  /** Judges each, in order: undefined when it is taken, else why it is refused. */
  async judge(arrived: readonly { readonly submission: Submission; readonly peer: Peer }[], now: () => number) {
    const looks = arrived.map(({ submission }) => this.look(submission))
    const toRecover = arrived.filter((_, at) => typeof looks[at] === 'object').map(({ submission }) => submission)
    // when it fails nothing is known of them, so all are taken
    const recovered = toRecover.length === 0 ? [] : await this.guide.recover(toRecover).catch(() => undefined)
    let next = 0
    return arrived.map(({ submission, peer }, at): Doubt | undefined => {
      const look = looks[at]!
      if (look === 'unknowable' || (typeof look === 'object' && !recovered)) return undefined
      const doubt = typeof look === 'string' ? look : this.weigh(submission, look, recovered![next++]!)
      if (doubt !== undefined) return this.doubt(peer, doubt, now())
      this.credit(peer)
      return undefined
    })
  }

  private look({ slotId, dataMarket, epochId }: Submission): FirstLook {
    const owners = this.guide.ownersOf(slotId)
    if (owners === 'no-word') return 'unknowable'
    if (owners === undefined) return 'unknown-slot'
    const market = dataMarket.toLowerCase()
    if (!this.guide.takes(market, epochId)) return 'no-epoch'
    const { slots, max } = this.quota(market, epochId, owners)
    return (slots?.get(slotId) ?? 0) >= max ? 'over-quota' : owners
  }

  private weigh(
    { slotId, dataMarket, epochId }: Submission,
    owners: readonly string[],
    { digest, signer }: RecoveredSigner,
  ): Doubt | undefined {
    if (signer === undefined || !owners.includes(signer)) return 'bad-signature'
    const market = dataMarket.toLowerCase()
    const { scope, slots, max } = this.quota(market, epochId, owners)
    const identity = `${market}${Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('latin1')}`
    if (this.digests.has(identity) || this.olderDigests.has(identity)) return 'copy'
    const before = slots?.get(slotId) ?? 0
    if (before >= max) return 'over-quota'
    this.remember(identity)
    this.countVote(scope, slots, slotId, before)
    return undefined
  }

  private quota(market: string, epochId: number, owners: readonly string[]) {
    const scope = `${market}/${epochId}`
    return { scope, slots: this.votes.get(scope), max: this.guide.votesMax(market, owners.at(-1) ?? '') }
  }

  private countVote(scope: string, slots: Map<number, number> | undefined, slotId: number, before: number): void {
    const counted = slots ?? new Map<number, number>()
    counted.set(slotId, before + 1)
    if (slots) return
    this.votes.set(scope, counted)
    for (const oldest of this.votes.keys()) {
      if (this.votes.size <= this.limits.votesEpochsMax) break
      this.votes.delete(oldest)
    }
  }

  private remember(identity: string): void {
    this.digests.add(identity)
    if (this.digests.size < this.limits.digestsMax / 2) return
    this.olderDigests = this.digests
    this.digests = new Set()
  }

  private credit({ standing, host }: Peer): void {
    standing.credit = Math.min(this.limits.creditMax, standing.credit + 1)
    standing.faults = Math.max(0, standing.faults - 1)
    host.faults = Math.max(0, host.faults - 1)
  }

  /** Undefined when the bearer has a budget for it. */
  private doubt(peer: Peer, doubt: Doubt, now: number): Doubt | undefined {
    const { standing, host, talker } = peer
    const trusted = standing.credit > 0
    standing.credit = Math.max(-this.limits.creditMax, standing.credit - 1)
    if (doubt === 'bad-signature' || doubt === 'unknown-slot') {
      standing.faults++
      host.faults++
      talker.badSignatures++
      this.faulted(peer)
    }
    const payers = trusted ? [standing.doubtful] : [standing.doubtful, host.doubtful]
    if ((trusted || !this.lagging) && payers.every((bucket) => bucket.has(now))) {
      for (const bucket of payers) bucket.take(now)
      return undefined
    }
    this.counts.refused[doubt]++
    talker.refused++
    return doubt
  }
}
