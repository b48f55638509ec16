/** Connections to an intake as the deployed collector keeps them: one libp2p host each, long-lived streams, random peer ids. */

import { setMaxListeners } from 'node:events'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { doubling } from '../../../streams/back-off.ts'

const PROTOCOL = '/collect'
const CLOSE_MS = 2_000
const STREAMS_MAX = 1_000
const reconnectPauseMs = doubling({ firstMs: 100, mostMs: 5_000 })

type Encryption = 'tls' | 'noise'

export interface SendersOptions {
  /** Multiaddr of the intake, with its peer id. */
  readonly to: string
  readonly connections: number
  /** The deployed collector connects by TLS; of `both`, connections take turns. */
  readonly encryption: Encryption | 'both'
}

/** A host with one long-lived stream. Sends one message after the other. */
export interface Sender {
  /** Resolves when the connection has the message, tries again until then; false when the signal came first. */
  send(bytes: Uint8Array, ownStream: boolean): Promise<boolean>
  readonly reconnects: number
  close(): Promise<void>
}

/** @param signal every dial, write and pause of theirs may listen to it at once */
export function createSenders(
  { to, connections, encryption }: SendersOptions,
  signal: AbortSignal,
): Promise<readonly Sender[]> {
  setMaxListeners(0, signal)
  const encryptions: readonly Encryption[] = encryption === 'both' ? ['tls', 'noise'] : [encryption]
  return Promise.all(
    Array.from({ length: connections }, (_, i) => createSender(to, encryptions[i % encryptions.length]!, signal)),
  )
}

async function createSender(to: string, encryption: Encryption, signal: AbortSignal): Promise<Sender> {
  const host = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: encryption === 'tls' ? [tls()] : [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
    connectionManager: { reconnectRetries: 0 },
    // It hangs up on an intake that does not answer pings while back-pressure keeps it from reading; collectors do not.
    connectionMonitor: { enabled: false },
  })
  await host.start()
  return new PooledSender(host, to, signal)
}

class PooledSender implements Sender {
  reconnects = 0
  private readonly host: Libp2p
  private readonly to: string
  private readonly signal: AbortSignal
  private stream: Stream | undefined
  private last: Promise<unknown> = Promise.resolve()

  constructor(host: Libp2p, to: string, signal: AbortSignal) {
    this.host = host
    this.to = to
    this.signal = signal
  }

  send(bytes: Uint8Array, ownStream: boolean): Promise<boolean> {
    const sent = this.last.then(() => (ownStream ? this.sendAlone(bytes) : this.sendPooled(bytes)))
    this.last = sent.catch(() => {})
    return sent
  }

  private sendPooled(bytes: Uint8Array): Promise<boolean> {
    return this.retry(async () => {
      try {
        if (this.stream?.status !== 'open') this.stream = await this.open()
        await write(this.stream, bytes, this.signal)
      } catch (error) {
        this.stream = undefined
        throw error
      }
    })
  }

  /** A message that is to end its stream is sent once: being reset in the middle of it is the answer. */
  private async sendAlone(bytes: Uint8Array): Promise<boolean> {
    let stream: Stream | undefined
    const opened = await this.retry(async () => {
      stream = await this.open()
    })
    if (!stream) return opened
    await write(stream, bytes, this.signal).catch(() => {})
    await stream.close({ signal: this.signal }).catch(() => {})
    return true
  }

  private async retry(step: () => Promise<void>): Promise<boolean> {
    for (let failures = 1; !this.signal.aborted; failures++) {
      try {
        await step()
        return true
      } catch {
        if (this.signal.aborted) return false
        this.reconnects++
        await pause(reconnectPauseMs(failures), this.signal)
      }
    }
    return false
  }

  private open = (): Promise<Stream> =>
    this.host.dialProtocol(multiaddr(this.to), PROTOCOL, { signal: this.signal, maxOutboundStreams: STREAMS_MAX })

  async close(): Promise<void> {
    await this.last
    if (this.stream?.status === 'open') await closeBothHalves(this.stream)
    await this.host.stop()
  }
}

/** The intake closes its half when it has read ours to the end: a host that stops sooner may take its last message along. */
async function closeBothHalves(stream: Stream): Promise<void> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), CLOSE_MS)
  const { signal } = late
  const closed = new Promise<void>((resolve) => {
    stream.addEventListener('close', () => resolve(), { once: true })
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await stream.close({ signal }).catch(() => {})
  await closed
  clearTimeout(timer)
}

/** Waits for room by the event: the library's own `onDrain` resolves at once after the first time. */
async function write(stream: Stream, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  if (stream.status !== 'open') throw new Error(`the stream is ${stream.status}`)
  if (stream.send(bytes) || !stream.writableNeedsDrain) return
  await new Promise<void>((resolve, reject) => {
    const settle = (): void => {
      stream.removeEventListener('drain', settle)
      stream.removeEventListener('close', settle)
      signal.removeEventListener('abort', settle)
      if (stream.status !== 'open') reject(new Error('closed while writing'))
      else if (signal.aborted) reject(new Error('stopped'))
      else resolve()
    }
    stream.addEventListener('drain', settle)
    stream.addEventListener('close', settle)
    signal.addEventListener('abort', settle)
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
