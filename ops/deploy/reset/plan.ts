/** The effects of a reset of stages. Pure: which offsets move where, which state goes, and what would be wrong with it. */
import type { Stage, Topology } from '../../../streams/topology.ts'
import { changelogsOf, nodesOf } from '../../../streams/topology.ts'

/** Where a stage reads on. Times are ms since 1970. */
export type Position =
  | { readonly to: 'earliest' }
  | { readonly to: 'latest' }
  | { readonly to: 'offset'; readonly offset: number }
  | { readonly to: 'time'; readonly timestamp: number }
  | { readonly to: 'shift'; readonly by: number }

export interface OffsetMove {
  readonly group: string
  readonly topic: string
  readonly position: Position
}

export interface ResetPlan {
  readonly moves: readonly OffsetMove[]
  /** Changelogs of the stages: they are made anew, empty. */
  readonly changelogs: readonly string[]
  /** `stage reads topic`, of stages left out that would be given again what these write. */
  readonly givenAgain: readonly string[]
}

/**
 * A topic between two of the stages is read from its end: everything in it is written again. Only what comes from outside
 * of them is read from the position.
 */
export function planReset(topology: Topology, appId: string, names: readonly string[], position: Position): ResetPlan {
  const stages = topology.stages.filter(({ name }) => names.includes(name))
  const written = new Set(stages.flatMap(writtenBy))
  const moves = stages.flatMap((stage) =>
    stage.sources.map(({ name: topic }): OffsetMove => {
      const between = written.has(topic)
      return { group: `${appId}-${stage.name}`, topic, position: between ? { to: 'latest' } : position }
    }),
  )
  const others = topology.stages.filter(({ name }) => !names.includes(name))
  const givenAgain = others.flatMap(({ name, sources }) =>
    sources.filter((topic) => written.has(topic.name)).map((topic) => `${name} reads ${topic.name}`),
  )
  return { moves, changelogs: stages.flatMap((stage) => changelogsOf(appId, stage)), givenAgain }
}

const writtenBy = (stage: Stage): string[] =>
  [...nodesOf(stage)].flatMap((node) => (node.type === 'sink' ? [node.topic.name] : []))
