/**
 * How fast each connection is read. A connection over its rate, or over the rate of its address, is not read for as long as it
 * takes to be within it again; nothing is refused for that. A connection with faults is read slowly. Connections that have not shown
 * that they bring votes share one rate, and a small one while `validate` lags: each waits for its turn, so none is left out.
 */
import type { Guide } from './admission.ts'
import type { Counts } from './counts.ts'
import { type IntakeLimits, TokenBucket } from './limits.ts'
import type { Guest, Peer } from './peer.ts'
import type { Pressure, Ranks } from './pressure.ts'

/** `some`: who brings votes is read as ever. `all`: everybody waits for a turn. */
export type Lagging = 'no' | 'some' | 'all'

/** While nothing is known of slots nobody can show a vote: then all are alike. */
export const ranksOf = (guide: Pick<Guide, 'ownersOf'>): Ranks<Peer> => ({
  hasCredit: ({ standing }) => standing.hasCredit || guide.ownersOf(0) === 'no-word',
  hostOf: ({ host }) => host,
})

export class Pace {
  lagging: Lagging = 'no'
  private readonly limits: IntakeLimits
  private readonly counts: Counts
  private readonly pressure: Pressure<Peer>
  private readonly turns: TokenBucket
  private readonly unproven: TokenBucket

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

  /** So many messages came on a connection. */
  spend(peer: Peer, messages: number, now: number): void {
    const { standing, host } = peer
    peer.messages += messages
    peer.talker.messages += messages
    const { pacePerSuspect, pacePerConnection } = this.limits
    standing.pace.setRate(this.isSuspect(peer) ? pacePerSuspect : pacePerConnection)
    const waits = [standing.pace.owe(messages, now), host.pace.owe(messages, now)]
    if (this.isInTurns(peer)) waits.push(this.turns.owe(messages, now))
    else if (this.isUnproven(peer) && !this.pressure.ranks.hasCredit(peer)) waits.push(this.unproven.owe(messages, now))
    const waitMs = Math.min(
      this.limits.holdMsMax,
      waits.reduce((longest, wait) => Math.max(longest, wait), 0),
    )
    if (waitMs <= 0) return
    this.counts.holds++
    this.pressure.hold(peer, now + waitMs)
  }

  /** So many frames came on a connection, whatever they carry. Before libp2p tells of the connection nothing can be held back. */
  spendFrames({ framePace, host, peer }: Guest, frames: number, now: number): void {
    const waitMs = Math.max(framePace.owe(frames, now), host.framePace.owe(frames, now))
    if (waitMs <= 0 || peer === undefined) return
    this.counts.holds++
    this.pressure.hold(peer, now + Math.min(this.limits.holdMsMax, waitMs))
  }

  private isSuspect({ standing, host }: Peer): boolean {
    const { slowFaults, hostSlowFaults } = this.limits
    if (standing.faults >= slowFaults) return true
    return hostSlowFaults > 0 && host.faults >= hostSlowFaults && !standing.hasCredit
  }

  private isInTurns(peer: Peer): boolean {
    return this.lagging === 'some' ? this.isUnproven(peer) : this.lagging === 'all'
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
