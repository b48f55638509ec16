/** Who is connected: how many from where, what each holds of our memory, and by what its reading can be stopped. */
import type {
  Connection,
  ConnectionEncrypter,
  ConnectionGater,
  MessageStream,
  MultiaddrConnection,
} from '@libp2p/interface'
import type { Clock } from '../../streams/ports.ts'
import { type Bans, plainAddress } from './bans.ts'
import type { CollectStream } from './collect.ts'
import type { Counts } from './counts.ts'
import { type IntakeLimits, TokenBucket } from './limits.ts'
import type { Pressed } from './pressure.ts'
import { Standing } from './standing.ts'
import type { Talker, Talkers } from './talkers.ts'

/** One connection that opened /collect. */
export interface Peer extends Pressed {
  readonly peerId: string
  readonly connection: Connection
  readonly streams: Set<CollectStream>
  readonly letters: TokenBucket
  readonly standing: Standing
  readonly address: string
  readonly host: Host
  readonly talker: Talker
  partialBytes: number
  messages: number
}

/** Everything from one address. */
export interface Host extends Standing {
  readonly name: string
  connections: number
  handshakes: number
}

/** A socket that was let in. */
interface Guest {
  readonly socket: MultiaddrConnection
  readonly host: Host
  peer: Peer | undefined
  peerId: string
  handshaking: boolean
  /** When its last message came, or itself, ms. */
  activeAt: number
}

export class Connections {
  readonly peers = new Set<Peer>()
  private readonly byId = new Map<string, Peer>()
  private readonly hosts = new Map<string, Host>()
  private readonly guests = new Set<Guest>()
  private handshaking = 0
  /** A connection has the timeline object of its socket: the one thing that the two share and that can be reached. */
  private readonly decrypted = new WeakMap<object, MessageStream>()
  private readonly byTimeline = new WeakMap<object, Guest>()
  private readonly limits: IntakeLimits
  private readonly counts: Counts
  private readonly bans: Bans
  private readonly talkers: Talkers
  private readonly now: () => number

  constructor(parts: {
    readonly limits: IntakeLimits
    readonly counts: Counts
    readonly bans: Bans
    readonly talkers: Talkers
    readonly clock: Pick<Clock, 'now'>
  }) {
    this.limits = parts.limits
    this.counts = parts.counts
    this.bans = parts.bans
    this.talkers = parts.talkers
    this.now = () => parts.clock.now()
  }

  of(connection: Connection, now: number): Peer {
    const known = this.byId.get(connection.id)
    if (known) return known
    const peerId = connection.remotePeer.toString()
    const guest = this.byTimeline.get(connection.timeline)
    const host = guest?.host ?? this.hostNamed(hostOf(connection), now)
    const peer: Peer = {
      peerId,
      connection,
      source: this.decrypted.get(connection.timeline),
      streams: new Set(),
      letters: new TokenBucket(this.limits.lettersPerConnection, now),
      standing: new Standing(this.limits, now, 'connection'),
      address: addressOf(connection),
      host,
      talker: this.talkers.of(peerId, host.name),
      inflightBytes: 0,
      partialBytes: 0,
      messages: 0,
      paused: false,
      heldUntil: 0,
    }
    if (guest) guest.peer = peer
    this.peers.add(peer)
    this.byId.set(connection.id, peer)
    connection.addEventListener('close', () => {
      this.peers.delete(peer)
      this.byId.delete(connection.id)
    })
    return peer
  }

  /** A message came on it. */
  touch({ connection }: Peer, now: number): void {
    const guest = this.byTimeline.get(connection.timeline)
    if (guest) guest.activeAt = now
  }

  /** Refuses what is too much from one host, before any cryptography; then the banned, as soon as they say who they are. */
  readonly gater: ConnectionGater = {
    denyInboundConnection: (socket) => {
      const now = this.now()
      if (this.bans.of({ address: addressOf(socket) }, now)) return this.counts.shed('banned')
      const host = this.hostNamed(hostOf(socket), now)
      if (host.handshakes >= this.limits.handshakesPerHostMax) return this.counts.shed('host-handshakes')
      if (host.connections >= this.limits.connectionsPerHostMax && !this.makeRoom(now, host))
        return this.counts.shed('host-connections')
      if (this.guests.size - this.handshaking >= this.limits.connectionsMax && !this.makeRoom(now))
        return this.counts.shed('connections')
      this.letIn(socket, host, now)
      return false
    },
    denyInboundEncryptedConnection: (peer, socket) => {
      const peerId = peer.toString()
      const guest = this.byTimeline.get(socket.timeline)
      if (guest) guest.peerId = peerId
      return this.bans.of({ peerId }, this.now()) ? this.counts.shed('banned') : false
    },
    denyInboundUpgradedConnection: (_peer, socket) => {
      this.handshakeOver(this.byTimeline.get(socket.timeline))
      return false
    },
  }

  /** Closes what has been silent for too long, lets old faults fade. To be called every so often. */
  sweep(elapsedMs: number): void {
    const now = this.now()
    for (const guest of this.guests) {
      if (!guest.handshaking && now - guest.activeAt > this.limits.connectionIdleMs) this.close(guest, 'idle')
      if (guest.peer) fade(guest.peer.standing, elapsedMs)
    }
    for (const host of this.hosts.values()) {
      fade(host, elapsedMs)
      if (host.connections === 0 && isRested(host, this.limits, now)) this.hosts.delete(host.name)
    }
  }

  /** Closes the connections of who is banned by now. */
  enforceBans(): void {
    const now = this.now()
    for (const guest of this.guests)
      if (this.bans.of({ peerId: guest.peerId, address: addressOf(guest.socket) }, now)) this.close(guest, 'banned')
  }

  /** The faults of an address or a peer are forgotten. */
  forgive(subject: string): void {
    for (const host of this.hosts.values()) if (host.name === subject) host.faults = 0
    for (const { peerId, standing } of this.peers) if (peerId === subject) standing.faults = 0
  }

  /** Whether somebody from there brings votes. */
  hasCredit(host: Host): boolean {
    for (const peer of this.peers) if (peer.host === host && peer.standing.credit > 0) return true
    return false
  }

  private letIn(socket: MultiaddrConnection, host: Host, now: number): void {
    const guest: Guest = { socket, host, peer: undefined, peerId: '', handshaking: true, activeAt: now }
    this.guests.add(guest)
    this.byTimeline.set(socket.timeline, guest)
    host.connections++
    host.handshakes++
    this.handshaking++
    socket.addEventListener('close', () => {
      this.handshakeOver(guest)
      if (this.guests.delete(guest)) host.connections--
    })
  }

  /** Closes the connection that has been silent longest, one without votes first; false when none is idle. */
  private makeRoom(now: number, of?: Host): boolean {
    let least: Guest | undefined
    for (const guest of this.guests) {
      if (guest.handshaking || (of && guest.host !== of) || now - guest.activeAt < this.limits.shedIdleMs) continue
      if (!least || isBefore(guest, least)) least = guest
    }
    if (!least) return false
    this.close(least, 'idle')
    return true
  }

  private close(guest: Guest, reason: 'idle' | 'banned'): void {
    this.counts.shed(reason)
    if (this.guests.delete(guest)) guest.host.connections--
    const error = new Error(`the intake closes this connection: ${reason}`)
    if (guest.peer) guest.peer.connection.abort(error)
    guest.socket.abort(error)
  }

  private hostNamed(name: string, now: number): Host {
    const known = this.hosts.get(name)
    if (known) return known
    const host = Object.assign(new Standing(this.limits, now, 'host'), { name, connections: 0, handshakes: 0 })
    this.hosts.set(name, host)
    return host
  }

  private handshakeOver(guest: Guest | undefined): void {
    if (!guest?.handshaking) return
    guest.handshaking = false
    guest.host.handshakes--
    this.handshaking--
  }

  /** An encrypter that remembers the decrypted stream of each connection that it takes. */
  remembering<C>(create: (components: C) => ConnectionEncrypter): (components: C) => ConnectionEncrypter {
    return (components) => {
      const encrypter = create(components)
      const secure = encrypter.secureInbound.bind(encrypter)
      encrypter.secureInbound = async (socket, options) => {
        const secured = await secure(socket, options)
        this.decrypted.set(socket.timeline, secured.connection)
        return secured
      }
      return encrypter
    }
  }

  /** The connection that takes most by some measure. */
  greediest(measure: (peer: Peer) => number): Peer | undefined {
    let most: Peer | undefined
    for (const peer of this.peers) if (!most || measure(peer) > measure(most)) most = peer
    return most
  }
}

const isBefore = (a: Guest, b: Guest): boolean => {
  const [votesA, votesB] = [a, b].map(({ peer }) => (peer && peer.standing.credit > 0 ? 1 : 0)) as [number, number]
  return votesA !== votesB ? votesA < votesB : a.activeAt < b.activeAt
}

const fade = (standing: Standing, elapsedMs: number): void => {
  standing.faults = Math.max(0, standing.faults - elapsedMs / 1000)
}

/** Nothing would be known of it that a new one does not have. */
const isRested = ({ faults, doubtful, pace }: Host, limits: IntakeLimits, now: number): boolean =>
  faults === 0 && doubtful.left(now) >= limits.doubtfulPerHost.burst && pace.left(now) >= limits.pacePerHost.burst

type Addressed = Pick<MultiaddrConnection, 'remoteAddr'>

function addressOf({ remoteAddr }: Addressed): string {
  const found = remoteAddr.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6')
  return plainAddress(found?.value ?? '')
}

/** The address limits go by: an IPv4 address, or the /64 that an IPv6 user has all of. */
export function hostOf(connection: Addressed): string {
  const value = addressOf(connection)
  if (!value.includes(':')) return value
  const [left = '', right] = value.split('::')
  const groups = left.split(':').filter(Boolean)
  const tail = (right ?? '').split(':').filter(Boolean)
  const all = right === undefined ? groups : [...groups, ...Array(8 - groups.length - tail.length).fill('0'), ...tail]
  return `${all.slice(0, 4).join(':')}::/64`
}
