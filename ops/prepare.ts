/**
 * What is done for a whole fetched batch of `submissions` before its records enter a validate task: wait until the slot
 * table holds everything that the markers name, and recover the signers, here or in worker threads.
 */
import type { LogRecord } from '../streams/ports.ts'
import { isMarker, type SubmissionEvent, type Topics } from '../topology/topics.ts'
import type { SignerPool } from './signers.ts'

export interface PrepareOptions {
  readonly topics: Topics
  readonly signers: SignerPool
  /** Resolves when the table of `slots` holds every record below the offset. */
  readonly slotsReached: (offset: number) => Promise<void>
  /** Told how long the signers of one batch took. */
  readonly recovered?: (seconds: number) => void
}

/** Element i is the recovered signer of record i; undefined for markers and for records that cannot be decoded. */
export function createPrepare({ topics, signers, slotsReached, recovered: tell }: PrepareOptions) {
  return async (records: readonly LogRecord[]): Promise<unknown[]> => {
    const values = records.map((record) => decode(topics, record))
    const reached = slotsReached(slotsOffsetNeeded(values))
    const started = performance.now()
    const [recovered] = await Promise.all([
      signers.recover(values).finally(() => tell?.((performance.now() - started) / 1000)),
      reached,
    ])
    return recovered
  }
}

/** The highest offset of `slots` that a marker of the batch asks for; 0 without one. */
const slotsOffsetNeeded = (values: readonly (SubmissionEvent | undefined)[]): number =>
  values.reduce((needed, value) => (value && isMarker(value) ? Math.max(needed, value.tick.slotsOffset) : needed), 0)

function decode(topics: Topics, { value }: LogRecord): SubmissionEvent | undefined {
  if (value === null) return undefined
  try {
    return topics.submissions.value.decode(value)
  } catch {
    return undefined // the task meets the same failure and dead-letters the record
  }
}
