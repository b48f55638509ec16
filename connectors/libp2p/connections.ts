/** Who is connected: how many from where, what each holds of our memory, and by what its reading can be stopped. */
import type {
  Connection,
  ConnectionEncrypter,
  ConnectionGater,
  MessageStream,
  MultiaddrConnection,
} from '@libp2p/interface'
import type { CollectStream } from './collect.ts'
import type { Counts } from './counts.ts'
import { type IntakeLimits, TokenBucket } from './limits.ts'
import type { Pressed } from './pressure.ts'

/** One connection that opened /collect. */
export interface Peer extends Pressed {
  readonly peerId: string
  readonly connection: Connection
  readonly streams: Set<CollectStream>
  readonly letters: TokenBucket
  partialBytes: number
}

interface HostUse {
  connections: number
  handshakes: number
}

export class Connections {
  readonly peers = new Set<Peer>()
  private readonly byId = new Map<string, Peer>()
  private readonly hosts = new Map<string, HostUse>()
  /** A connection has the timeline object of its socket: the one thing that the two share and that can be reached. */
  private readonly decrypted = new WeakMap<object, MessageStream>()
  private readonly handshaking = new WeakMap<object, HostUse>()
  private readonly limits: IntakeLimits
  private readonly counts: Counts

  constructor(limits: IntakeLimits, counts: Counts) {
    this.limits = limits
    this.counts = counts
  }

  of(connection: Connection, now: number): Peer {
    const known = this.byId.get(connection.id)
    if (known) return known
    const peer: Peer = {
      peerId: connection.remotePeer.toString(),
      connection,
      source: this.decrypted.get(connection.timeline),
      streams: new Set(),
      letters: new TokenBucket(this.limits.lettersPerConnection, now),
      inflightBytes: 0,
      partialBytes: 0,
      paused: false,
    }
    this.peers.add(peer)
    this.byId.set(connection.id, peer)
    connection.addEventListener('close', () => {
      this.peers.delete(peer)
      this.byId.delete(connection.id)
    })
    return peer
  }

  /** Refuses what is too much from one host, before any cryptography. */
  readonly gater: ConnectionGater = {
    denyInboundConnection: (socket) => {
      const host = hostOf(socket)
      const use = this.hosts.get(host) ?? { connections: 0, handshakes: 0 }
      if (use.connections >= this.limits.connectionsPerHostMax) return this.counts.shed('host-connections')
      if (use.handshakes >= this.limits.handshakesPerHostMax) return this.counts.shed('host-handshakes')
      this.hosts.set(host, use)
      use.connections++
      use.handshakes++
      this.handshaking.set(socket, use)
      socket.addEventListener('close', () => {
        this.handshakeOver(socket)
        if (--use.connections === 0) this.hosts.delete(host)
      })
      return false
    },
    denyInboundUpgradedConnection: (_peer, socket) => {
      this.handshakeOver(socket)
      return false
    },
  }

  private handshakeOver(socket: MultiaddrConnection): void {
    const use = this.handshaking.get(socket)
    if (use) use.handshakes--
    this.handshaking.delete(socket)
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

/** The address limits go by: an IPv4 address, or the /64 that an IPv6 user has all of. */
export function hostOf({ remoteAddr }: Pick<MultiaddrConnection, 'remoteAddr'>): string {
  const { name, value = '' } = remoteAddr.getComponents().find(({ name }) => name === 'ip4' || name === 'ip6') ?? {}
  if (name !== 'ip6' || value.includes('.')) return value
  const [left = '', right] = value.split('::')
  const groups = left.split(':').filter(Boolean)
  const tail = (right ?? '').split(':').filter(Boolean)
  const all = right === undefined ? groups : [...groups, ...Array(8 - groups.length - tail.length).fill('0'), ...tail]
  return `${all.slice(0, 4).join(':')}::/64`
}
