/** The standing of a peer, and of all peers at one address: what they may still send, and how they have behaved. */
import { type IntakeLimits, TokenBucket } from './limits.ts'

export class Standing {
  readonly pace: TokenBucket
  /** Doubtful messages that are still taken. */
  readonly doubtful: TokenBucket
  /** `creditPerVote` for each vote, less the doubtful messages; fades by half each `creditHalfLifeMs`. */
  credit = 0
  /** Signatures that are not the owner's and that no credit made up for, less time, and less `creditPerVote` for each vote. */
  faults = 0
  private readonly limits: IntakeLimits
  private readonly of: 'connection' | 'host'

  constructor(limits: IntakeLimits, now: number, of: 'connection' | 'host') {
    const own = of === 'connection'
    this.limits = limits
    this.of = of
    this.pace = new TokenBucket(own ? limits.pacePerConnection : limits.pacePerHost, now)
    this.doubtful = new TokenBucket(own ? limits.doubtfulPerConnection : limits.doubtfulPerHost, now)
  }

  get hasCredit(): boolean {
    return this.credit >= 1
  }

  /** A vote came; of an address it makes up for no faults, as they may be somebody else's. */
  vote(): void {
    const { creditPerVote, creditMax } = this.limits
    this.credit = Math.min(creditMax, this.credit + creditPerVote)
    if (this.of === 'connection') this.faults = Math.max(0, this.faults - creditPerVote)
  }

  /** A doubtful message came. Answers whether credit makes up for it. */
  doubt(): boolean {
    const covered = this.hasCredit
    this.credit = Math.max(-this.limits.debtMax, this.credit - 1)
    return covered
  }

  fade(elapsedMs: number): void {
    this.faults = Math.max(0, this.faults - elapsedMs / 1000)
    this.credit *= 0.5 ** (elapsedMs / this.limits.creditHalfLifeMs)
  }
}

interface Known {
  readonly standing: Standing
  connections: number
}

/**
 * Standings by peer id and address: all connections of a peer from one address share one. A peer that had credit when the last of
 * them closed has it again after a reconnect; others begin anew, as peer ids are cheap to make.
 */
export class Standings {
  private readonly limits: IntakeLimits
  private readonly connected = new Map<string, Known>()
  /** The one that left first comes first. */
  private readonly gone = new Map<string, Known>()

  constructor(limits: IntakeLimits) {
    this.limits = limits
  }

  enter(peerId: string, host: string, now: number): Standing {
    const key = `${peerId} ${host}`
    const known = this.connected.get(key) ??
      this.gone.get(key) ?? { standing: new Standing(this.limits, now, 'connection'), connections: 0 }
    this.gone.delete(key)
    this.connected.set(key, known)
    known.connections++
    return known.standing
  }

  leave(peerId: string, host: string): void {
    const key = `${peerId} ${host}`
    const known = this.connected.get(key)
    if (!known || --known.connections > 0) return
    this.connected.delete(key)
    if (!known.standing.hasCredit) return
    this.gone.set(key, known)
    const [first] = this.gone.keys()
    if (first !== undefined && this.gone.size > this.limits.standingsMax) this.gone.delete(first)
  }

  fade(elapsedMs: number): void {
    for (const { standing } of this.connected.values()) standing.fade(elapsedMs)
    for (const [key, { standing }] of this.gone) {
      standing.fade(elapsedMs)
      if (!standing.hasCredit) this.gone.delete(key)
    }
  }
}
