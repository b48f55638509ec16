/**
 * How fast each connection is read; nothing is refused for a rate. A connection over a rate of its own is not read for as long as it
 * takes to be within it again. A connection with faults is read slowly.
 *
 * Other rates are shared: that of an address by its connections, one by all connections that have not shown that they bring votes,
 * and a small one while `validate` lags. Who finds a shared rate used up waits for a turn: one address after the other has it. At an
 * address each connection waits for as long as it would if all had equal parts of the rate, so who sends little is read soon.
 */
import type { Guide } from './admission.ts'
import type { Counts } from './counts.ts'
import { type IntakeLimits, TokenBucket } from './limits.ts'
import type { Guest, Host, Peer } from './peer.ts'
import { inTurnsBy, type Pressure, type Ranks } from './pressure.ts'

/** Most that is owed to the rate of an address: what one turn may take. More would make those wait who did not make the debt. */
const ADDRESS_DEBT_MS = 2_000
/** Least part of a shared rate that a turn is thought to take, until it is known what it took. */
const TURN_MS = 25

/** A connection that is held. */
interface Wait {
  /** The shared rates in which it waits for a turn. */
  readonly shared: Set<TokenBucket>
  /** When it would have its turn if all had equal parts of the rate, ms: who sends much waits behind who sends little. */
  dueAt: number
}

/** `some`: who brings votes is read as ever. `all`: everybody waits for a turn. */
export type Lagging = 'no' | 'some' | 'all'

/** While nothing is known of slots nobody can show a vote: then all are alike. */
export const ranksOf = (guide: Pick<Guide, 'ownersOf'>, limits: IntakeLimits): Ranks<Peer> => ({
  hasCredit: ({ standing }) => standing.hasCredit || guide.ownersOf(0) === 'no-word',
  isNewcomer: ({ messages }) => messages <= limits.newcomerMessages,
  isProven: (lane) => lane === 'proven' || guide.ownersOf(0) === 'no-word',
  hostOf: ({ host }) => host,
})

export class Pace {
  lagging: Lagging = 'no'
  private readonly limits: IntakeLimits
  private readonly counts: Counts
  private readonly pressure: Pressure<Peer>
  private readonly turns: TokenBucket
  private readonly unproven: TokenBucket
  /** The connections that are held. */
  private readonly waits = new Map<Peer, Wait>()
  /** The time of shared rates that a turn of a connection takes, by what it took: half of it is remembered from one to the next. */
  private readonly turnMsOf = new WeakMap<Peer, number>()
  /** The number of the last turn of an address. */
  private readonly turnOf = new WeakMap<Host, number>()
  private turn = 0
  private isOver = false

  constructor(limits: IntakeLimits, counts: Counts, pressure: Pressure<Peer>, now: number) {
    this.limits = limits
    this.counts = counts
    this.pressure = pressure
    this.turns = new TokenBucket(limits.paceWhileLagging, now)
    this.unproven = new TokenBucket(limits.paceWithoutCredit, now)
  }

  /** @param behind records that `validate` is behind; undefined: nobody knows, so nothing is held back for it */
  lag(behind: number | undefined): void {
    const { lagRecordsMax, lagRecordsStop } = this.limits
    this.lagging = behind === undefined || behind <= lagRecordsMax ? 'no' : behind <= lagRecordsStop ? 'some' : 'all'
  }

  /** So many messages came on a connection; they are counted in its `messages`. */
  spend(peer: Peer, messages: number, now: number): void {
    const { standing, host } = peer
    peer.talker.messages += messages
    const { pacePerSuspect, pacePerConnection } = this.limits
    standing.pace.setRate(this.isSuspect(peer) ? pacePerSuspect : pacePerConnection)
    const shared = [host.pace]
    if (this.isInTurns(peer)) shared.push(this.turns)
    else if (this.isPacedUnproven(peer)) shared.push(this.unproven)
    this.charge(peer, standing.pace, shared, messages, now)
  }

  /** So many frames came on a connection, whatever they carry. Before libp2p tells of the connection nothing can be held back. */
  spendFrames({ framePace, host, peer }: Guest, frames: number, now: number): void {
    this.charge(peer, framePace, [host.framePace], frames, now)
  }

  /** To be called every so often: frees those whose time is over and who have a turn. */
  wake(now: number): void {
    /** Time of each shared rate that is left for turns. */
    const leftMs = new Map<TokenBucket, number>()
    for (const peer of this.inTurns(now)) {
      const shared = [...this.waits.get(peer)!.shared].filter((rate) => this.isShared(rate, peer))
      const left = shared.map((rate) => leftMs.get(rate) ?? rate.leftMs(now))
      if (left.some((ms) => ms < 0)) continue
      for (const [at, rate] of shared.entries()) leftMs.set(rate, left[at]! - (this.turnMsOf.get(peer) ?? TURN_MS))
      if (shared.length > 0) this.turnOf.set(peer.host, ++this.turn)
      this.free(peer)
    }
    this.pressure.wake()
  }

  /** Nobody is held any more, whatever the rate. */
  end(): void {
    this.isOver = true
    for (const peer of this.waits.keys()) this.free(peer)
    this.pressure.wake()
  }

  private charge(peer: Peer | undefined, own: TokenBucket, shared: TokenBucket[], cost: number, now: number): void {
    const { holdMsMax } = this.limits
    const ownMs = own.owe(cost, now, holdMsMax)
    const mostMs = (rate: TokenBucket) => (this.isOfAll(rate) ? holdMsMax : Math.min(ADDRESS_DEBT_MS, holdMsMax))
    const over = shared.filter((rate) => rate.owe(cost, now, mostMs(rate)) > 0)
    if (peer === undefined || this.isOver || (ownMs === 0 && over.length === 0)) return
    this.counts.holds++
    peer.heldUntil = Math.max(peer.heldUntil, now + ownMs)
    this.wait(peer, over, cost, now)
    this.pressure.hold(peer)
  }

  /** @param over the shared rates of which something is owed now */
  private wait(peer: Peer, over: readonly TokenBucket[], cost: number, now: number): void {
    const wait = this.waits.get(peer) ?? { shared: new Set(), dueAt: now }
    this.waits.set(peer, wait)
    for (const rate of over) {
      wait.shared.add(rate)
      const turnMs = Math.max(TURN_MS, rate.msOf(cost), (this.turnMsOf.get(peer) ?? 0) / 2)
      this.turnMsOf.set(peer, turnMs)
    }
    let neighbours = 0 // no list of them: a flood comes here with each chunk
    for (const { host } of this.waits.keys()) if (host === peer.host) neighbours++
    wait.dueAt += neighbours * over.reduce((longest, rate) => Math.max(longest, rate.msOf(cost)), 0)
  }

  /** Connections whose own rates would let them be read: one of each address, that which had no turn for longest first, then another one. */
  private inTurns(now: number): readonly Peer[] {
    const ready: { readonly peer: Peer; readonly turn: number; readonly dueAt: number }[] = []
    for (const [peer, { dueAt }] of this.waits)
      if (!this.pressure.isConnected(peer)) this.free(peer)
      else if (peer.heldUntil <= now) ready.push({ peer, turn: this.turnOf.get(peer.host) ?? 0, dueAt })
    ready.sort((a, b) => a.turn - b.turn || a.dueAt - b.dueAt)
    return inTurnsBy(
      ({ host }) => host,
      ready.map(({ peer }) => peer),
    )
  }

  private free(peer: Peer): void {
    this.waits.delete(peer)
    this.pressure.free(peer)
  }

  /** Whether a connection still waits for turns of a rate: not of that of connections without credit once it has some. */
  private isShared(rate: TokenBucket, peer: Peer): boolean {
    if (rate === this.turns) return this.isInTurns(peer)
    return rate !== this.unproven || this.isPacedUnproven(peer)
  }

  private isOfAll(rate: TokenBucket): boolean {
    return rate === this.turns || rate === this.unproven
  }

  private isSuspect({ standing, host }: Peer): boolean {
    const { slowFaults, hostSlowFaults } = this.limits
    if (standing.faults >= slowFaults) return true
    return hostSlowFaults > 0 && host.faults >= hostSlowFaults && !standing.hasCredit
  }

  private isInTurns(peer: Peer): boolean {
    return this.lagging === 'some' ? this.isUnproven(peer) : this.lagging === 'all'
  }

  private isPacedUnproven(peer: Peer): boolean {
    return this.isUnproven(peer) && !this.pressure.ranks.hasCredit(peer)
  }

  private isUnproven({ standing, messages }: Peer): boolean {
    return !standing.hasCredit && messages > this.limits.newcomerMessages
  }
}

/** The offender that has gone too far by now. */
export function faulty(peer: Peer, limits: IntakeLimits): 'peer' | 'host' | undefined {
  const { standing, host } = peer
  const { banFaults, hostBanFaults } = limits
  if (hostBanFaults > 0 && host.faults >= hostBanFaults && !host.hasCredit) return 'host'
  return standing.faults >= banFaults ? 'peer' : undefined
}
