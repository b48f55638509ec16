import type { Codec } from '../../schemas/codec.ts'
import type { Log } from '../../streams/ports.ts'
import type { Stores } from '../../topology/stores.ts'
import type { Topics } from '../../topology/topics.ts'

/** The log a sequencer stands on, and what its records look like there. The caller that opened it closes it. */
export interface Ground {
  readonly log: Log
  readonly topics: Topics
  readonly stores: Stores
  /** Where others may register schemas while we run: their records wait until the codec knows them. */
  readonly codec?: Codec
  /** How long the log has kept this process waiting since it was opened, ms, for a quota; where there is such a thing. */
  readonly throttledMs?: () => number
}
