/** The adversary's connections: libp2p hosts from several addresses of loopback, which send without waiting. */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import type { Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'

const AGAIN_MS = 250
const DIAL_MS = 15_000
const FLUSH_MS = 60_000

export interface Lines {
  readonly count: number
  /** How often a line was opened, and how often that failed. */
  readonly opened: number
  readonly refused: number
  /** Resolves when every line was opened or refused. */
  tried(): Promise<unknown>
  /** False when the line is not open, or has as much unsent as it holds: nothing is kept. */
  send(line: number, bytes: Uint8Array): boolean
  /** @param flush waits until the other side has read what was sent, at most a minute */
  close(flush: boolean): Promise<void>
}

/** An address of loopback that nobody honest sends from; as many attackers as there are numbers. */
export const addressOf = (n: number): string => `127.0.0.${2 + (n % 200)}`

/** @param addresses how many source addresses the lines are spread over; 0: that of everybody else */
export async function openLines(intakes: readonly string[], lines: number, addresses: number): Promise<Lines> {
  const counts = { opened: 0, refused: 0 }
  let closed = false
  const streams: (Stream | undefined)[] = []
  const hosts = await Promise.all(
    Array.from({ length: lines }, (_, i) => hostAt(addresses === 0 ? undefined : addressOf(i % addresses))),
  )
  const firstTries: Promise<void>[] = []
  const keepOpen = async (host: Libp2p, i: number): Promise<void> => {
    let triedOnce = (): void => {}
    firstTries.push(
      new Promise((resolve) => {
        triedOnce = resolve
      }),
    )
    while (!closed) {
      if (streams[i]?.status !== 'open') {
        try {
          const signal = AbortSignal.timeout(DIAL_MS)
          streams[i] = await host.dialProtocol(multiaddr(intakes[i % intakes.length]!), '/collect', { signal })
          counts.opened++
        } catch {
          counts.refused++
        }
      }
      triedOnce()
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
    }
  }
  const kept = hosts.map(keepOpen)
  return {
    count: lines,
    get opened() {
      return counts.opened
    },
    get refused() {
      return counts.refused
    },
    tried: () => Promise.all(firstTries),
    send(line, bytes) {
      const stream = streams[line]
      if (stream?.status !== 'open' || stream.writableNeedsDrain) return false
      try {
        stream.send(bytes)
        return true
      } catch {
        return false
      }
    },
    async close(flush) {
      closed = true
      if (flush) await Promise.all(streams.map((stream) => stream && closeBothHalves(stream)))
      await Promise.all([...kept, ...hosts.map(async (host) => host.stop())])
    },
  }
}

/** The intake closes its half when it has read ours to the end. */
async function closeBothHalves(stream: Stream): Promise<void> {
  const signal = AbortSignal.timeout(FLUSH_MS)
  const closed = new Promise<void>((resolve) => {
    if (stream.status !== 'open') resolve()
    stream.addEventListener('close', () => resolve(), { once: true })
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await stream.close({ signal }).catch(() => {})
  await closed
}

/** @param localAddress an option of the socket that the transport hands on and does not name */
export async function hostAt(localAddress: string | undefined): Promise<Libp2p> {
  const dialOpts = localAddress === undefined ? {} : ({ localAddress } as object)
  const host = await createLibp2p({
    transports: [tcp({ dialOpts })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ maxOutboundStreams: 1_000 })],
    connectionManager: { reconnectRetries: 0 },
    connectionMonitor: { enabled: false },
  })
  await host.start()
  return host
}
