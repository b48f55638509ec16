/** Why something was turned away at a limit. */
export const SHED_REASONS = [
  /** More connections from one host than one may have. */
  'host-connections',
  /** More handshakes of one host in a second than one may begin. */
  'host-rate',
  /** A handshake whose turn did not come in time: all hosts want more of them than there is a budget for. */
  'handshake-rate',
  /** A handshake that gave way when there were too many of one host, or a new one when none could. */
  'host-handshakes',
  /** The same of all hosts. */
  'handshakes',
  /** A connection that ended before it had said who it is: too slowly, or it speaks something else. */
  'half-open',
  /** The connection with the most streams when there were too many. */
  'streams',
  /** A message that did not end in time. */
  'stalled',
  /** The memory for unfinished messages was used up, or the memory for what is below them: records, frames, and early bytes of streams. */
  'partial-bytes',
  /** A connection with a frame that is longer than a stream may send. */
  'frame-bytes',
  /** A connection that does not read the answers to what it sends. */
  'unread-answers',
  /** A connection that proposes protocols without end, or sends what is no proposal. */
  'negotiation',
  /** A dead letter beyond the rate. */
  'letters',
  /** A new connection when there were too many, and none of them could go. */
  'connections',
  /** A connection without messages that may count: for too long, or to make room for a new one. */
  'idle',
  /** A connection of a banned peer or address. */
  'banned',
  /** A new connection while the intake ends. */
  'stopping',
  /** A connection that went on sending though it was told that the intake ends, so that something of it may be lost. */
  'parting',
] as const
export type ShedReason = (typeof SHED_REASONS)[number]

/**
 * Why a submission cannot count as far as the intake can tell, or cannot be told from one that does not (admission.ts).
 * Beyond a rate such a message is refused.
 */
export const DOUBTS = [
  /** The slot table has no such slot. */
  'unknown-slot',
  /** No owner of the slot signed it. */
  'bad-signature',
  /** The epoch is closed, too far ahead or a simulation, or the market is not served. */
  'no-epoch',
  /** The owner of the slot has sent enough for the epoch, or the slot is inactive. */
  'over-quota',
  /** A message with the same digest has come before. */
  'copy',
] as const
export type Doubt = (typeof DOUBTS)[number]

/** Counts of the intake so far. Messages = taken + refused + malformed + oversize, but for those being checked. */
export interface IntakeCounts {
  readonly messages: number
  /** Bytes read from streams. */
  readonly bytes: number
  /** Submissions decoded and queued for the log. */
  readonly taken: number
  /** Submissions in the log. */
  readonly appended: number
  readonly malformed: number
  readonly oversize: number
  /** Messages that the end of their stream cut off. */
  readonly unfinished: number
  readonly shed: Readonly<Record<ShedReason, number>>
  /** Submissions that were refused, by what made them doubtful. */
  readonly refused: Readonly<Record<Doubt, number>>
  /** Bans that the intake gave. */
  readonly bans: number
  /** Waits of a connection that was over a rate, or held back while `validate` lags. */
  readonly holds: number
}

export class Counts {
  messages = 0
  bytes = 0
  taken = 0
  appended = 0
  malformed = 0
  oversize = 0
  unfinished = 0
  bans = 0
  holds = 0
  readonly refused = Object.fromEntries(DOUBTS.map((doubt) => [doubt, 0])) as Record<Doubt, number>
  private readonly sheds = Object.fromEntries(SHED_REASONS.map((reason) => [reason, 0])) as Record<ShedReason, number>

  /** Answers true, as refusing code does. */
  shed(reason: ShedReason): true {
    this.sheds[reason]++
    return true
  }

  snapshot(): IntakeCounts {
    const { messages, bytes, taken, appended, malformed, oversize, unfinished, bans, holds } = this
    const [shed, refused] = [{ ...this.sheds }, { ...this.refused }]
    return { messages, bytes, taken, appended, malformed, oversize, unfinished, bans, holds, shed, refused }
  }
}

/** The counts that were added between two snapshots. */
export function countsSince(before: IntakeCounts, now: IntakeCounts): IntakeCounts {
  const shed = { ...now.shed }
  for (const reason of SHED_REASONS) shed[reason] -= before.shed[reason]
  const refused = { ...now.refused }
  for (const doubt of DOUBTS) refused[doubt] -= before.refused[doubt]
  return {
    messages: now.messages - before.messages,
    bytes: now.bytes - before.bytes,
    taken: now.taken - before.taken,
    appended: now.appended - before.appended,
    malformed: now.malformed - before.malformed,
    oversize: now.oversize - before.oversize,
    unfinished: now.unfinished - before.unfinished,
    bans: now.bans - before.bans,
    holds: now.holds - before.holds,
    shed,
    refused,
  }
}
