import type { Anchor } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import type { Keccak } from '../verify/keccak.ts'
import type { AnchorHistories } from './anchor-history.ts'
import type { EpochBatches } from './anchored.ts'
import type { ChainReader } from './chain.ts'
import type { Findings } from './report.ts'
import type { Stages } from './stages.ts'

export interface EpochSources {
  readonly log: Log
  readonly topics: Topics
  readonly stages: Stages
  readonly batches: ReadonlyMap<string, EpochBatches>
  readonly anchors: ReadonlyMap<string, ReadonlyMap<number, Anchor>>
  /** The results about each row of `anchors`. */
  readonly histories: AnchorHistories
  readonly chain: ChainReader | undefined
  readonly keccak: Keccak
  readonly findings: Findings
}
