/**
 * The turns of connections that want to begin their handshake. One takes milliseconds of the processor, for an attacker too, so all
 * addresses together have a budget, and a connection waits for its turn before any cryptography is done for it. The prefix that had its
 * last turn longest ago comes first, then the address in it, then the connection that came first: an address waits for no crowd of
 * another prefix. Addresses with votes of late have a budget of their own beside that, and the rate of an address is not asked of
 * them: they are told from nobody who shares the address, but their votes were worth it. Turns of that budget go by the voter, that is
 * slot and owner: an address has as many as slots whose votes came from there last, so many addresses with votes of few slots have few.
 */
import type { ShedReason } from './counts.ts'
import { type IntakeLimits, TokenBucket } from './limits.ts'
import type { Guest, Host } from './peer.ts'

/** Pause until those who wait are looked at again. */
const LOOK_MS = 20

/** The reason that there is no turn; `gone`: the connection has ended. */
export type NoTurn = Extract<ShedReason, 'host-rate' | 'handshake-rate' | 'stopping'> | 'gone'

interface Waiting {
  readonly guest: Guest
  readonly until: number
  readonly decide: (refusal: NoTurn | undefined) => void
}

export class HandshakeTurns {
  /** The one that came first comes first. */
  private waiting: Waiting[] = []
  /** Prefix, address or voter → number of its last turn; the one that had its turn longest ago comes first. */
  private readonly turns = new Map<string, number>()
  private given = 0
  private timer: NodeJS.Timeout | undefined
  private isClosed = false
  private readonly ofAll: TokenBucket
  private readonly ofVoters: TokenBucket
  private readonly startedAt: number
  private readonly limits: IntakeLimits
  private readonly now: () => number

  constructor(limits: IntakeLimits, now: () => number) {
    this.limits = limits
    this.now = now
    this.startedAt = now()
    this.ofAll = new TokenBucket(limits.handshakesOfAll, this.startedAt)
    this.ofVoters = new TokenBucket(limits.handshakesOfVoters, this.startedAt)
  }

  /** Resolves with undefined when it is its turn, else with why it has none. */
  of(guest: Guest): Promise<NoTurn | undefined> {
    const now = this.now()
    if (this.isClosed) return Promise.resolve('stopping')
    if (!this.isWorthIt(guest.host, now)) return Promise.resolve('host-rate')
    const until = now + Math.min(this.limits.handshakeWaitMs, this.limits.upgradeTimeoutMs)
    return new Promise((decide) => {
      this.waiting.push({ guest, until, decide })
      if (this.waiting.length === 1) this.look()
      else this.lookAgain()
    })
  }

  /** The connection is gone. */
  leave(guest: Guest): void {
    const one = this.waiting.find((some) => some.guest === guest)
    if (one) this.end(one, 'gone')
  }

  /**
   * Whether its arrivals are counted. Votes of late are worth them; and after the start all collectors of an address come back at once.
   * The budget of all is the bound for the others.
   */
  pays(host: Host, now: number): boolean {
    return !speaksForVoters(host) && now - this.startedAt >= this.limits.startMs
  }

  /** Gives turns as far as there are any, and refuses who has waited for too long. To be called every so often. */
  look(): void {
    const now = this.now()
    for (let one = this.next(now); one; one = this.next(now)) this.end(one, undefined)
    for (const one of this.waiting)
      if (now >= one.until) this.end(one, this.mayArrive(one.guest.host, now) ? 'handshake-rate' : 'host-rate')
    this.lookAgain()
  }

  /** Nobody has a turn any more. */
  close(): void {
    this.isClosed = true
    for (const one of this.waiting) this.end(one, 'stopping')
  }

  private lookAgain(): void {
    if (this.timer || this.waiting.length === 0) return
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.look()
    }, LOOK_MS)
    this.timer.unref()
  }

  private next(now: number): Waiting | undefined {
    const ofVoter = this.ofVoters.has(now) ? this.firstOfVoters() : undefined
    const one = ofVoter ?? (this.ofAll.has(now) ? this.first((host) => this.mayArrive(host, now)) : undefined)
    if (!one) return undefined
    const { host } = one.guest
    ;(ofVoter ? this.ofVoters : this.ofAll).take(now)
    if (ofVoter) this.note(this.voterOf(host))
    if (this.pays(host, now)) host.arrivals.take(now)
    this.note(host.prefix.name)
    this.note(host.name)
    return one
  }

  private first(may: (host: Host) => boolean, lastOf: (host: Host) => number = () => 0): Waiting | undefined {
    let first: Waiting | undefined
    for (const one of this.waiting) {
      if (!may(one.guest.host)) continue
      const byVoter = first ? lastOf(one.guest.host) - lastOf(first.guest.host) : 0
      if (!first || byVoter < 0 || (byVoter === 0 && this.isBefore(one, first))) first = one
    }
    return first
  }

  private firstOfVoters(): Waiting | undefined {
    const known = new Map<Host, number>()
    return this.first(speaksForVoters, (host) => {
      const last = known.get(host) ?? this.lastOf(this.voterOf(host))
      known.set(host, last)
      return last
    })
  }

  /** The voter of an address that had its last turn longest ago. There is one. */
  private voterOf({ voters }: Host): string {
    let first: { voter: string; last: number } | undefined
    for (const voter of voters) {
      const last = this.lastOf(voter)
      if (!first || last < first.last) first = { voter, last }
    }
    return first?.voter ?? ''
  }

  private isBefore({ guest: { host: a } }: Waiting, { guest: { host: b } }: Waiting): boolean {
    const byPrefix = this.lastOf(a.prefix.name) - this.lastOf(b.prefix.name)
    return byPrefix !== 0 ? byPrefix < 0 : this.lastOf(a.name) < this.lastOf(b.name)
  }

  private lastOf(name: string): number {
    return this.turns.get(name) ?? 0
  }

  private note(name: string): void {
    this.turns.delete(name)
    this.turns.set(name, ++this.given)
    const [oldest] = this.turns.keys()
    if (oldest !== undefined && this.turns.size > this.limits.handshakeTurnsMax) this.turns.delete(oldest)
  }

  private end(one: Waiting, refusal: NoTurn | undefined): void {
    this.waiting = this.waiting.filter((other) => other !== one)
    one.decide(refusal)
  }

  private mayArrive(host: Host, now: number): boolean {
    return !this.pays(host, now) || host.arrivals.has(now)
  }

  /** False when its address owes so much that no turn can come in time. */
  private isWorthIt(host: Host, now: number): boolean {
    if (!this.pays(host, now)) return true
    const { handshakeWaitMs, arrivalsPerHost } = this.limits
    const before = this.waiting.reduce((count, { guest }) => count + (guest.host === host ? 1 : 0), 0)
    return host.arrivals.left(now) + (arrivalsPerHost.perSecond * handshakeWaitMs) / 1000 >= before + 1
  }
}

/** Votes of late came from the address, and are the newest of a slot. */
const speaksForVoters = ({ hasCredit, voters }: Host): boolean => hasCredit && voters.size > 0
