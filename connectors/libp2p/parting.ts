/**
 * How a connection is ended without losing what is under way. For the deployed collector a message is sent once its own
 * connection has it: then it waits in that connection's queue, in two kernels, on the wire. So the sender is told first, and
 * is read on: each stream is reset towards it, so that its next call fails and is made again elsewhere or later; when it has
 * answered a ping, it knows; then it is asked to open no more streams. The messages that it had sent before lie before its
 * answers, or right behind them, as its queue lets answers pass.
 */
import { YamuxStream } from '@chainsafe/libp2p-yamux/stream'
import type { IntakeLimits } from './limits.ts'
import type { Guest, Muxer } from './peer.ts'

/** As the specification of yamux numbers them; the library exports no values. */
const GO_AWAY = { type: 3, flag: 0, streamID: 0, length: 0 } as const

/** A private part of yamux' types; `sendGoAway` would have the library refuse what still comes. */
interface FrameSender {
  sendFrame(header: typeof GO_AWAY): void
}

/** Tells the peer that a stream which it opened is reset; what it sent before is read all the same. */
export function resetTowards(stream: unknown): void {
  if (stream instanceof YamuxStream && stream.direction === 'inbound') stream.sendReset()
}

export class Parting {
  /** Ended by a bound, so something may be lost. */
  isCut = false
  private readonly guest: Guest
  private readonly limits: IntakeLimits
  private readonly heardBefore: number
  private readonly began: number
  private muxer: Muxer | undefined
  private knows = false
  /** Time in which it was read. */
  private readMs = 0

  constructor(guest: Guest, limits: IntakeLimits, now: number) {
    this.guest = guest
    this.limits = limits
    this.began = now
    this.heardBefore = guest.heardBytes
    if (guest.muxer) this.tell(guest.muxer)
  }

  /** To be called when its handshake is over. */
  tell(muxer: Muxer): void {
    if (this.muxer) return
    this.muxer = muxer
    for (const stream of muxer.streams) resetTowards(stream)
    // without an answer the time ends it, and with its connection everything
    void this.hear(muxer).catch(() => {})
  }

  /** @param elapsedMs since the last call */
  isOver(now: number, elapsedMs: number): boolean {
    const { guest, limits } = this
    if (!this.muxer) return now - this.began >= limits.handshakeStallMs
    if (guest.peer?.paused) return false
    this.readMs += elapsedMs
    const isQuiet = now - Math.max(guest.heardAt, this.began) >= limits.partingQuietMs
    if (this.knows && isQuiet) return true
    const isTooMuch = guest.heardBytes - this.heardBefore > limits.partingBytesMax
    this.isCut = isTooMuch || this.readMs > limits.partingMsMax
    return this.isCut
  }

  private async hear(muxer: Muxer): Promise<void> {
    await muxer.ping() // it may be one that was sent before
    await muxer.ping()
    ;(muxer as unknown as FrameSender).sendFrame(GO_AWAY)
    await muxer.ping()
    this.knows = true
  }
}
