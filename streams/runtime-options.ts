import type { Clock, Log } from './ports.ts'
import type { Preparer } from './preparation.ts'
import type { RuntimeObserver } from './runtime-observer.ts'

export interface RuntimeOptions {
  readonly appId: string
  /** Stable name of this process within its groups. */
  readonly instanceId: string
  readonly log: Log
  readonly clock: Clock
  /** Stages to run here; all when undefined. */
  readonly stages?: readonly string[]
  /** How this process does the preparations that the graph names; none by default. */
  readonly prepare?: readonly Preparer[]
  readonly observer?: RuntimeObserver
  /** Called once, when a task failed for good; nothing is processed any more then. Close the runtime. */
  readonly onFailure?: (error: Error) => void
  /** Members that keep the state of each task ready beside its owner, so that a standby goes on at once; 0. */
  readonly standbys?: number
  /** Stages that nobody waits for: they work while no other has something to do, and at the latest after 500 ms. */
  readonly background?: readonly string[]
  /**
   * Time between two commits of a task, 100 ms. While it has written to its stores only, 10 times as long, counted from the
   * first record: nobody waits for that. A marker that closes a scope, or a processor, may ask for a commit sooner.
   */
  readonly commitIntervalMs?: number
  /** Bytes of output after which a task commits, 8 MiB. */
  readonly burstBytesMax?: number
  /** Records and bytes fetched ahead per task, 10,000 and 16 MiB; passed by one fetch at most. */
  readonly bufferedRecordsMax?: number
  readonly bufferedBytesMax?: number
  /** Time between two deletions of what repartition topics and changelogs need no more, 30 s. */
  readonly purgeIntervalMs?: number
  /** Lets other work of the event loop run between slices; a simulation passes its own. */
  readonly yieldToLoop?: () => Promise<void>
}

export const RUNTIME_DEFAULTS = {
  observer: {},
  prepare: [],
  standbys: 0,
  background: [],
  commitIntervalMs: 100,
  burstBytesMax: 8 * 1024 * 1024,
  bufferedRecordsMax: 10_000,
  bufferedBytesMax: 16 * 1024 * 1024,
  purgeIntervalMs: 30_000,
  yieldToLoop: (): Promise<void> => new Promise((resolve) => setImmediate(resolve)),
} as const satisfies Partial<RuntimeOptions>

/** With every default filled in. */
export type RuntimeSettings = RuntimeOptions & Required<Pick<RuntimeOptions, keyof typeof RUNTIME_DEFAULTS>>
