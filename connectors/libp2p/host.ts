/** The libp2p host of the intake: TCP, TLS and noise, yamux, identify and ping; it accepts and never dials. */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { createLibp2p } from 'libp2p'
import type { Connections } from './connections.ts'
import { type IntakeLimits, STREAM_WINDOW_BYTES } from './limits.ts'
import { answerPings, PING_PROTOCOL, PING_STREAMS_MAX } from './ping.ts'
import { boundExponents } from './rsa-exponents.ts'

/** Streams of identify and ping, beside the streams of /collect. */
const OTHER_STREAMS = 64
/** Streams that a collector opens in the same breath as the connection. libp2p closes it above 10. */
const EARLY_STREAMS = 1_024

export interface HostOptions {
  readonly listen: readonly string[]
  readonly privateKey: PrivateKey
  readonly limits: IntakeLimits
  readonly connections: Connections
}

/** Creates the libp2p host without starting it. */
export async function createHost({ listen, privateKey, limits, connections }: HostOptions): Promise<Libp2p> {
  boundExponents()
  const host = await createLibp2p({
    start: false,
    privateKey,
    addresses: { listen: [...listen] },
    transports: [
      tcp({
        inboundSocketInactivityTimeout: limits.socketIdleMs,
        maxConnections: 2 * (limits.connectionsMax + limits.handshakesMax),
      }),
    ],
    // The deployed collector (Go) asks for TLS first; each dialer picks what it has.
    connectionEncrypters: [connections.remembering(tls()), connections.remembering(noise())],
    streamMuxers: [
      connections.inbound.watching(
        yamux({
          maxInboundStreams: limits.streamsPerConnectionMax + OTHER_STREAMS,
          maxEarlyStreams: EARLY_STREAMS,
          streamOptions: {
            initialStreamWindowSize: STREAM_WINDOW_BYTES,
            maxStreamWindowSize: STREAM_WINDOW_BYTES,
            maxReadBufferLength: limits.unreadBytesMax,
            maxWriteBufferLength: limits.unsentBytesMax,
          },
        }),
      ),
    ],
    connectionGater: connections.gater,
    connectionManager: {
      // ours is the gater's: libp2p would turn the newcomer away, or close one by its age
      maxConnections: 2 * (limits.connectionsMax + limits.handshakesMax),
      // ours is the gater's, which counts whom it refuses
      inboundConnectionThreshold: Number.MAX_SAFE_INTEGER,
      // ours is the gater's, which ends one that has stalled; it takes a moment until libp2p knows
      maxIncomingPendingConnections: 2 * limits.handshakesMax,
      inboundUpgradeTimeout: limits.upgradeTimeoutMs,
      inboundStreamProtocolNegotiationTimeout: limits.connectionIdleMs,
      reconnectRetries: 0,
    },
    // It closes connections whose peer does not answer a ping: all of them, while back-pressure keeps us from reading.
    connectionMonitor: { enabled: false },
    // It answers, and asks nobody: who is asked chooses what we read.
    services: { identify: identify({ maxObservedAddresses: 1, runOnConnectionOpen: false }) },
  })
  await host.handle(PING_PROTOCOL, answerPings, { maxInboundStreams: PING_STREAMS_MAX })
  connections.inbound.streamProtocols = () => host.getProtocols()
  return host
}

/** Peers come with a new random id every 300 s, so what libp2p remembers of each would grow for ever. */
export async function forgetGonePeers(host: Libp2p): Promise<void> {
  const connected = new Set(host.getPeers().map(String))
  for (const { id } of await host.peerStore.all())
    if (!connected.has(id.toString()) && !id.equals(host.peerId)) await host.peerStore.delete(id)
}
