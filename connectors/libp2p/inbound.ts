/** Handles the streams that peers open, from the first frame of each on, and tells the peers when the intake ends. */

import type { yamux } from '@chainsafe/libp2p-yamux'
import { YamuxStream } from '@chainsafe/libp2p-yamux/stream'
import type { MessageStream } from '@libp2p/interface'
import type { Counts, ShedReason } from './counts.ts'
import { keepEarly } from './early.ts'
import type { IntakeLimits } from './limits.ts'
import { countAnswers } from './negotiation.ts'
import { Parting, resetTowards } from './parting.ts'
import type { Guest, Muxer, Peer } from './peer.ts'

type CreateYamux = ReturnType<typeof yamux>

/** Work that an answer to a proposed protocol makes, in frames. */
const FRAMES_OF_ANSWER = 5

export class Inbound {
  /** Messages on a stream that was closed before it was negotiated. */
  onEarly: (stream: YamuxStream, peer: Peer, messages: Buffer) => void = () => {}
  /** Called when there are more streams than there may be. */
  onExcess: () => void = () => {}
  /** So many frames came. */
  onFrames: (guest: Guest, frames: number) => void = () => {}
  /** A connection does what none may do. */
  onFault: (guest: Guest, reason: ShedReason) => void = () => {}
  /** Unfinished frames take more memory than they may. */
  onPending: () => void = () => {}
  private pendingBytes = 0
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

  /** The guest proposes protocols for its encryption from now on. */
  greet(guest: Guest): void {
    guest.endNegotiation = this.countAnswers(guest, guest.socket)
  }

  /** The guest has an encryption, and proposes protocols for the muxer from now on. @param secured its decrypted bytes */
  remember(secured: MessageStream, guest: Guest): void {
    this.bySecured.set(secured, guest)
    guest.endNegotiation = this.countAnswers(guest, secured)
  }

  /** Muxers whose streams are known here. */
  watching(create: CreateYamux): CreateYamux {
    return () => {
      const factory = create()
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

  private countAnswers(guest: Guest, stream: MessageStream): () => void {
    return countAnswers(stream, (answers) => this.answered(guest, answers))
  }

  private answered(guest: Guest, answers: number): void {
    if (answers > this.limits.negotiationAnswersMax) this.onFault(guest, 'negotiation')
  }

  private watch(guest: Guest, muxer: Muxer, secured: MessageStream): void {
    guest.endNegotiation()
    guest.muxer = muxer
    const onData = muxer.onData.bind(muxer)
    muxer.onData = (data) => {
      guest.heardAt = this.now()
      guest.heardBytes += data.byteLength
      const frames = this.readFrames(guest, data)
      if (frames === undefined) return
      onData(data)
      if (!this.isParting) this.onFrames(guest, frames)
      const unsentBytes = unsentOf(secured) + unsentOf(guest.socket)
      if (unsentBytes > this.limits.unsentBytesPerConnectionMax) this.onFault(guest, 'unread-answers')
    }
    guest.socket.addEventListener('close', () => {
      this.pendingBytes -= guest.frames.pendingBytes
      guest.frames.pendingBytes = 0
    })
    const onStream = muxer.onRemoteStream.bind(muxer)
    muxer.onRemoteStream = (stream) => {
      onStream(stream)
      if (stream instanceof YamuxStream && stream.status === 'open') this.opened(guest, stream)
    }
    this.partings?.get(guest)?.tell(muxer)
  }

  /** Undefined when the library must not see them. */
  private readFrames(guest: Guest, data: Parameters<Muxer['onData']>[0]): number | undefined {
    const { frames } = guest
    const before = frames.pendingBytes
    const count = frames.read(data)
    this.pendingBytes += frames.pendingBytes - before
    if (count === undefined) this.onFault(guest, 'frame-bytes')
    else if (this.pendingBytes > this.limits.pendingFrameBytesMax) this.onPending()
    return count
  }

  private opened(guest: Guest, stream: YamuxStream): void {
    guest.streams++
    this.streams++
    stream.addEventListener('close', () => {
      guest.streams--
      this.streams--
    })
    const endNegotiation = countAnswers(stream, (answers) => {
      if (stream.protocol !== '') return endNegotiation()
      this.answered(guest, answers)
      if (!this.isParting) this.onFrames(guest, FRAMES_OF_ANSWER)
    })
    keepEarly(stream, (messages) => guest.peer && this.onEarly(stream, guest.peer, messages))
    if (this.isParting) resetTowards(stream)
    if (this.streams > this.limits.streamsMax) this.onExcess()
  }
}

/** Bytes that wait for the peer to read; the library has them for each of its streams of bytes. */
const unsentOf = (stream: MessageStream): number => (stream as { writeBufferLength?: number }).writeBufferLength ?? 0
