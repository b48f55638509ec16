/** The addresses that connections come from. One is forgotten when nothing is known of it that a new one does not have. */
import { prefixOf } from './address.ts'
import { Claims } from './claims.ts'
import { type IntakeLimits, TokenBucket } from './limits.ts'
import type { Host, Prefix } from './peer.ts'
import { Standing } from './standing.ts'

export class Hosts {
  private readonly limits: IntakeLimits
  private readonly hosts = new Map<string, Host>()
  private readonly prefixes = new Map<string, Prefix>()
  private readonly claims: Claims<Host>

  constructor(limits: IntakeLimits) {
    this.limits = limits
    this.claims = new Claims(limits.hostsPerVoter)
  }

  named(name: string, now: number): Host {
    const known = this.hosts.get(name)
    if (known) return known
    const prefix = this.prefixNamed(prefixOf(name))
    prefix.hosts++
    const host = Object.assign(new Standing(this.limits, now, 'host'), {
      name,
      prefix,
      arrivals: new TokenBucket(this.limits.arrivalsPerHost, now),
      framePace: new TokenBucket(this.limits.framesPerHost, now),
      voters: new Set<string>(),
      connections: 0,
      handshakes: 0,
    })
    this.hosts.set(name, host)
    return host
  }

  /** A vote came from there. @param voter the slot and its owner */
  voted(host: Host, voter: string): void {
    this.claims.vote(voter, host)
  }

  fade(elapsedMs: number, now: number): void {
    for (const host of this.hosts.values()) {
      host.fade(elapsedMs)
      if (host.connections > 0 || !isRested(host, this.limits, now)) continue
      this.hosts.delete(host.name)
      this.claims.leave(host)
      if (--host.prefix.hosts === 0) this.prefixes.delete(host.prefix.name)
    }
  }

  forgive(name: string): void {
    const host = this.hosts.get(name)
    if (host) host.faults = 0
  }

  private prefixNamed(name: string): Prefix {
    const prefix = this.prefixes.get(name) ?? { name, hosts: 0, handshakes: 0 }
    this.prefixes.set(name, prefix)
    return prefix
  }
}

/** Nothing would be known of it that a new one does not have. */
const isRested = (
  { faults, hasCredit, doubtful, pace, arrivals, framePace }: Host,
  limits: IntakeLimits,
  now: number,
): boolean =>
  faults === 0 &&
  !hasCredit &&
  doubtful.left(now) >= limits.doubtfulPerHost.burst &&
  pace.left(now) >= limits.pacePerHost.burst &&
  arrivals.left(now) >= limits.arrivalsPerHost.burst &&
  framePace.left(now) >= limits.framesPerHost.burst
