import { createHash } from 'node:crypto'
import { createBatchJoiner, withBytes } from '../../schemas/batch-joiner.ts'
import type { Batch } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import { isEpochSummary, type Topics } from '../../topology/topics.ts'
import { readAll } from './reading.ts'

/** Topics whose records a change that only makes the stages faster leaves as they are. */
const OUTCOMES = [
  'finalizations',
  'verdicts',
  'tallies',
  'days',
  'slotDays',
] as const satisfies readonly (keyof Topics)[]

/**
 * One hash over every finalization, batch, verdict, tally and day of a run, in whatever order and form of records they were
 * written: equal for two trees that decide the same.
 */
export async function outcomeDigest(log: Log, topics: Topics): Promise<string> {
  const lines: string[] = []
  for (const name of OUTCOMES)
    for (const { key, value } of await readAll<object, object>(log, topics[name])) lines.push(lineOf(name, key, value))
  const joiner = createBatchJoiner()
  for (const { key, value } of await readAll(log, topics.batches)) {
    const event = isEpochSummary(value) ? value : joiner.take(key.dataMarket, value)
    if (event) lines.push(lineOf('batches', key, 'json' in event ? factsOf(event) : event))
  }
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex')
}

function factsOf(joined: Batch): object {
  const { texts: _, ...facts } = withBytes(joined)
  return facts
}

const lineOf = (topic: string, key: object, value: object): string => `${topic} ${JSON.stringify([key, value])}`
