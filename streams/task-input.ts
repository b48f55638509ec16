import { Alignment } from './alignment.ts'
import type { EngineState } from './engine-state.ts'
import { MarkerGuard, type MarkerSeals } from './marker-guard.ts'
import type { AnyTopic } from './topology.ts'

export interface InputOptions {
  /** See `Topology.countedTopics`. */
  readonly countedTopics: ReadonlySet<string>
  /** See `Topology.sealedTopics`. */
  readonly sealedTopics: ReadonlyMap<string, MarkerSeals>
}

/** A source topic of a task. */
export class Input {
  readonly topic: AnyTopic
  readonly alignment: Alignment | undefined
  readonly guard: MarkerGuard | undefined
  /** Next offset to process. */
  position = 0
  committed = 0

  /** @param engine of a stage that has something to remember; a stage whose source has markers always has */
  constructor(topic: AnyTopic, partition: number, options: InputOptions, engine: EngineState | undefined) {
    const { name, markers } = topic
    this.topic = topic
    if (markers === undefined || engine === undefined) return
    const seals = options.sealedTopics.get(name)
    this.alignment = new Alignment(topic, markers, engine, options.countedTopics.has(name))
    this.guard = seals && new MarkerGuard(name, partition, seals, engine)
  }
}
