import { setTimeout } from 'node:timers/promises'
import type { Log, TopicPartition } from '../../../streams/ports.ts'

/** A minute: brokers abort what a dead writer left open after 20 s. */
const VISIBLE_TRIES_MAX = 300
const VISIBLE_PAUSE_MS = 200

/** Until what is written by now is committed or not; a transaction whose writer died holds readers back for a while. */
export async function untilVisible(log: Log, partitions: readonly TopicPartition[]): Promise<void> {
  const ends = await log.ends(partitions)
  for (let tries = 1; ; tries++) {
    const bounds = await log.bounds(partitions)
    if (bounds.every(({ stable }, at) => stable >= ends[at]!)) return
    if (tries === VISIBLE_TRIES_MAX) throw new Error('a transaction stays open on the log: audit it when it has ended')
    await setTimeout(VISIBLE_PAUSE_MS)
  }
}
