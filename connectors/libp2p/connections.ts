/** The connections: how many from where, the memory that each holds, and the handle that stops its reading. */
import type {
  Connection,
  ConnectionEncrypter,
  ConnectionGater,
  MessageStream,
  MultiaddrConnection,
} from '@libp2p/interface'
import type { Clock } from '../../streams/ports.ts'
import { addressOf, hostOf } from './address.ts'
import type { Bans } from './bans.ts'
import { Claims } from './claims.ts'
import type { Counts, ShedReason } from './counts.ts'
import { HandshakeTurns } from './handshake-turns.ts'
import { Hosts } from './hosts.ts'
import { Inbound } from './inbound.ts'
import { type IntakeLimits, TokenBucket } from './limits.ts'
import type { Guest, Host, Peer } from './peer.ts'
import { arriving, givingWay, greediest, leaving } from './places.ts'
import { Standings } from './standing.ts'
import type { Talkers } from './talkers.ts'

export class Connections {
  readonly peers = new Set<Peer>()
  private readonly byId = new Map<string, Peer>()
  private readonly hosts: Hosts
  private readonly turns: HandshakeTurns
  private readonly guests = new Set<Guest>()
  private readonly kept: Claims<Guest>
  private readonly standings: Standings
  private handshaking = 0
  /** A connection has the timeline object of its socket: the one thing that the two share and that can be reached. */
  private readonly decrypted = new WeakMap<object, MessageStream>()
  private readonly byTimeline = new WeakMap<object, Guest>()
  readonly inbound: Inbound
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
    this.standings = new Standings(parts.limits)
    this.kept = new Claims(parts.limits.connectionsPerVoter)
    this.now = () => parts.clock.now()
    this.hosts = new Hosts(parts.limits)
    this.turns = new HandshakeTurns(parts.limits, this.now)
    this.inbound = new Inbound(parts.limits, parts.counts, this.now)
    this.inbound.onExcess = () => this.shedGreediest('streams', ({ streams }) => streams)
    this.inbound.onPending = () => this.shedGreediest('partial-bytes', (guest) => this.inbound.pending.of(guest))
    this.inbound.onFault = (guest, reason) => this.close(guest, reason)
  }

  of(connection: Connection, now: number): Peer {
    const known = this.byId.get(connection.id)
    if (known) return known
    const peerId = connection.remotePeer.toString()
    const guest = this.byTimeline.get(connection.timeline)
    const host = guest?.host ?? this.hosts.named(hostOf(connection), now)
    const peer: Peer = {
      peerId,
      connection,
      source: this.decrypted.get(connection.timeline),
      streams: new Set(),
      letters: new TokenBucket(this.limits.lettersPerConnection, now),
      standing: this.standings.enter(peerId, host.name, now),
      address: addressOf(connection),
      host,
      guest,
      talker: this.talkers.of(peerId, host.name),
      inflightBytes: 0,
      unprovenBytes: 0,
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
      this.standings.leave(peerId, host.name)
    })
    return peer
  }

  /** A message that may count came on it. */
  touch({ connection }: Peer, now: number): void {
    const guest = this.byTimeline.get(connection.timeline)
    if (!guest) return
    guest.activeAt = now
    guest.isFruitful = true
  }

  /** A vote came on it: it keeps the place, speaks for the address, and ends a ban of it. @param voter the slot and its owner */
  voted({ guest, host }: Peer, voter: string): void {
    if (guest && this.guests.has(guest)) this.kept.vote(voter, guest)
    this.hosts.voted(host, voter)
    this.bans.lift(host.name)
  }

  /** Refuses what is too much from one host, before any cryptography; then the banned, as soon as they say who they are. */
  readonly gater: ConnectionGater = {
    denyInboundConnection: (socket) => {
      const now = this.now()
      if (this.inbound.isParting) return this.counts.shed('stopping')
      if (this.bans.of({ address: addressOf(socket) }, now)) return this.counts.shed('banned')
      const host = this.hosts.named(hostOf(socket), now)
      if (host.handshakes >= this.limits.handshakesPerHostMax && !this.endHandshake(now, host, true))
        return this.counts.shed('host-handshakes')
      if (this.handshaking >= this.limits.handshakesMax && !this.endHandshake(now, host, false))
        return this.counts.shed('handshakes')
      const full = this.fullAt(host, 1, now)
      if (full) return this.counts.shed(full)
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
      const guest = this.byTimeline.get(socket.timeline)
      if (!guest) return false
      this.handshakeOver(guest)
      guest.activeAt = this.now()
      const full = this.fullAt(guest.host, 0, guest.activeAt)
      if (full) this.close(guest, full)
      return full !== undefined
    },
  }

  /** Closes what has been silent for too long, lets old faults fade. To be called every so often. */
  sweep(elapsedMs: number): void {
    const now = this.now()
    for (const guest of this.guests) {
      if (!guest.handshaking && now - guest.activeAt > this.limits.connectionIdleMs) this.close(guest, 'idle')
    }
    this.standings.fade(elapsedMs)
    this.hosts.fade(elapsedMs, now)
  }

  /** Closes the connections of who is banned by now. For a ban of an address by the intake itself only those with faults. */
  enforceBans(): void {
    const now = this.now()
    for (const guest of this.guests) {
      const ban = this.bans.of({ peerId: guest.peerId, address: addressOf(guest.socket) }, now)
      if (!ban || (ban.isOwn && ban.subject !== guest.peerId && !guest.peer?.standing.faults)) continue
      this.close(guest, 'banned')
    }
  }

  /** The faults of an address or a peer are forgotten. */
  forgive(subject: string): void {
    this.hosts.forgive(subject)
    for (const { peerId, standing } of this.peers) if (peerId === subject) standing.faults = 0
  }

  private letIn(socket: MultiaddrConnection, host: Host, now: number): void {
    const guest = arriving(socket, host, this.limits, now)
    this.guests.add(guest)
    this.byTimeline.set(socket.timeline, guest)
    this.inbound.greet(guest)
    host.connections++
    host.handshakes++
    host.prefix.handshakes++
    this.handshaking++
    socket.addEventListener('close', () => {
      if (guest.handshaking) this.counts.shed('half-open')
      this.handshakeOver(guest)
      this.charge(guest, this.now())
      this.forget(guest)
    })
  }

  /** A connection that ends without a message that may count has cost more than it brought. Votes of its address pay for it. */
  private charge(guest: Guest, now: number): void {
    if (guest.isFruitful || guest.turn !== 'had' || !this.turns.pays(guest.host, now)) return
    guest.host.arrivals.owe(this.limits.fruitlessArrivals, now)
  }

  /**
   * The bound that leaves no place, when nobody makes room. Places are asked for twice: many may have begun their handshake meanwhile.
   * @param more connections that come beside those that have said who they are
   */
  private fullAt(host: Host, more: number, now: number): ShedReason | undefined {
    const { connectionsPerHostMax, connectionsMax } = this.limits
    const [ofHost, ofAll] = [host.connections - host.handshakes + more, this.guests.size - this.handshaking + more]
    if (ofHost > connectionsPerHostMax && !this.makeRoom(now, host, true)) return 'host-connections'
    return ofAll > connectionsMax && !this.makeRoom(now, host, false) ? 'connections' : undefined
  }

  /** @param own only for one of the same host */
  private makeRoom(now: number, host: Host, own: boolean): boolean {
    const guest = leaving(this.guests, host, own, this.limits, now)
    if (guest) this.close(guest, 'idle')
    return guest !== undefined
  }

  private endHandshake(now: number, host: Host, own: boolean): boolean {
    const guest = givingWay(this.guests, host, own, this.limits, now)
    if (guest) this.close(guest, own ? 'host-handshakes' : 'handshakes')
    return guest !== undefined
  }

  private close(guest: Guest, reason: ShedReason): void {
    this.counts.shed(reason)
    this.handshakeOver(guest)
    this.forget(guest)
    end(guest, `the intake closes this connection: ${reason}`)
  }

  private forget(guest: Guest): void {
    if (!this.guests.delete(guest)) return
    guest.host.connections--
    this.kept.leave(guest)
  }

  private handshakeOver(guest: Guest | undefined): void {
    if (!guest?.handshaking) return
    guest.handshaking = false
    guest.host.handshakes--
    guest.host.prefix.handshakes--
    this.turns.leave(guest)
    this.handshaking--
  }

  /** An encrypter that remembers the decrypted stream of each connection that it takes. */
  remembering<C>(create: (components: C) => ConnectionEncrypter): (components: C) => ConnectionEncrypter {
    return (components) => {
      const encrypter = create(components)
      const secure = encrypter.secureInbound.bind(encrypter)
      encrypter.secureInbound = async (socket, options) => {
        const guest = this.byTimeline.get(socket.timeline)
        if (guest) await this.takeTurn(guest)
        const secured = await secure(socket, options)
        this.decrypted.set(socket.timeline, secured.connection)
        if (guest) this.inbound.remember(secured.connection, guest, secured.streamMuxer !== undefined)
        return secured
      }
      this.inbound.encryptions.push(encrypter.protocol)
      return encrypter
    }
  }

  /** Resolves when its handshake may begin. */
  private async takeTurn(guest: Guest): Promise<void> {
    guest.turn = 'waiting'
    const refusal = await this.turns.of(guest)
    if (refusal === undefined) {
      guest.turn = 'had'
      return
    }
    if (refusal !== 'gone') this.close(guest, refusal)
    throw new Error(`no turn for a handshake: ${refusal}`)
  }

  /** Tells everybody that the intake ends; from now on nobody new is let in. */
  part(): void {
    this.turns.close()
    this.inbound.part(this.guests)
  }

  /** The connections that may still have something under way, or are not read at present. @param elapsedMs since the last call */
  notParted(elapsedMs: number): number {
    return this.inbound.notParted((guest) => this.guests.has(guest), elapsedMs)
  }

  /** Ends the connection that takes most by some measure. */
  shedGreediest(reason: 'streams' | 'partial-bytes', measure: (guest: Guest) => number): void {
    this.counts.shed(reason)
    const guest = greediest(this.guests, measure, this.limits)
    if (guest) end(guest, `the intake has too many: ${reason}`)
  }
}

/** Ends a connection, its streams first, so that none of them counts any more. There may be some before libp2p tells of the connection. */
function end({ muxer, socket }: Guest, why: string): void {
  const error = new Error(why)
  muxer?.abort(error)
  socket.abort(error)
}
