/**
 * Back-pressure from the log to the sockets, in bytes.
 *
 * What is paused is the decrypted byte stream of a whole connection, and with it the socket: pausing single yamux streams
 * would still let each of them fill its window (256 KiB) in our memory, and there may be thousands. While a connection is
 * paused its peer sees a full TCP window; what it wrote waits in the kernels and is read later.
 */
import type { MessageStream } from '@libp2p/interface'
import type { IntakeLimits } from './limits.ts'

/** The part of a connection that can be paused, and what the intake holds of it. */
export interface Pressed {
  /** Decrypted bytes of the connection. */
  readonly source: MessageStream | undefined
  inflightBytes: number
  paused: boolean
}

/** Share of the total at which reading stops everywhere; the rest is for what is already under way. */
const PAUSE_SHARE = 0.75
/** Share at which reading goes on, of the total and of a connection. */
const RESUME_SHARE = 0.5

export class Pressure<P extends Pressed> {
  inflightBytes = 0
  /** No connection is read. */
  stopped = false
  private readonly limits: IntakeLimits
  private readonly connections: ReadonlySet<P>
  private readonly waiting = new Set<P>()
  private closed = false

  constructor(limits: IntakeLimits, connections: ReadonlySet<P>) {
    this.limits = limits
    this.connections = connections
  }

  /** Counts bytes that were decoded and are not yet in the log. */
  take(from: P, bytes: number): void {
    from.inflightBytes += bytes
    this.inflightBytes += bytes
    if (this.inflightBytes > PAUSE_SHARE * this.limits.inflightBytesMax) this.stopped = true
    if (!this.stopped && from.inflightBytes <= this.limits.inflightBytesPerConnectionMax) return
    // Not here: `resume` of the library hands over data before it undoes the pause, so that a pause from within its own
    // hand-over would be undone as well.
    if (this.waiting.size === 0) queueMicrotask(this.pauseWaiting)
    this.waiting.add(from)
  }

  /** Bytes of a connection are in the log. */
  release(from: P, bytes: number): void {
    from.inflightBytes -= bytes
    this.inflightBytes -= bytes
    if (this.closed) return
    if (this.stopped && this.inflightBytes < RESUME_SHARE * this.limits.inflightBytesMax) {
      this.stopped = false
      for (const connection of this.connections) this.maybeResume(connection)
    } else this.maybeResume(from)
  }

  /** Stops reading for good. */
  close(): void {
    this.closed = true
    this.stopped = true
    for (const connection of this.connections) pause(connection)
  }

  private readonly pauseWaiting = (): void => {
    const paused = this.stopped ? this.connections : [...this.waiting]
    this.waiting.clear()
    for (const connection of paused) pause(connection)
  }

  private maybeResume(connection: P): void {
    const enough = RESUME_SHARE * this.limits.inflightBytesPerConnectionMax
    if (this.stopped || !connection.paused || connection.inflightBytes > enough) return
    connection.paused = false
    if (isReadable(connection.source)) connection.source.resume()
  }
}

function pause(connection: Pressed): void {
  if (connection.paused || !isReadable(connection.source)) return
  connection.paused = true
  connection.source.pause()
}

/** The library throws when a stream is paused or resumed whose reading end is closed; the status does not tell. */
function isReadable(source: MessageStream | undefined): source is MessageStream {
  const { readStatus } = (source ?? {}) as { readStatus?: string }
  return readStatus === 'readable' || readStatus === 'paused'
}
