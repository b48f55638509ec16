/** Decides who leaves when there is no place for a newcomer. Votes keep a place, connections do not: they are cheap to make. */
import type { MultiaddrConnection } from '@libp2p/interface'
import { FrameGate } from './frames.ts'
import { type IntakeLimits, STREAM_WINDOW_BYTES, TokenBucket } from './limits.ts'
import type { Guest, Host } from './peer.ts'

/** A socket that was let in, of which nothing is known yet. */
export function arriving(socket: MultiaddrConnection, host: Host, limits: IntakeLimits, now: number): Guest {
  return {
    socket,
    host,
    frames: new FrameGate(STREAM_WINDOW_BYTES),
    framePace: new TokenBucket(limits.framesPerConnection, now),
    peer: undefined,
    peerId: '',
    handshaking: true,
    turn: 'none',
    activeAt: now,
    voters: new Set(),
    isFruitful: false,
    gate: undefined,
    muxer: undefined,
    heardAt: now,
    heardBytes: 0,
    streams: 0,
  }
}

/** Votes that came on this very connection keep its place; those of another connection of the same peer do not. */
const isKept = ({ peer, voters }: Guest): boolean => voters.size > 0 && peer !== undefined && peer.standing.hasCredit

/**
 * The connection to close for a newcomer from `host`; undefined when there is none. No votes keep its place, and it was silent for
 * `shedIdleMs` or has an address with more connections than the newcomer's would have. The address with most connections
 * comes first, then who was silent longest. When votes keep all places, one gives way whose address has more of them than the newcomer
 * would have connections there.
 * @param own only connections of that host leave
 */
export function leaving(guests: Iterable<Guest>, host: Host, own: boolean, limits: IntakeLimits, now: number) {
  let chosen: Guest | undefined
  let ofKept: Guest | undefined
  let areAllKept = true
  for (const guest of guests) {
    if (guest.handshaking || (own && guest.host !== host)) continue
    const isGreedy = guest.host.connections > host.connections + 1
    if (isKept(guest)) {
      if (isGreedy && (!ofKept || isBefore(guest, ofKept, 'connections'))) ofKept = guest
      continue
    }
    areAllKept = false
    if (!isGreedy && now - guest.activeAt < limits.shedIdleMs) continue
    if (!chosen || isBefore(guest, chosen, 'connections')) chosen = guest
  }
  return chosen ?? (areAllKept ? ofKept : undefined)
}

/**
 * The handshake to end for a newcomer from `host`, undefined when there is none: the first in the order of `orderOf`; of several one of the
 * prefix with most handshakes, then of the address with most, then the oldest.
 * @param own only handshakes of that host are ended
 */
export function givingWay(guests: Iterable<Guest>, host: Host, own: boolean, limits: IntakeLimits, now: number) {
  const all = [...guests].filter((guest) => guest.handshaking && (!own || guest.host === host))
  const silent = all.reduce((count, { turn }) => count + (turn === 'none' ? 1 : 0), 0)
  const around: Around = { host, own, limits, now, areMostSilent: 2 * silent > all.length }
  let chosen: { guest: Guest; order: number } | undefined
  for (const guest of all) {
    const order = orderOf(guest, around)
    if (order === undefined) continue
    if (!chosen || order < chosen.order || (order === chosen.order && isOfMore(guest, chosen.guest)))
      chosen = { guest, order }
  }
  return chosen?.guest
}

interface Around {
  /** The newcomer's. */
  readonly host: Host
  readonly own: boolean
  readonly limits: IntakeLimits
  readonly now: number
  /** More than half have named no encryption: they are the crowd, and nobody else goes for them. */
  readonly areMostSilent: boolean
}

/** When a handshake gives way, the smallest number first; undefined: not for this newcomer. */
function orderOf({ host: its, turn, activeAt }: Guest, { host, own, limits, now, areMostSilent }: Around) {
  const isSilent = turn === 'none'
  if (isSilent && now - activeAt >= limits.handshakeSilentMs) return 0
  if (!own && its.handshakes <= placesOfVoters(its, limits)) return undefined
  if (isSilent && areMostSilent) return 1
  const isGreedy = its.prefix.handshakes > host.prefix.handshakes + 1 || (!own && its.handshakes > host.handshakes + 1)
  if (!own && isGreedy && its.prefix.handshakes > limits.handshakesPerPrefixFair) return 2
  const isOfNoFewer = own || its.prefix.handshakes >= host.prefix.handshakes
  if (!isSilent && isOfNoFewer && now - activeAt >= limits.handshakeStallMs) return 3
  if (isGreedy) return 4
  if (isSilent) return 5
  return !own && host.handshakes < placesOfVoters(host, limits) ? 6 : undefined
}

/** Handshakes of an address that its votes of late keep. */
const placesOfVoters = ({ hasCredit, voters }: Host, { handshakesPerVoter, handshakesPerPrefixFair }: IntakeLimits) =>
  hasCredit ? Math.min(handshakesPerPrefixFair, voters.size * handshakesPerVoter) : 0

function isOfMore(a: Guest, b: Guest): boolean {
  const byPrefix = a.host.prefix.handshakes - b.host.prefix.handshakes
  return byPrefix !== 0 ? byPrefix > 0 : isBefore(a, b, 'handshakes')
}

const isBefore = (a: Guest, b: Guest, by: 'connections' | 'handshakes'): boolean =>
  a.host[by] !== b.host[by] ? a.host[by] > b.host[by] : a.activeAt < b.activeAt

/** The memory of a connection with votes counts for a tenth: a peer that brings votes is not closed for a peer that brings none. */
const SHARE_WITH_VOTES = 0.1

/** The memory that connections of one address hold: of those with votes, or of the others. */
interface Holding {
  sum: number
  connections: number
  most: Guest
  held: number
}

/**
 * The connection that takes most by some measure, of the address that does; also one that is not known to libp2p yet. Connections with
 * votes are compared apart from the others of their address, on an average, and the others have a share for each of its voters: peers
 * behind one address do not pay for each other.
 */
export function greediest(guests: Iterable<Guest>, measure: (guest: Guest) => number, limits: IntakeLimits) {
  const [kept, others] = [new Map<Host, Holding>(), new Map<Host, Holding>()]
  for (const guest of guests) hold(isKept(guest) ? kept : others, guest, measure(guest))
  let first: { most: Guest; weight: number } | undefined
  const compare = (most: Guest, weight: number): void => {
    if (!first || weight > first.weight) first = { most, weight }
  }
  for (const { most, sum, connections } of kept.values()) compare(most, (SHARE_WITH_VOTES * sum) / connections)
  for (const [{ hasCredit, voters }, { most, sum }] of others)
    compare(most, sum / (1 + (hasCredit ? voters.size * limits.connectionsPerVoter : 0)))
  return first?.most
}

function hold(holdings: Map<Host, Holding>, guest: Guest, held: number): void {
  const of = holdings.get(guest.host)
  if (!of) holdings.set(guest.host, { sum: held, connections: 1, most: guest, held })
  else {
    of.sum += held
    of.connections++
    if (held > of.held) Object.assign(of, { most: guest, held })
  }
}
