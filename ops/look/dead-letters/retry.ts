/** Puts submissions back that were put aside, and that can be read now: a schema came late, or a time was wrong. */
import { partitionFor } from '../../../streams/partitioner.ts'
import type { Clock, Log, LogRecord, OutgoingRecord } from '../../../streams/ports.ts'
import { isMarker, type Topics } from '../../../topology/topics.ts'
import { lookedUp } from '../../reading/read.ts'
import { type LetterFilter, lettersOf } from './letters.ts'

/** Records of one append. */
const RECORDS_AT_ONCE = 1_000

export interface Retried {
  /** Written to `submissions` again, or would be. */
  readonly retried: number
  /** Still no submissions, or no longer whole. */
  readonly left: number
}

/**
 * Only submissions are put back: what stages write for one another has its place in an order that is over. Each gets a
 * verdict as one that arrives now; one that is put back twice counts once.
 */
export async function retryLetters(
  { log, topics, clock }: { readonly log: Log; readonly topics: Topics; readonly clock: Pick<Clock, 'now'> },
  filter: Omit<LetterFilter, 'topic'>,
  dryRun: boolean,
): Promise<Retried> {
  let [retried, left] = [0, 0]
  let waiting: OutgoingRecord[] = []
  const appender = dryRun ? undefined : await log.appender()
  const flush = async (): Promise<void> => {
    if (waiting.length > 0) await appender?.append(waiting)
    waiting = []
  }
  try {
    for await (const { letter, record } of lettersOf(log, topics, { ...filter, topic: topics.submissions.name })) {
      const again = letter.isWhole ? submissionIn(topics, record, clock.now()) : undefined
      if (again === undefined) left++
      else {
        retried++
        if (waiting.push(again) >= RECORDS_AT_ONCE) await flush()
      }
    }
    await flush()
  } finally {
    await appender?.close()
  }
  return { retried, left }
}

function submissionIn(
  { submissions }: Topics,
  { key, value, offset }: LogRecord,
  now: number,
): OutgoingRecord | undefined {
  const read = lookedUp(submissions, 0, { offset, timestamp: now, key, value, headers: [] })
  if (!read?.value || isMarker(read.value)) return undefined
  const partition = partitionFor(key!, submissions.partitions)
  return { topic: submissions.name, partition, timestamp: now, key, value }
}
