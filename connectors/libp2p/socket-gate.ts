/**
 * The bytes of a socket, looked at before libp2p has them: first the negotiation of the encryption, then its handshake, then records.
 * Records go on when they are whole. A handshake ends within its bound, or not at all: the library takes in whatever a certificate
 * holds before it asks whose it is.
 */
import type { MessageStream } from '@libp2p/interface'
import type { ShedReason } from './counts.ts'
import { append, NOTHING } from './growing.ts'
import type { IntakeLimits } from './limits.ts'
import { Negotiation } from './negotiation.ts'
import { Records } from './records.ts'

/** Streams of libp2p call this for all that comes; the type of the library leaves it out. */
export type Receiving = MessageStream & { onData(data: Chunk): void }
type Chunk = Uint8Array | { subarray(): Uint8Array }

/** In one piece. */
export const bytesOf = (data: Chunk): Uint8Array => (data instanceof Uint8Array ? data : data.subarray())

interface Told {
  fault(reason: ShedReason): void
  records(count: number): void
  /** Other bytes than before wait here. */
  pending(): void
}

export class SocketGate {
  private readonly negotiation: Negotiation
  private records: Records | undefined
  /** Bytes that the handshake may still have; undefined when it is over. */
  private handshakeBytes: number | undefined
  /** Bytes that came behind them. */
  private held: Buffer<ArrayBuffer> = NOTHING
  private heldBytes = 0
  private readonly socket: Receiving
  private readonly receive: Receiving['onData']
  private readonly limits: IntakeLimits
  private readonly told: Told

  /** @param encryptions names of the protocols that are taken */
  constructor(socket: MessageStream, encryptions: () => readonly string[], limits: IntakeLimits, told: Told) {
    this.socket = socket as Receiving
    this.receive = this.socket.onData
    this.limits = limits
    this.told = told
    this.negotiation = new Negotiation(encryptions, limits.negotiationMessagesMax)
    this.handshakeBytes = limits.handshakeBytesMax
    this.socket.onData = (data) => this.take(bytesOf(data))
  }

  /** Bytes that have come and not gone on. */
  get pendingBytes(): number {
    return this.heldBytes + (this.records?.pendingBytes ?? 0)
  }

  /** The connection is gone. */
  forget(): void {
    this.held = NOTHING
    this.heldBytes = 0
    this.records?.forget()
  }

  /** The peer has said who it is: what was held back goes on its way. */
  secured(): void {
    const held = this.held.subarray(0, this.heldBytes)
    this.handshakeBytes = undefined
    this.held = NOTHING
    this.heldBytes = 0
    if (held.length === 0 || this.socket.status !== 'open') return
    this.readRecords(held)
    this.socket.resume()
  }

  private take(chunk: Uint8Array): void {
    if (this.records) this.takeRecords(chunk)
    else this.takeProposals(chunk)
  }

  private takeProposals(chunk: Uint8Array): void {
    const length = this.negotiation.read(chunk)
    if (length === undefined) {
      this.told.fault('negotiation')
      return
    }
    this.pass(chunk.subarray(0, length))
    if (this.negotiation.agreed === undefined) return
    this.records = new Records(this.negotiation.agreed)
    if (length < chunk.length) this.takeRecords(chunk.subarray(length))
  }

  private takeRecords(chunk: Uint8Array): void {
    const first = Math.min(this.handshakeBytes ?? chunk.length, chunk.length)
    if (this.handshakeBytes !== undefined) this.handshakeBytes -= first
    if (first > 0) this.readRecords(chunk.subarray(0, first))
    if (first < chunk.length) this.hold(chunk.subarray(first))
  }

  private readRecords(chunk: Uint8Array): void {
    const records = this.records!
    this.told.records(records.read(chunk))
    this.told.pending()
    this.pass(records.whole)
  }

  private hold(chunk: Uint8Array): void {
    if (this.socket.status !== 'open') return
    const bytesMax = this.limits.unreadBytesMax
    if (this.heldBytes + chunk.length > bytesMax) {
      this.told.fault('half-open')
      return
    }
    this.held = append(this.held, this.heldBytes, chunk, bytesMax)
    this.heldBytes += chunk.length
    this.told.pending()
    if (this.socket.status === 'open') this.socket.pause()
  }

  private pass(chunk: Uint8Array): void {
    if (chunk.length > 0) this.receive.call(this.socket, chunk)
  }
}
