/**
 * Decides which messages may go into the log. A submission that the owner of its slot signed, for an epoch that takes
 * submissions, is a vote, and as many votes of an owner of a slot are taken as the market's quota has use for. Everything else is
 * doubtful: it is charged to the connection and the address that bring it, never to the slot that it names, so nobody can use up
 * what is another's.
 *
 * The verdict on a message is for `validate` to give, so a doubtful one is taken as long as its bearer has a budget; what is
 * refused beyond it cannot have counted, or is a copy of what was taken (decision 0023).
 */
import type { Submission } from '../../schemas/types.ts'
import { Awaited } from './awaited.ts'
import type { Counts, Doubt } from './counts.ts'
import type { IntakeLimits } from './limits.ts'
import type { Peer } from './peer.ts'

export interface RecoveredSigner {
  /** The digest that was signed, 32 bytes. */
  readonly digest: Uint8Array
  /** Lower case; undefined when there is none. */
  readonly signer?: string | undefined
}

/** `awaited`: not released yet; `over`: nothing that comes for it may count. */
export type EpochState = 'open' | 'awaited' | 'over'

/** The known facts of slots and epochs; they may be behind, so they decide about budgets, not about votes. */
export interface Guide {
  /**
   * Whose signatures may be votes of a slot, lower case, who owns it now last (the empty text: nobody); undefined: no such
   * slot; `no-word`: the log is not read yet, and nothing is known.
   */
  ownersOf(slotId: number): readonly string[] | undefined | 'no-word'
  /** Also open while nothing is known of a market that is served. @param dataMarket lower case */
  stateOf(dataMarket: string, epochId: number): EpochState
  /** Epochs that are awaited for which an owner of a slot may have votes. */
  awaitedMax(dataMarket: string): number
  /** Distinct submissions of a slot by this owner that are taken for one epoch. */
  votesMax(dataMarket: string, owner: string): number
  /** When something came, ms since 1970 by the time of the log. @param now the same by this process's clock */
  stamp(now: number): number
  /** Element i belongs to submission i. */
  recover(submissions: readonly Submission[]): Promise<readonly RecoveredSigner[]>
}

/** Nothing is known, so nothing is doubtful. */
export const NO_GUIDE: Guide = {
  ownersOf: () => 'no-word',
  stateOf: () => 'open',
  awaitedMax: () => Number.POSITIVE_INFINITY,
  votesMax: () => Number.POSITIVE_INFINITY,
  stamp: (now) => now,
  recover: async () => [],
}

export interface AdmissionEvents {
  /** Called for a message that is a vote, or may be one. */
  passed(peer: Peer, now: number): void
  /** A vote came. @param voter the slot and its owner */
  voted(peer: Peer, voter: string): void
  /** A signature is not the owner's, or a message too long, and no credit made up for it. */
  faulted(peer: Peer): void
}

/** The messages that were taken for an epoch. */
interface Scope {
  readonly market: string
  readonly epochId: number
  /** Slot and owner → votes. */
  readonly votes: Map<string, number>
  /** Slot → copies and messages over quota that were taken, from any peer. */
  readonly extras: Map<number, number>
}

/** The judgement about a submission without its signature. */
type FirstLook = Doubt | 'unknowable' | readonly string[]

export class Admission {
  /** `validate` is behind: only votes go on, and what connections with credit bring. */
  lagging = false
  private readonly guide: Guide
  private readonly limits: IntakeLimits
  private readonly counts: Counts
  private readonly events: AdmissionEvents
  /** Market and epoch → slot and owner → votes. */
  private readonly votes = new Map<string, Scope>()
  /** Digests of votes: the older ones go all at once when there are too many. */
  private readonly awaited: Awaited
  private digests = new Set<string>()
  private olderDigests = new Set<string>()

  constructor(guide: Guide, limits: IntakeLimits, counts: Counts, events: AdmissionEvents) {
    this.guide = guide
    this.limits = limits
    this.counts = counts
    this.events = events
    this.awaited = new Awaited(limits.awaitingOwnersMax)
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
      if (look === 'unknowable' || (typeof look === 'object' && !recovered)) {
        this.events.passed(peer, now())
        return undefined
      }
      const doubt = typeof look === 'string' ? look : this.weigh(submission, look, recovered![next++]!)
      if (doubt !== undefined) return this.doubt(peer, doubt, submission, now())
      // a submission of a former owner may come too late to count: only the owner's earn credit
      const { signer } = recovered![next - 1]!
      if (signer === look.at(-1)) this.credit(peer, `${submission.slotId}/${signer}`, now())
      return undefined
    })
  }

  /** A message came that is longer than any: it costs its bearer what a signature of nobody does. */
  tooLong(peer: Peer): void {
    const trusted = peer.standing.doubt()
    peer.talker.refused++
    // while nothing is known nobody could earn the credit that makes up for it
    if (!trusted && this.guide.ownersOf(0) !== 'no-word') this.fault(peer)
  }

  private fault(peer: Peer): void {
    peer.standing.faults++
    peer.host.faults++
    this.events.faulted(peer)
  }

  private look({ slotId, dataMarket, epochId }: Submission): FirstLook {
    const owners = this.guide.ownersOf(slotId)
    if (owners === 'no-word') return 'unknowable'
    if (owners === undefined) return 'unknown-slot'
    const market = dataMarket.toLowerCase()
    if (this.guide.stateOf(market, epochId) === 'over') return 'no-epoch'
    const scope = this.votes.get(`${market}/${epochId}`)
    const hasRoom = owners.some((owner) => owner !== '' && this.hasRoom(scope, market, slotId, owner))
    return hasRoom ? owners : 'over-quota'
  }

  private weigh(
    { slotId, dataMarket, epochId }: Submission,
    owners: readonly string[],
    { digest, signer }: RecoveredSigner,
  ): Doubt | undefined {
    if (!signer || !owners.includes(signer)) return 'bad-signature'
    const market = dataMarket.toLowerCase()
    const name = `${market}/${epochId}`
    const scope = this.votes.get(name)
    const identity = `${market}${Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('latin1')}`
    if (this.digests.has(identity) || this.olderDigests.has(identity)) return 'copy'
    if (!this.hasRoom(scope, market, slotId, signer)) return 'over-quota'
    if (!this.awaits(market, epochId, `${market}/${slotId}/${signer}`)) return 'no-epoch'
    this.remember(identity)
    const counted = scope ?? this.openScope(name, market, epochId)
    const voter = `${slotId}/${signer}`
    counted.votes.set(voter, (counted.votes.get(voter) ?? 0) + 1)
    return undefined
  }

  private hasRoom(scope: Scope | undefined, market: string, slotId: number, owner: string): boolean {
    return (scope?.votes.get(`${slotId}/${owner}`) ?? 0) < this.guide.votesMax(market, owner)
  }

  /** False when the owner awaits as many epochs already as can have been released. */
  private awaits(market: string, epochId: number, owner: string): boolean {
    const isAwaited = (one: number): boolean => this.guide.stateOf(market, one) === 'awaited'
    if (!isAwaited(epochId)) return true
    if (!this.awaited.hasRoom(owner, epochId, this.guide.awaitedMax(market), isAwaited)) return false
    this.awaited.add(owner, epochId)
    return true
  }

  /** Forgets epochs that are over; when there are still too many, also the epoch with the fewest votes, which may be invented. */
  private openScope(name: string, market: string, epochId: number): Scope {
    for (const [old, { market: its, epochId: epoch }] of this.votes)
      if (this.guide.stateOf(its, epoch) === 'over') this.votes.delete(old)
    if (this.votes.size >= this.limits.votesEpochsMax) this.votes.delete(smallestOf(this.votes))
    const scope: Scope = { market, epochId, votes: new Map(), extras: new Map() }
    this.votes.set(name, scope)
    return scope
  }

  private remember(identity: string): void {
    this.digests.add(identity)
    if (this.digests.size < this.limits.digestsMax / 2) return
    this.olderDigests = this.digests
    this.digests = new Set()
  }

  private credit(peer: Peer, voter: string, now: number): void {
    peer.standing.vote()
    peer.host.vote()
    peer.talker.votes++
    this.events.passed(peer, now)
    this.events.voted(peer, voter)
  }

  /** False for a copy or an excess of a slot that has had enough of them, over all connections. */
  private takeExtra({ slotId, dataMarket, epochId }: Submission, doubt: Doubt): boolean {
    const scope = this.votes.get(`${dataMarket.toLowerCase()}/${epochId}`)
    if (!scope || (doubt !== 'over-quota' && doubt !== 'copy')) return true
    const extras = scope.extras.get(slotId) ?? 0
    if (extras >= this.limits.extrasPerSlotMax) return false
    scope.extras.set(slotId, extras + 1)
    return true
  }

  /** Undefined when the bearer has a budget for it. */
  private doubt(peer: Peer, doubt: Doubt, submission: Submission, now: number): Doubt | undefined {
    const { standing, host, talker } = peer
    const trusted = standing.doubt()
    if (doubt === 'bad-signature' || doubt === 'unknown-slot') {
      talker.badSignatures++
      if (!trusted) this.fault(peer)
    }
    const payers = trusted ? [standing.doubtful] : [standing.doubtful, host.doubtful]
    const isRefused = this.lagging && !trusted
    if (!isRefused && payers.every((bucket) => bucket.has(now)) && this.takeExtra(submission, doubt)) {
      for (const bucket of payers) bucket.take(now)
      return undefined
    }
    this.counts.refused[doubt]++
    talker.refused++
    return doubt
  }
}

function smallestOf(scopes: ReadonlyMap<string, Scope>): string {
  let smallest = ''
  let fewest = Number.POSITIVE_INFINITY
  for (const [name, { votes }] of scopes)
    if (votes.size < fewest) {
      smallest = name
      fewest = votes.size
    }
  return smallest
}
