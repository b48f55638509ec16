/** Whether the rows that the state of a stage rests on are still in its changelogs and tables. */
import { needsIn } from '../../streams/kept-place.ts'
import type { Log, PositionLostError, TopicPartition } from '../../streams/ports.ts'
import { partitionNamed, rowsGone } from '../../streams/position-loss.ts'
import { exists } from './market-rows.ts'

/**
 * The first rows that are gone, by what the stage has committed; undefined when none are, or when an older release committed. A stage that
 * runs has them in memory still, and waits at its next start.
 * @param inputs partitions of its source topics
 * @throws LogError when the log does not answer, or a transaction on its positions is open
 */
export async function rowsMissing(
  log: Log,
  {
    group,
    stage,
    inputs,
  }: { readonly group: string; readonly stage: string; readonly inputs: readonly TopicPartition[] },
): Promise<PositionLostError | undefined> {
  const places = [...needsIn(await log.committedOffsets(group, inputs)).keys()].map(partitionNamed)
  const there = new Map<string, boolean>()
  for (const { topic } of places) if (!there.has(topic)) there.set(topic, await exists(log, topic))
  const found = places.filter(({ topic }) => there.get(topic))
  if (found.length === 0) return undefined
  const bounds = await log.bounds(found)
  const starts = found.map((at, i) => ({ ...at, offset: bounds[i]!.start }))
  // the stage may have purged meanwhile, but only what its commit before needs no more
  return rowsGone(stage, needsIn(await log.committedOffsets(group, inputs)), starts)
}
