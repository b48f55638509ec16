import { createHash } from 'node:crypto'
import type { Log } from '../../streams/ports.ts'
import type { Topics } from '../../topology/topics.ts'
import { readPartition } from './reading.ts'

/** Topics whose records a change that only makes the stages faster leaves as they are. */
const OUTCOMES = ['finalizations', 'batches', 'verdicts', 'tallies'] as const satisfies readonly (keyof Topics)[]

/**
 * One hash over the bytes of every finalization, batch, verdict and tally of a run, in whatever order they were written: equal
 * for two trees that decide the same.
 */
export async function outcomeDigest(log: Log, topics: Topics): Promise<string> {
  const lines: string[] = []
  for (const name of OUTCOMES)
    for (let partition = 0; partition < topics[name].partitions; partition++)
      for (const { key, value } of await readPartition(log, { topic: topics[name].name, partition }))
        lines.push(`${name} ${hexOf(key)} ${hexOf(value)}`)
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex')
}

const hexOf = (bytes: Uint8Array | null): string => (bytes === null ? '' : Buffer.from(bytes).toString('hex'))
