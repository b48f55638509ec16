/** Connections to an intake as the deployed collector keeps them: one libp2p host each, long-lived streams, random peer ids. */

import { identify } from '@libp2p/identify'
import type { Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'

const PROTOCOL = '/collect'
const STREAMS_MAX = 1_000
const RECONNECT_FIRST_MS = 100
const RECONNECT_MOST_MS = 5_000
const SEND_TRIES = 20

export interface SenderOptions {
  readonly to: string
  /** The deployed collector connects by TLS. */
  readonly encryption: 'tls' | 'noise'
}

/** One host with one long-lived stream. Sends one message after the other. */
export interface Sender {
  /** Resolves when the message was handed to the connection; tries again through reconnects until the signal. */
  send(bytes: Uint8Array, ownStream: boolean, signal: AbortSignal): Promise<void>
  readonly reconnects: number
  close(): Promise<void>
}

export async function createSender({ to, encryption }: SenderOptions): Promise<Sender> {
  const host = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: encryption === 'tls' ? [tls()] : [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
    connectionManager: { reconnectRetries: 0 },
  })
  await host.start()
  return new PooledSender(host, to)
}

class PooledSender implements Sender {
  reconnects = 0
  private readonly host: Libp2p
  private readonly to: string
  private stream: Stream | undefined
  private last: Promise<void> = Promise.resolve()

  constructor(host: Libp2p, to: string) {
    this.host = host
    this.to = to
  }

  send(bytes: Uint8Array, ownStream: boolean, signal: AbortSignal): Promise<void> {
    const sent = this.last.then(() => this.sendNow(bytes, ownStream, signal))
    this.last = sent.catch(() => {})
    return sent
  }

  private async sendNow(bytes: Uint8Array, ownStream: boolean, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < SEND_TRIES && !signal.aborted; attempt++) {
      try {
        const stream = ownStream ? await this.open(signal) : await this.pooled(signal)
        await write(stream, bytes, signal)
        if (ownStream) await stream.close({ signal }).catch(() => {})
        return
      } catch {
        this.stream = undefined
        this.reconnects++
        await pause(Math.min(RECONNECT_FIRST_MS * 2 ** attempt, RECONNECT_MOST_MS), signal)
      }
    }
  }

  private async pooled(signal: AbortSignal): Promise<Stream> {
    if (this.stream?.status !== 'open') this.stream = await this.open(signal)
    return this.stream
  }

  private open = (signal: AbortSignal): Promise<Stream> =>
    this.host.dialProtocol(multiaddr(this.to), PROTOCOL, { signal, maxOutboundStreams: STREAMS_MAX })

  async close(): Promise<void> {
    await this.last
    await this.stream?.close({ signal: AbortSignal.timeout(1_000) }).catch(() => {})
    await this.host.stop()
  }
}

/** Waits for room by the event: the library's own `onDrain` resolves at once after the first time. */
async function write(stream: Stream, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  if (stream.status !== 'open') throw new Error(`the stream is ${stream.status}`)
  if (stream.send(bytes) || !stream.writableNeedsDrain) return
  await new Promise<void>((resolve, reject) => {
    stream.addEventListener('drain', () => resolve(), { once: true })
    stream.addEventListener('close', () => reject(new Error('closed while writing')), { once: true })
    signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true })
  })
}

export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
