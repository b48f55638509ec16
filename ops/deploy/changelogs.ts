/** Changelogs that are not those that the positions of stages rest on: they are on no record, since a reset makes them anew. */
import { placeIn } from '../../streams/kept-place.ts'
import { type Log, LogError } from '../../streams/ports.ts'
import { changelogsOf, type Topology } from '../../streams/topology.ts'
import { idsOf } from '../ground/cluster/owner.ts'
import { partitionsOf } from '../reading/scan.ts'
import type { Change } from './change.ts'

export interface LostChangelog {
  readonly name: string
  readonly stage: string
  readonly before: string
  /** Undefined when there is none. */
  readonly now: string | undefined
}

/** None of a stage whose position nobody can say now. @throws LogError when the log does not answer */
export async function lostChangelogs(log: Log, topology: Topology, appId: string): Promise<LostChangelog[]> {
  const kept = new Map<string, Omit<LostChangelog, 'now'>>()
  for (const stage of topology.stages) {
    const own = new Set(changelogsOf(appId, stage))
    const inputs = stage.sources.flatMap(partitionsOf)
    const committed = await log.committedOffsets(`${appId}-${stage.name}`, inputs).catch(noneWhileOpen)
    for (const one of committed)
      for (const [name, before] of Object.entries(placeIn(one?.metadata)?.topics ?? {}))
        if (own.has(name)) kept.set(name, { name, stage: stage.name, before })
  }
  const now = await idsOf(log, [...kept.keys()])
  return [...kept.values()]
    .filter(({ name, before }) => now[name] !== before)
    .map((one) => ({ ...one, now: now[one.name] }))
}

/** A transaction on the positions is open. */
function noneWhileOpen(error: unknown): readonly undefined[] {
  if (error instanceof LogError && error.retriable) return []
  throw error
}

export const changelogChanges = (lost: readonly LostChangelog[]): Change[] =>
  lost.map(({ name, stage, before, now }) => ({
    class: 'refused',
    kind: 'topic',
    name,
    detail: now === undefined ? `its id was ${before}, and it is gone` : `made anew: id ${before} → ${now}`,
    advice: `The state of stage ${stage} was in it: the stage waits. See "When the log has lost something" in docs/operations.md.`,
  }))
