/**
 * The work on all records of one fetch of `submissions` before they enter a validate task: wait until the slot table holds
 * everything that the markers name, and recover the signers, here or in worker threads.
 */
import type { LogRecord, TopicPartition } from '../../streams/ports.ts'
import { type Preparer, preparing } from '../../streams/preparation.ts'
import { checkSeal, ForgedError, type Seals } from '../../streams/seals.ts'
import { recoveredSigners } from '../../topology/shared/signature.ts'
import { isMarker, type SubmissionEvent, type Topics } from '../../topology/topics.ts'
import type { SignerPool } from './signers.ts'

export interface PrepareOptions {
  readonly topics: Topics
  readonly signers: SignerPool
  /** Resolves when the table of `slots` holds every record below the offset. */
  readonly slotsReached: (offset: number) => Promise<void>
  /** Told how long the signers of one batch took. */
  readonly recovered?: (seconds: number) => void
}

/** A record's recovered signer; undefined for markers, and for what is no record of the topic. */
export function createPrepare({ topics, signers, slotsReached, recovered: tell }: PrepareOptions): Preparer {
  const { name: topic, markers } = topics.submissions
  return preparing(recoveredSigners, async (values, { records, partition }) => {
    const reached = slotsReached(
      slotsOffsetNeeded(values, (at) => isGenuine(markers?.seals, { topic, partition }, records[at]!)),
    )
    const started = performance.now()
    const [recovered] = await Promise.all([
      signers.recover(values).finally(() => tell?.((performance.now() - started) / 1000)),
      reached,
    ])
    return recovered
  })
}

/** A marker that is not may name an offset that never comes. */
function isGenuine(seals: Seals | undefined, place: TopicPartition, { key, value, headers }: LogRecord): boolean {
  try {
    if (seals) checkSeal(seals, { ...place, key: key!, value: value!, headers })
    return true
  } catch (error) {
    if (error instanceof ForgedError) return false // the task meets the same failure and dead-letters the record
    throw error
  }
}

/** The highest offset of `slots` that a marker of the batch asks for; 0 without one. */
const slotsOffsetNeeded = (
  values: readonly (SubmissionEvent | undefined)[],
  isGenuine: (at: number) => boolean,
): number =>
  values.reduce((needed, value, at) => {
    const asks = value !== undefined && isMarker(value) && value.tick.slotsOffset > needed
    return asks && isGenuine(at) ? value.tick.slotsOffset : needed
  }, 0)
