import { Alignment } from './alignment.ts'
import type { EngineState } from './engine-state.ts'
import type { LogRecord } from './ports.ts'
import { SealGuard } from './seal-guard.ts'
import type { AnyTopic } from './topology.ts'

export interface InputOptions {
  /** See `Topology.countedTopics`. */
  readonly countedTopics: ReadonlySet<string>
}

/** A source topic of a task. */
export class Input {
  readonly topic: AnyTopic
  readonly alignment: Alignment | undefined
  private readonly guard: SealGuard | undefined
  /** Next offset to process. */
  position = 0
  committed = 0

  /** @param engine of a stage that has something to remember; a stage whose source has markers or seals always has */
  constructor(topic: AnyTopic, partition: number, { countedTopics }: InputOptions, engine: EngineState | undefined) {
    const { name, markers } = topic
    this.topic = topic
    if (engine === undefined) return
    const seals = markers === undefined ? topic.seals : markers.seals
    this.alignment = markers && new Alignment(topic, markers, engine, countedTopics.has(name))
    this.guard = seals && new SealGuard(name, partition, seals, engine)
  }

  /** @throws ForgedError for a record that has to be sealed and is not, or was taken before */
  expectGenuine(record: LogRecord, value: unknown): void {
    if (this.guard === undefined) return
    if (this.alignment === undefined || this.alignment.isMarker(value)) this.guard.take(record)
  }
}
