/**
 * Back-pressure from the log to the sockets, in bytes.
 *
 * The decrypted byte stream of a whole connection is paused, and with it the socket: pausing single yamux streams would still let
 * each of them fill its window (256 KiB) in our memory, and there may be thousands. While a connection is paused its peer sees a
 * full TCP window; what it wrote waits in the kernels and is read later.
 */
import type { MessageStream } from '@libp2p/interface'
import type { IntakeLimits } from './limits.ts'

/** The part of a connection that can be paused, and what the intake holds of it. */
export interface Pressed {
  /** Decrypted bytes of the connection. */
  readonly source: MessageStream | undefined
  inflightBytes: number
  /** Bytes among them that no credit stood for when they came. */
  unprovenBytes: number
  paused: boolean
}

/** Share of the total at which reading stops everywhere; the rest is for what is already under way. */
const PAUSE_SHARE = 0.75
/** Share at which reading goes on, of the total and of a connection. */
const RESUME_SHARE = 0.5
/** Share of the total at which connections without credit are not read, and at which they are again: the rest is for those that vote. */
const UNPROVEN_PAUSE_SHARE = 0.375
const UNPROVEN_RESUME_SHARE = 0.25
/** Share of the total up to which newcomers are read beside those: a flood does not fill what is between the two shares. */
const NEWCOMER_PAUSE_SHARE = 0.5
/**
 * Bytes that a connection may hand over at once when it is resumed: a chunk of the socket, and the bytes that TLS and noise had
 * decrypted. So many are resumed at a time as there is room for, the others in later turns of the event loop.
 */
const RESUMED_BYTES = 256 * 1024

/**
 * `proven`: credit of its peer stands for it. `known`: one of the first of a connection, of an address with votes of late. `new`: the same
 * of other addresses.
 */
export type Lane = 'proven' | 'known' | 'new' | 'other'

/** The facts of a connection that decide about its turn. */
export interface Ranks<P> {
  /** Whether votes came of it of late. */
  hasCredit(connection: P): boolean
  /** Whether only the first few messages came of it, with which it may show what it is. */
  isNewcomer(connection: P): boolean
  /** Whether credit stands for a message. */
  isProven(lane: Lane): boolean
  /** The address that it comes from. */
  hostOf(connection: P): unknown
}

export class Pressure<P extends Pressed> {
  inflightBytes = 0
  /** No connection is read. */
  stopped = false
  private unprovenBytes = 0
  /** No connection without credit is read. */
  private unprovenStopped = false
  private readonly limits: IntakeLimits
  private readonly connections: ReadonlySet<P>
  readonly ranks: Ranks<P>
  /** To be paused at the end of this turn. */
  private readonly excessive = new Set<P>()
  /** Longest paused first. */
  private readonly paused = new Set<P>()
  /** Paused ones that are over a rate. */
  private readonly held = new Set<P>()
  private resuming = false
  private closed = false

  constructor(limits: IntakeLimits, connections: ReadonlySet<P>, ranks: Ranks<P>) {
    this.limits = limits
    this.connections = connections
    this.ranks = ranks
  }

  /** Counts bytes that were decoded and are not yet in the log. @param lane of a message that is to be judged */
  take(from: P, bytes: number, lane?: Lane): void {
    from.inflightBytes += bytes
    this.inflightBytes += bytes
    const isProven = lane === undefined ? this.ranks.hasCredit(from) : this.ranks.isProven(lane)
    if (!isProven) this.countUnproven(from, bytes)
    const { inflightBytesMax, inflightBytesPerConnectionMax } = this.limits
    if (this.inflightBytes > PAUSE_SHARE * inflightBytesMax) this.stopped = true
    if (this.unprovenBytes > UNPROVEN_PAUSE_SHARE * inflightBytesMax) this.unprovenStopped = true
    const isStopped = this.stopped || this.isStoppedUnproven(from)
    if (!isStopped && from.inflightBytes <= inflightBytesPerConnectionMax) return
    // Not here: `resume` of the library hands over data before it undoes the pause, so that a pause from within its own
    // hand-over would be undone as well.
    if (this.excessive.size === 0) queueMicrotask(this.pauseExcessive)
    this.excessive.add(from)
  }

  /** Bytes of a connection are in the log. */
  release(from: P, bytes: number): void {
    from.inflightBytes -= bytes
    this.inflightBytes -= bytes
    this.countUnproven(from, -Math.min(bytes, from.unprovenBytes))
    const { inflightBytesMax } = this.limits
    if (this.inflightBytes < RESUME_SHARE * inflightBytesMax) this.stopped = this.closed
    if (this.unprovenBytes < UNPROVEN_RESUME_SHARE * inflightBytesMax) this.unprovenStopped = false
    if (this.paused.size > 0) this.resumeSoon()
  }

  private countUnproven(from: P, bytes: number): void {
    from.unprovenBytes += bytes
    this.unprovenBytes += bytes
  }

  /** Reads nothing of a connection until it is freed; `release` does not end that. */
  hold(connection: P): void {
    this.held.add(connection)
    if (this.excessive.size === 0) queueMicrotask(this.pauseExcessive)
    this.excessive.add(connection)
  }

  free(connection: P): void {
    this.held.delete(connection)
  }

  /** To be called every so often: reads those again that were freed, or that have credit by now. */
  wake(): void {
    if (this.paused.size > 0) this.resumeSoon()
  }

  isConnected(connection: P): boolean {
    return this.connections.has(connection)
  }

  /** Stops reading for good. */
  close(): void {
    this.closed = true
    this.stopped = true
    for (const connection of this.connections) this.pause(connection)
  }

  private readonly pauseExcessive = (): void => {
    const excessive = [...this.excessive]
    this.excessive.clear()
    for (const connection of this.stopped ? this.connections : excessive) this.pause(connection)
    if (this.stopped || !this.unprovenStopped) return
    for (const connection of this.connections) if (this.isStoppedUnproven(connection)) this.pause(connection)
  }

  /** With few unproven bytes in flight: more than credit stands for is a flood behind a vote. */
  private isProven(connection: P): boolean {
    return this.ranks.hasCredit(connection) && connection.unprovenBytes <= RESUMED_BYTES
  }

  private isStoppedUnproven(connection: P): boolean {
    if (!this.unprovenStopped || this.isProven(connection)) return false
    return !this.ranks.isNewcomer(connection) || this.roomForUnproven(NEWCOMER_PAUSE_SHARE) < 0
  }

  private pause(connection: P): void {
    if (connection.paused || !isReadable(connection.source)) return
    connection.paused = true
    this.paused.add(connection)
    connection.source.pause()
  }

  private resumeSoon(): void {
    if (this.resuming || this.stopped) return
    this.resuming = true
    setImmediate(this.resumeSome)
  }

  private readonly resumeSome = (): void => {
    this.resuming = false
    const { inflightBytesMax } = this.limits
    const room = () => PAUSE_SHARE * inflightBytesMax - this.inflightBytes
    const { proven, newcomers, others } = this.ready()
    this.resumeWithin(proven, room())
    const forNewcomers = this.roomForUnproven(NEWCOMER_PAUSE_SHARE)
    if (forNewcomers >= 0) this.resumeWithin(inTurnsBy(this.ranks.hostOf, newcomers), Math.min(room(), forNewcomers))
    if (this.unprovenStopped) return
    this.resumeWithin(
      inTurnsBy(this.ranks.hostOf, others),
      Math.min(room(), this.roomForUnproven(UNPROVEN_PAUSE_SHARE)),
    )
  }

  private roomForUnproven(share: number): number {
    return share * this.limits.inflightBytesMax - this.unprovenBytes
  }

  /** The paused connections that may be read again; longest paused first. */
  private ready(): { readonly proven: P[]; readonly newcomers: P[]; readonly others: P[] } {
    const ready = { proven: [] as P[], newcomers: [] as P[], others: [] as P[] }
    const bytesMax = RESUME_SHARE * this.limits.inflightBytesPerConnectionMax
    for (const connection of this.paused)
      if (!this.connections.has(connection)) this.forget(connection)
      else if (!this.held.has(connection) && connection.inflightBytes <= bytesMax)
        ready[this.rankOf(connection)].push(connection)
    return ready
  }

  private rankOf(connection: P): 'proven' | 'newcomers' | 'others' {
    if (this.isProven(connection)) return 'proven'
    return this.ranks.isNewcomer(connection) ? 'newcomers' : 'others'
  }

  /** One at least, so that what is under way never keeps all of them waiting. */
  private resumeWithin(ready: readonly P[], bytes: number): void {
    const count = Math.max(1, Math.floor(bytes / RESUMED_BYTES))
    for (const connection of ready.slice(0, count)) if (!this.stopped) this.resume(connection)
    if (ready.length > count) this.resumeSoon()
  }

  private forget(connection: P): void {
    this.paused.delete(connection)
    this.free(connection)
  }

  private resume(connection: P): void {
    connection.paused = false
    this.paused.delete(connection)
    if (isReadable(connection.source)) connection.source.resume()
  }
}

/** One of each host, then another one of each, and so on. */
export function inTurnsBy<P>(hostOf: (connection: P) => unknown, connections: readonly P[]): readonly P[] {
  const rounds: P[][] = []
  const taken = new Map<unknown, number>()
  for (const connection of connections) {
    const host = hostOf(connection)
    const round = taken.get(host) ?? 0
    taken.set(host, round + 1)
    rounds[round] ??= []
    rounds[round].push(connection)
  }
  return rounds.flat()
}

/** The library throws when a stream is paused or resumed whose reading end is closed; the status does not tell. */
function isReadable(source: MessageStream | undefined): source is MessageStream {
  const { readStatus } = (source ?? {}) as { readStatus?: string }
  return readStatus === 'readable' || readStatus === 'paused'
}
