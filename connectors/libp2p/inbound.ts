/** Handles the streams that peers open, from the first frame of each on, and tells the peers when the intake ends. */

import type { yamux } from '@chainsafe/libp2p-yamux'
import { YamuxStream } from '@chainsafe/libp2p-yamux/stream'
import type { MessageStream } from '@libp2p/interface'
import type { Counts, ShedReason } from './counts.ts'
import { EarlyStream } from './early.ts'
import type { IntakeLimits } from './limits.ts'
import { Negotiation } from './negotiation.ts'
import { Parting, resetTowards } from './parting.ts'
import { COLLECT_PROTOCOL, type Guest, type Muxer, type Peer } from './peer.ts'
import { Pending } from './pending.ts'
import { bytesOf, type Receiving, SocketGate } from './socket-gate.ts'
import { updateWindowSeldom } from './yamux-windows.ts'

type CreateYamux = ReturnType<typeof yamux>

/** Work that a proposed protocol makes, in frames. */
const FRAMES_OF_PROPOSAL = 5
/** The protocol by which peers ask who we are. */
const IDENTIFY_PROTOCOL = '/ipfs/id/1.0.0'
/** Work that such a question makes, in frames: the answer is made anew, and nobody asks more than once or twice. */
const FRAMES_OF_IDENTIFY = 200

export class Inbound {
  /** Messages on a stream that was closed before it was negotiated. */
  onEarly: (stream: YamuxStream, peer: Peer, messages: Buffer) => void = () => {}
  /** Called when there are more streams than there may be. */
  onExcess: () => void = () => {}
  /** So many frames came. */
  onFrames: (guest: Guest, frames: number) => void = () => {}
  /** A connection does what none may do. */
  onFault: (guest: Guest, reason: ShedReason) => void = () => {}
  /** Bytes that wait take more memory than they may. */
  onPending: () => void = () => {}
  /** Names of the protocols that are taken: of encryptions, of muxers, and of streams. */
  readonly encryptions: string[] = []
  private readonly muxers: string[] = []
  streamProtocols: () => readonly string[] = () => []
  readonly pending = new Pending()
  private streams = 0
  /** Peers that were told that the intake closes; undefined until it does. */
  private partings: Map<Guest, Parting> | undefined
  private readonly bySecured = new WeakMap<object, Guest>()
  private readonly limits: IntakeLimits
  private readonly counts: Counts
  private readonly now: () => number

  constructor(limits: IntakeLimits, counts: Counts, now: () => number) {
    this.limits = limits
    this.counts = counts
    this.now = now
  }

  get isParting(): boolean {
    return this.partings !== undefined
  }

  /** Bytes of the guest come from now on. */
  greet(guest: Guest): void {
    const gate = new SocketGate(guest.socket, () => this.encryptions, this.limits, {
      fault: (reason) => this.onFault(guest, reason),
      records: (count) => {
        if (!this.isParting) this.onFrames(guest, count)
      },
      pending: () => this.wait(guest, gate, gate.pendingBytes),
    })
    guest.gate = gate
    guest.socket.addEventListener('close', () => {
      for (const source of [gate, guest.frames]) {
        source.forget()
        this.wait(guest, source, 0)
      }
    })
  }

  /** The guest has said who it is. @param secured its decrypted bytes @param hasMuxer it was agreed on with the encryption */
  remember(secured: MessageStream, guest: Guest, hasMuxer: boolean): void {
    this.bySecured.set(secured, guest)
    if (!hasMuxer) this.follow(guest, secured)
    guest.gate?.secured()
  }

  /** Muxers whose streams are known here. */
  watching(create: CreateYamux): CreateYamux {
    return () => {
      const factory = create()
      this.muxers.push(factory.protocol)
      const make = factory.createStreamMuxer.bind(factory)
      factory.createStreamMuxer = (secured) => {
        const muxer = make(secured)
        const guest = this.bySecured.get(secured)
        if (guest) this.watch(guest, muxer, secured)
        return muxer
      }
      return factory
    }
  }

  /** Tells the guests that the intake ends. */
  part(guests: Iterable<Guest>): void {
    const now = this.now()
    this.partings ??= new Map([...guests].map((guest) => [guest, new Parting(guest, this.limits, now)]))
  }

  /**
   * Number of peers that may still have something under way, or are not read at present.
   * @param isThere whether its connection is open @param elapsedMs since the last call
   */
  notParted(isThere: (guest: Guest) => boolean, elapsedMs: number): number {
    const now = this.now()
    for (const [guest, parting] of this.partings ?? []) {
      if (isThere(guest) && !parting.isOver(now, elapsedMs)) continue
      if (parting.isCut) this.counts.shed('parting')
      this.partings!.delete(guest)
    }
    return this.partings?.size ?? 0
  }

  /** Looks at the negotiation of the muxer before the library does. */
  private follow(guest: Guest, secured: MessageStream): void {
    const receiving = secured as Receiving & { readonly readBuffer?: { subarray(): Uint8Array } }
    const { onData } = receiving
    const negotiation = new Negotiation(() => this.muxers, this.limits.negotiationMessagesMax)
    const isLegal = (data: Uint8Array): boolean => {
      const read = negotiation.read(data)
      if (read === undefined) this.onFault(guest, 'negotiation')
      return read !== undefined
    }
    receiving.onData = (data) => {
      if (negotiation.agreed !== undefined || isLegal(bytesOf(data))) onData.call(receiving, data)
    }
    const waiting = receiving.readBuffer?.subarray()
    if (waiting !== undefined && waiting.length > 0) isLegal(waiting)
  }

  private watch(guest: Guest, muxer: Muxer, secured: MessageStream): void {
    guest.muxer = muxer
    const onData = muxer.onData.bind(muxer)
    muxer.onData = (data) => {
      guest.heardAt = this.now()
      guest.heardBytes += data.byteLength
      const frames = this.readFrames(guest, bytesOf(data))
      if (frames === undefined) return
      if (guest.frames.whole.length > 0) onData(guest.frames.whole)
      if (!this.isParting) this.onFrames(guest, frames)
      const unsentBytes = unsentOf(secured) + unsentOf(guest.socket)
      if (unsentBytes > this.limits.unsentBytesPerConnectionMax) this.onFault(guest, 'unread-answers')
    }
    const onStream = muxer.onRemoteStream.bind(muxer)
    muxer.onRemoteStream = (stream) => {
      onStream(stream)
      if (stream instanceof YamuxStream && stream.status === 'open') this.opened(guest, stream)
    }
    this.partings?.get(guest)?.tell(muxer)
  }

  /** Undefined when the library must not see them. */
  private readFrames(guest: Guest, data: Uint8Array): number | undefined {
    const count = guest.frames.read(data)
    if (count === undefined) this.onFault(guest, 'frame-bytes')
    else this.wait(guest, guest.frames, guest.frames.pendingBytes)
    return count
  }

  /** So many bytes wait there: of a record, of a frame, or of a stream that nobody has taken over. */
  private wait(guest: Guest, source: object, bytes: number): void {
    if (this.pending.set(guest, source, bytes) <= 0) return
    const { pendingBytesPerConnectionMax, pendingBytesMax } = this.limits
    if (this.pending.of(guest) > pendingBytesPerConnectionMax) this.onFault(guest, 'partial-bytes')
    else if (this.pending.bytes > pendingBytesMax) this.onPending()
  }

  private opened(guest: Guest, stream: YamuxStream): void {
    guest.streams++
    this.streams++
    stream.addEventListener('close', () => {
      guest.streams--
      this.streams--
    })
    updateWindowSeldom(stream)
    this.holdBack(guest, stream)
    if (this.isParting) resetTowards(stream)
    if (this.streams > this.limits.streamsMax) this.onExcess()
  }

  /** Up to the time that somebody takes the stream over. */
  private holdBack(guest: Guest, stream: YamuxStream): void {
    const { negotiationMessagesMax, unreadBytesMax } = this.limits
    const negotiation = new Negotiation(this.streamProtocols, negotiationMessagesMax)
    new EarlyStream(stream, negotiation, unreadBytesMax, {
      negotiated: (messages) => {
        if (messages === undefined) this.onFault(guest, 'negotiation')
        else if (!this.isParting) this.onFrames(guest, workOf(messages, negotiation))
      },
      waiting: (bytes) => this.wait(guest, stream, bytes),
      lost: (bytes) => {
        if (guest.peer && negotiation.agreed === COLLECT_PROTOCOL) this.onEarly(stream, guest.peer, bytes)
      },
    })
  }
}

/** Bytes that wait for the peer to read; the library has them for each of its streams of bytes. */
const unsentOf = (stream: MessageStream): number => (stream as { writeBufferLength?: number }).writeBufferLength ?? 0

/** In frames. */
const workOf = (messages: number, { agreed }: Negotiation): number =>
  messages * FRAMES_OF_PROPOSAL + (agreed === IDENTIFY_PROTOCOL ? FRAMES_OF_IDENTIFY : 0)
