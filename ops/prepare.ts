/**
 * What is done for a whole fetched batch of `submissions` before its records enter a validate task: wait until the slot
 * table holds everything the markers name, and recover the signers, here or in worker threads.
 */
import type { EpochMarker } from '../schemas/types.ts'
import type { LogRecord } from '../streams/ports.ts'
import { isMarker, type Topics } from '../topology/topics.ts'

/** The offset in `slots` that the newest marker of the batch asks for; 0 when there is none. */
export function slotsOffsetNeeded(values: readonly object[]): number {
  let needed = 0
  for (const value of values) if (isMarker(value)) needed = Math.max(needed, (value as EpochMarker).tick.slotsOffset)
  return needed
}

/** Values of the records that can be decoded; the others are left to the task, which dead-letters them. */
export function decodeValues(topics: Topics, records: readonly LogRecord[]): (object | undefined)[] {
  return records.map((record) => {
    try {
      return record.value === null ? undefined : topics.submissions.value.decode(record.value)
    } catch {
      return undefined
    }
  })
}
