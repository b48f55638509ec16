/** Why something was turned away at a limit. */
export const SHED_REASONS = [
  /** More connections from one host than one may have. */
  'host-connections',
  /** More handshakes at a time from one host. */
  'host-handshakes',
  /** The connection with the most streams when there were too many. */
  'streams',
  /** A message that did not end in time. */
  'stalled',
  /** The memory for unfinished messages was used up. */
  'partial-bytes',
  /** A dead letter beyond the rate. */
  'letters',
] as const
export type ShedReason = (typeof SHED_REASONS)[number]

/** What the intake has done so far. Messages = taken + malformed + oversize. */
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
}

export class Counts {
  messages = 0
  bytes = 0
  taken = 0
  appended = 0
  malformed = 0
  oversize = 0
  unfinished = 0
  private readonly sheds = Object.fromEntries(SHED_REASONS.map((reason) => [reason, 0])) as Record<ShedReason, number>

  /** Answers true, as whoever refuses does. */
  shed(reason: ShedReason): true {
    this.sheds[reason]++
    return true
  }

  snapshot(): IntakeCounts {
    const { messages, bytes, taken, appended, malformed, oversize, unfinished } = this
    return { messages, bytes, taken, appended, malformed, oversize, unfinished, shed: { ...this.sheds } }
  }
}

/** What was added between two snapshots. */
export function countsSince(before: IntakeCounts, now: IntakeCounts): IntakeCounts {
  const shed = { ...now.shed }
  for (const reason of SHED_REASONS) shed[reason] -= before.shed[reason]
  return {
    messages: now.messages - before.messages,
    bytes: now.bytes - before.bytes,
    taken: now.taken - before.taken,
    appended: now.appended - before.appended,
    malformed: now.malformed - before.malformed,
    oversize: now.oversize - before.oversize,
    unfinished: now.unfinished - before.unfinished,
    shed,
  }
}
