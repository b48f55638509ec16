/**
 * A client that does as the deployed collector (Go): a pool of streams that are opened without a word, the name of the protocol with
 * the first message, the last one returned is used first, nothing is ever read, and Success once the connection has the bytes. A
 * stream that fails is reset, and the call with it.
 */

import { YamuxStream } from '@chainsafe/libp2p-yamux/stream'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'

export const GREETING = Buffer.from('\x13/multistream/1.0.0\n\x09/collect\n')
const WRITE_MS_MAX = 5_000

interface Opener {
  createStream(): Promise<YamuxStream>
}

/** Opens a stream and says nothing on it. */
export async function openSilently(connection: Connection): Promise<YamuxStream> {
  const stream = await (connection as unknown as { readonly muxer: Opener }).muxer.createStream()
  if (!(stream instanceof YamuxStream)) throw new Error('no stream of yamux')
  return stream
}

interface FrameSender {
  sendFrame(header: { type: 0; flag: 0; streamID: number; length: number }, data: Uint8Array): void
}

/** As a peer that does not care what it was told of a stream. */
export function sendAnyhow(connection: Connection | undefined, { id }: Pick<Stream, 'id'>, data: Uint8Array): void {
  const { muxer } = (connection ?? {}) as unknown as { readonly muxer?: FrameSender }
  muxer?.sendFrame({ type: 0, flag: 0, streamID: Number(id), length: data.length }, data)
}

export class Collector {
  /** Ids of messages by what their call was answered. */
  readonly success: string[] = []
  readonly failure: string[] = []
  private readonly host: Libp2p
  private readonly to: string
  private readonly poolMax: number
  private pool: YamuxStream[] = []
  private readonly greeted = new WeakSet<YamuxStream>()
  private dialing: Promise<Connection> | undefined

  constructor(host: Libp2p, to: string, poolMax = 20) {
    this.host = host
    this.to = to
    this.poolMax = poolMax
  }

  /** Opens the whole pool. */
  async fill(): Promise<void> {
    const connection = await this.connect()
    while (this.pool.length < this.poolMax) this.pool.push(await openSilently(connection))
  }

  /** Sends, and keeps what the call was answered. */
  async submit({ id, bytes }: { readonly id: string; readonly bytes: Buffer }): Promise<void> {
    const sent = await this.send(bytes).catch(() => false)
    ;(sent ? this.success : this.failure).push(id)
  }

  private async send(bytes: Buffer): Promise<boolean> {
    const stream = await this.take()
    const isFirst = !this.greeted.has(stream)
    this.greeted.add(stream)
    if (stream.status !== 'open') return false
    if (!stream.send(isFirst ? Buffer.concat([GREETING, bytes]) : bytes) && !(await hasRoom(stream))) {
      stream.abort(new Error('not written'))
      return false
    }
    if (this.pool.length < this.poolMax) this.pool.push(stream)
    else await stream.close()
    return true
  }

  /** Only whether the connection is closed is looked at. */
  private async take(): Promise<YamuxStream> {
    const connection = await this.connect()
    return this.pool.pop() ?? openSilently(connection)
  }

  private async connect(): Promise<Connection> {
    const [open] = this.host.getConnections().filter(({ status }) => status === 'open')
    if (open) return open
    this.pool = []
    this.dialing ??= this.host.dial(multiaddr(this.to)).finally(() => {
      this.dialing = undefined
    })
    return this.dialing
  }
}

const hasRoom = (stream: YamuxStream): Promise<boolean> =>
  new Promise((resolve) => {
    if (!stream.writableNeedsDrain) return resolve(stream.status === 'open')
    const settle = () => {
      clearTimeout(timer)
      stream.removeEventListener('drain', settle)
      stream.removeEventListener('close', settle)
      resolve(stream.status === 'open' && !stream.writableNeedsDrain)
    }
    const timer = setTimeout(settle, WRITE_MS_MAX)
    stream.addEventListener('drain', settle)
    stream.addEventListener('close', settle)
  })
