/**
 * Streams that nobody has taken over yet. The library negotiates, and has the bytes of the negotiation and no others: what comes behind
 * them waits here, in one piece, and is counted. The library would wait for room before each answer, and a peer that does not read could
 * have it wait for as long as a stream may be idle; so it is told that there is room, and unsent bytes have a bound of their own.
 *
 * The deployed collector negotiates lazily: name of the protocol and first message in one write, which is a success for it. When the
 * stream is reset or the connection closed before the negotiation is over, the messages are handed over all the same.
 */

import type { YamuxStream } from '@chainsafe/libp2p-yamux/stream'
import type { Stream } from '@libp2p/interface'
import { append, NOTHING } from './growing.ts'
import type { Negotiation } from './negotiation.ts'
import { bytesOf } from './socket-gate.ts'

interface Told {
  /** The next bytes of the negotiation came, with so many messages in them; or bytes that are none of it. */
  negotiated(messages: number | undefined): void
  /** So many bytes wait here. */
  waiting(bytes: number): void
  /** The stream is closed, and the negotiation was over; nobody has had these bytes. */
  lost(bytes: Buffer): void
}

const early = new WeakMap<Stream, EarlyStream>()

/** The caller handles the bytes that come from now on. @returns those that have come */
export const takeOver = (stream: Stream): Buffer => early.get(stream)?.end() ?? NOTHING

export class EarlyStream {
  private kept: Buffer<ArrayBuffer> = NOTHING
  private length = 0
  private readonly stream: YamuxStream
  private readonly negotiation: Negotiation
  private readonly bytesMax: number
  private readonly told: Told
  private readonly receive: YamuxStream['onData']
  private readonly send: YamuxStream['send']

  /** @param bytesMax one more resets the stream */
  constructor(stream: YamuxStream, negotiation: Negotiation, bytesMax: number, told: Told) {
    this.stream = stream
    this.negotiation = negotiation
    this.bytesMax = bytesMax
    this.told = told
    this.receive = stream.onData
    this.send = stream.send
    stream.onData = (data) => this.read(bytesOf(data))
    stream.send = (data) => {
      this.send.call(stream, data)
      return true
    }
    stream.addEventListener('close', () => {
      const bytes = this.end()
      if (bytes.length > 0) this.told.lost(bytes)
    })
    early.set(stream, this)
  }

  /** Nothing waits here any more. @returns what did */
  end(): Buffer {
    const { stream, kept, length } = this
    stream.onData = this.receive
    stream.send = this.send
    this.kept = NOTHING
    this.length = 0
    early.delete(stream)
    this.told.waiting(0)
    return kept.subarray(0, length)
  }

  private read(chunk: Uint8Array): void {
    const read = this.negotiation.agreed === undefined ? this.negotiate(chunk) : 0
    if (read !== undefined && read < chunk.length) this.keep(chunk.subarray(read))
  }

  private negotiate(chunk: Uint8Array): number | undefined {
    const before = this.negotiation.messages
    const read = this.negotiation.read(chunk)
    this.told.negotiated(read === undefined ? undefined : this.negotiation.messages - before)
    // a copy: the library may keep a part of a message, and with it all that came in the same record
    if (read !== undefined) this.receive.call(this.stream, new Uint8Array(chunk.subarray(0, read)))
    return read
  }

  private keep(chunk: Uint8Array): void {
    if (this.stream.status !== 'open') return
    if (this.length + chunk.length > this.bytesMax) {
      this.stream.abort(new Error('too many bytes before this stream is taken over'))
      return
    }
    this.kept = append(this.kept, this.length, chunk, this.bytesMax)
    this.length += chunk.length
    this.told.waiting(this.length)
  }
}
