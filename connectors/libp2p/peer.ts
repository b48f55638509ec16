/** The peers, and the facts that are kept of each: of an address, a socket, a connection that opened /collect, and a stream. */

import type { yamux } from '@chainsafe/libp2p-yamux'
import type { Connection, MultiaddrConnection, Stream } from '@libp2p/interface'
import type { FrameGate } from './frames.ts'
import type { FrameDecoder } from './framing.ts'
import type { TokenBucket } from './limits.ts'
import type { Pressed } from './pressure.ts'
import type { SocketGate } from './socket-gate.ts'
import type { Standing } from './standing.ts'
import type { Talker } from './talkers.ts'

/** The protocol of the streams that bring submissions. */
export const COLLECT_PROTOCOL = '/collect'

/** A connection that opened /collect. */
export interface Peer extends Pressed {
  readonly peerId: string
  readonly connection: Connection
  readonly streams: Set<CollectStream>
  readonly letters: TokenBucket
  readonly standing: Standing
  readonly address: string
  readonly host: Host
  readonly guest: Guest | undefined
  readonly talker: Talker
  partialBytes: number
  messages: number
  /** Time before which the connection is not read since it is over a rate of its own, ms. */
  heldUntil: number
}

/** Everything from one address. */
export interface Host extends Standing {
  readonly name: string
  readonly prefix: Prefix
  /** Handshakes that it may still begin. */
  readonly arrivals: TokenBucket
  /** Frames that it may still send. */
  readonly framePace: TokenBucket
  /** Slots and their owners whose votes came from there last. */
  readonly voters: Set<string>
  connections: number
  handshakes: number
}

/** Addresses that one user may have all of. */
export interface Prefix {
  readonly name: string
  /** Addresses of it that are known. */
  hosts: number
  handshakes: number
}

/** A socket that was let in. */
export interface Guest {
  readonly socket: MultiaddrConnection
  readonly host: Host
  readonly frames: FrameGate
  /** Frames that it may still send. */
  readonly framePace: TokenBucket
  peer: Peer | undefined
  peerId: string
  handshaking: boolean
  /** The handshake, from its name on: waits for its turn, or has had it. */
  turn: 'none' | 'waiting' | 'had'
  /** When its last message that may count came, or itself, ms. */
  activeAt: number
  /** Slots and their owners whose votes keep its place. */
  readonly voters: Set<string>
  /** A message came on it that may count. */
  isFruitful: boolean
  /** Looks at its bytes before libp2p has them. */
  gate: SocketGate | undefined
  /** Once it has said who it is. */
  muxer: Muxer | undefined
  /** When its last bytes came, ms, and how many came in all. */
  heardAt: number
  heardBytes: number
  /** Streams that the connection has open, also streams that are not negotiated yet. */
  streams: number
}

/** An open stream. */
export interface CollectStream {
  readonly stream: Stream
  readonly peer: Peer
  readonly decoder: FrameDecoder
  /** Memory that the decoder holds, as counted. */
  partialBytes: number
  /** When the unfinished message began, ms; undefined when there is none. */
  unfinishedSince: number | undefined
}

export type Muxer = ReturnType<ReturnType<ReturnType<typeof yamux>>['createStreamMuxer']>
