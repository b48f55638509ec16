import type { Ban } from './bans.ts'
import type { IntakeCounts } from './counts.ts'
import type { Talker } from './talkers.ts'

/** The present state. */
export interface IntakeGauges {
  readonly connections: number
  readonly streams: number
  /** Bytes decoded and not yet in the log. */
  readonly inflightBytes: number
  /** Memory for unfinished messages. */
  readonly partialBytes: number
  /** Back-pressure keeps every connection from being read. */
  readonly stopped: boolean
  /** Records that `validate` is behind, as the intake heard last; undefined when nobody knows. */
  readonly behind: number | undefined
  /** Peers with the most refused messages of late, then the most messages. */
  readonly talkers: readonly (Talker & { readonly bannedUntil: number | null })[]
  /** Bans that the intake gave and that still hold. */
  readonly bans: readonly Ban[]
}

export interface IntakeStats extends IntakeCounts, Omit<IntakeGauges, 'bans'> {
  /** Submissions and dead letters that `close` gave up on. */
  readonly unappended: number
  /** Connections that `close` ended while something of theirs may have been under way. */
  readonly notParted: number
}
