/**
 * Every bound of the intake, on purpose: the defaults of js-libp2p would break real collectors, and
 * where it has none a peer could take all memory. All of them can be given to `startIntake`.
 */

import { FRAME_BYTES_MAX, SKIPPED_BYTES_MAX } from './framing.ts'

const KiB = 1024
const MiB = 1024 * KiB

/** Smallest that yamux allows: a stream's peer may send this much before we say that we have read. It never grows. */
export const STREAM_WINDOW_BYTES = 256 * KiB

export const INTAKE_LIMITS = {
  /**
   * Connections. Each takes some 150 KiB of memory; a market has at most some thousands of collectors, and replicas of the intake
   * share them.
   */
  connectionsMax: 2_048,
  /** Connections of one IP address: many collectors may stand behind one, but not all of them. */
  connectionsPerHostMax: 512,
  /** Connections that the votes of a slot keep, the newest: a collector has one, and another one while it changes. */
  connectionsPerVoter: 2,
  /** Addresses that the votes of a slot speak for, the newest. */
  hostsPerVoter: 2,
  /**
   * Handshakes that one IP address may begin: at once, and per second after. Collectors reconnect every 300 s, all of a cloud region at
   * once. libp2p: 5. An address with votes of late is not held to it, and for `startMs` after the start of the intake none is.
   */
  arrivalsPerHost: { burst: 300, perSecond: 20 },
  /** A connection that ends without a message that may count costs its address so many more of these: garbage pays for nothing. */
  fruitlessArrivals: 4,
  startMs: 60_000,
  /**
   * Handshakes that all connections may begin: at once, and per second after. One takes 4 ms of the processor, and what follows from it
   * 2 ms, so with those of voters a third of the thread goes into them (handshake-turns.ts).
   */
  handshakesOfAll: { burst: 150, perSecond: 40 },
  /** Handshakes beside them, for addresses with votes of late. */
  handshakesOfVoters: { burst: 100, perSecond: 15 },
  /** A connection waits so long for its turn, and is refused then. A dialer has some 10 s of patience. */
  handshakeWaitMs: 6_000,
  /** Addresses and prefixes whose last turn is remembered, 100 bytes each; beyond them the oldest go, and come first again. */
  handshakeTurnsMax: 20_000,
  /**
   * Handshakes at a time. Many addresses can take many places: so there are many, each worth little memory, and they are taken from
   * those that name no encryption, and from prefixes and addresses with most of them (places.ts). libp2p: 10.
   */
  handshakesMax: 1_024,
  /** Beyond so many a prefix gives its own for newcomers of others, before anybody gives way who has just connected. */
  handshakesPerPrefixFair: 64,
  /** Handshakes that an address with votes of late has for each slot that they are of, up to the number above: no newcomer ends them. */
  handshakesPerVoter: 4,
  /** Handshakes of one IP address: all collectors behind it come back at once after a restart, and wait here for their turns. */
  handshakesPerHostMax: 512,
  /** An honest dialer names its encryption within a round trip or two; silence for longer makes room first. */
  handshakeSilentMs: 1_000,
  /** A handshake that takes longer makes room for another when there are so many, its turn included. An honest one takes some round trips. */
  handshakeStallMs: 2_000,
  upgradeTimeoutMs: 10_000,
  /** Bytes of a handshake, behind the name of the encryption. The longest identities in use (RSA, 4,096 bits) have room. */
  handshakeBytesMax: 8 * KiB,
  /**
   * Streams of /collect on one connection: a collector pools 100 by default. libp2p's 32 silently resets the rest. The library looks
   * through the streams of the connection at each frame.
   */
  streamsPerConnectionMax: 1_000,
  /**
   * Streams of all connections, also those that are not negotiated; one more takes the connection with the most streams with it.
   * A stream takes some 6 KiB.
   */
  streamsMax: 20_000,
  /**
   * Frames of yamux, and records of the encryption, that a connection may send, whatever they carry (a stream that it opens counts as
   * 20 frames, a ping as 5, the question who we are as 200, a record of more than 4 KiB as several): at once, and per second after. Beyond it the connection is read no faster. A message is one frame and one record, or few.
   */
  framesPerConnection: { burst: 50_000, perSecond: 8_000 },
  /** The same of all connections of one address. */
  framesPerHost: { burst: 500_000, perSecond: 40_000 },
  /**
   * Messages in which a peer proposes protocols: for the encryption, for the muxer, and for each stream; one more closes the connection.
   * An honest peer sends two, or one for each protocol that it has. On a stream each counts as 5 frames.
   */
  negotiationMessagesMax: 16,
  /**
   * Bytes of a connection that nobody can take yet: of records of the encryption and of frames that have not come whole, behind a
   * handshake that is not over, and on streams that nobody has taken over. An honest one has a record, a frame, and the first messages on
   * the streams of its pool; one that has more is closed.
   */
  pendingBytesPerConnectionMax: 4 * MiB,
  /** The same of all connections; one byte more takes the connection with the most with it. */
  pendingBytesMax: 64 * MiB,
  /** Bytes that a connection lets us wait with: answers to pings, acknowledgements, negotiation. Beyond them it is closed. */
  unsentBytesPerConnectionMax: 1 * MiB,
  /** Bytes of one message. */
  frameBytesMax: FRAME_BYTES_MAX,
  /** Bytes of a longer message, which is passed over up to its end; beyond them its stream is reset. */
  skippedBytesMax: SKIPPED_BYTES_MAX,
  /** A message that began must end within this, or its stream is reset (time in which we did not read is left out). */
  frameTimeoutMs: 30_000,
  /** Memory for unfinished messages of one connection, and of all. A pool of 100 streams takes 100 KiB at worst. */
  partialBytesPerConnectionMax: 1 * MiB,
  partialBytesMax: 16 * MiB,
  /** Bytes decoded and not yet in the log, of one connection; above it the connection is not read. */
  inflightBytesPerConnectionMax: 4 * MiB,
  /** The same of all connections. Above three quarters of it no connection is read until half of it is in the log. */
  inflightBytesMax: 32 * MiB,
  /**
   * Unread bytes that libp2p, or we before it, may hold for a stream or connection. Not the means of back-pressure: one that overruns it is
   * reset, so it must exceed what can arrive before a pause takes effect, that is the yamux window and a chunk.
   */
  unreadBytesMax: 1 * MiB,
  /** Unsent bytes per stream. The intake sends nothing but negotiation. libp2p: unbounded. */
  unsentBytesMax: 256 * KiB,
  /** Silence on a socket. yamux pings every 30 s, so a living connection is never silent. Idle streams live as long as it. */
  socketIdleMs: 120_000,
  /** Records and bytes of one append; and how long the first of them waits for more. */
  appendRecordsMax: 1_000,
  appendBytesMax: 1 * MiB,
  appendLingerMs: 2,
  /** Wait after an append that failed: doubles from the first to the second. It is repeated for ever. */
  retryMsMin: 50,
  retryMsMax: 5_000,
  /** Dead letters that are kept of one connection and of all: at once, and per second after. The others are counted. */
  lettersPerConnection: { burst: 10, perSecond: 1 },
  letters: { burst: 200, perSecond: 50 },
  /**
   * Messages that a connection may send (one of more than 1 KiB counts as several): at once, and per second after. Beyond it the
   * connection is read no faster, and nothing is refused. A relay may carry thousands of slots.
   */
  pacePerConnection: { burst: 20_000, perSecond: 2_000 },
  /** The same of all connections of one address. */
  pacePerHost: { burst: 100_000, perSecond: 20_000 },
  /** Pace of a connection with `slowFaults`, and of a connection without credit at an address with `hostSlowFaults`. */
  pacePerSuspect: { burst: 100, perSecond: 20 },
  /**
   * Longest time for which a connection is not read because of a rate of its own: a slowed peer is still heard. No more is owed to any
   * rate of messages or frames than comes in this time.
   */
  holdMsMax: 10_000,
  /**
   * Doubtful messages (admission.ts) that are taken of a connection, so that an honest mistake has its verdict; beyond them
   * they are refused. The address pays too, unless the connection brought more votes than doubtful ones.
   */
  doubtfulPerConnection: { burst: 200, perSecond: 2 },
  doubtfulPerHost: { burst: 1_000, perSecond: 20 },
  /** Copies and messages over quota of a slot that are taken for an epoch, over all connections. */
  extrasPerSlotMax: 16,
  /** Messages with which a connection may show what it is before it is read in turns with all others that have no credit. */
  newcomerMessages: 64,
  /** Messages of all connections without credit: a message costs some 20 µs, and 60 more when its signature is looked at. */
  paceWithoutCredit: { burst: 20_000, perSecond: 4_000 },
  /**
   * Credit of a peer: so much for each vote, less one for each doubtful message. While there is credit, a bad signature is no
   * fault: a relay is judged by the share of them, not by the user who sends most.
   */
  creditPerVote: 10,
  /** Most credit, and most that a peer can owe. */
  creditMax: 100_000,
  debtMax: 1_000,
  /** Credit falls to half after so long: it cannot be saved up. */
  creditHalfLifeMs: 3_600_000,
  /** Peers with credit that are not connected, remembered by peer id and address; beyond them the oldest go. */
  standingsMax: 10_000,
  /**
   * Faults of a peer: signatures that are not the owner's and that no credit made up for, less `creditPerVote` for each vote,
   * less one each second. From the first number on it is read slowly, from the second on its peer id is banned.
   */
  slowFaults: 50,
  banFaults: 250,
  /**
   * Faults of all of one address. From the first number on who has no credit is read slowly there, from the second on the
   * address is banned, unless somebody there brought votes of late; 0 = never.
   */
  hostSlowFaults: 500,
  hostBanFaults: 2_000,
  /** How long such a ban lasts. */
  banMs: 600_000,
  /** Bans of its own that an intake keeps; beyond them the oldest go. */
  bansMax: 10_000,
  /** Digests of votes that are remembered to know copies by; 100 bytes each. */
  digestsMax: 500_000,
  /** Epochs of all markets in which the votes of slots are counted; of more, those with the fewest votes are forgotten. */
  votesEpochsMax: 1_024,
  /** Owners of slots of whom it is known which epochs they await; some hundred bytes each. */
  awaitingOwnersMax: 200_000,
  /**
   * Records that `validate` may be behind. Above the first number doubtful messages of connections without credit are refused,
   * and those connections read in turns; above the second all are.
   */
  lagRecordsMax: 50_000,
  lagRecordsStop: 1_000_000,
  /** Messages of all connections that are read in turns. */
  paceWhileLagging: { burst: 500, perSecond: 500 },
  /** How often `validate`'s lag is asked for. */
  lagAskMs: 1_000,
  /**
   * Connections on which no message came for so long that may count are closed. A stream may wait as long for its negotiation:
   * go-libp2p opens the streams of its pool without a word, and negotiates with the first message. Collectors open all of them
   * anew every 300 s; libp2p's 10 s would reset them.
   */
  connectionIdleMs: 900_000,
  /** When there is no place for a new connection, one without such a message for so long, and without credit, makes room. */
  shedIdleMs: 10_000,
  /** Peers whose messages are counted. */
  talkersMax: 4_096,
  /** How long `close` may take in all: until nothing comes any more, and the log has what came. */
  drainMsMax: 15_000,
  /** A peer that was told of the end is closed when nothing came of it for so long (parting.ts). */
  partingQuietMs: 500,
  /** Longest time for which it is read, and most bytes that it may have had under way: its kernel's and ours. */
  partingMsMax: 5_000,
  partingBytesMax: 16 * MiB,
  /** How often the limits that depend on time are looked at, and the observer is told. */
  sweepMs: 250,
  /** How often libp2p is made to forget the peers that are gone; in between it remembers some 500 bytes of each. */
  forgetPeersMs: 60_000,
} as const

/** @see INTAKE_LIMITS for meanings and units */
export type IntakeLimits = {
  readonly [N in keyof typeof INTAKE_LIMITS]: (typeof INTAKE_LIMITS)[N] extends number ? number : Rate
}

export interface Rate {
  readonly burst: number
  readonly perSecond: number
}

/** A token bucket: `burst` at once, `perSecond` in the long run. */
export class TokenBucket {
  private rate: Rate
  private tokens: number
  private at: number

  constructor(rate: Rate, now: number) {
    this.rate = rate
    this.tokens = rate.burst
    this.at = now
  }

  /** @param now ms; a clock that goes back gives nothing */
  take(now: number): boolean {
    if (!this.has(now)) return false
    this.tokens--
    return true
  }

  /** Whether `take` would be answered true. */
  has(now: number): boolean {
    return this.left(now) >= 1
  }

  /** The amount that could be taken at once. */
  left(now: number): number {
    this.refill(now)
    return this.tokens
  }

  /**
   * Takes them though they are not there, and answers how long it is until none is owed, ms. No more is ever owed than comes in
   * `mostMs`: what goes beyond that is forgiven.
   */
  owe(cost: number, now: number, mostMs = Number.POSITIVE_INFINITY): number {
    this.refill(now)
    this.tokens = Math.max(Math.min(this.tokens, (-mostMs / 1000) * this.rate.perSecond), this.tokens - cost)
    return Math.max(0, -this.leftMs(now))
  }

  /** The time in which so much comes as is left, ms; negative while something is owed. */
  leftMs(now: number): number {
    return this.msOf(this.left(now))
  }

  /** The time in which so much comes, ms. */
  msOf(cost: number): number {
    return (cost / this.rate.perSecond) * 1000
  }

  /** Another rate from now on; what was saved beyond its burst is gone. */
  setRate(rate: Rate): void {
    this.rate = rate
  }

  private refill(now: number): void {
    const { burst, perSecond } = this.rate
    this.tokens = Math.min(burst, this.tokens + (Math.max(0, now - this.at) / 1000) * perSecond)
    this.at = now
  }
}
