import type { HeldBack } from '../../streams/held-back.ts'
import type { Log } from '../../streams/ports.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import type { Topics } from '../../topology/topics.ts'
import type { Health } from '../base/health.ts'
import type { DayContract } from '../reading/day-on-chain.ts'
import type { Proofs } from '../reading/proof/source.ts'
import type { StageWatch } from '../watch/stage-watch.ts'
import type { IntakeReports } from './queries/peers.ts'
import type { ProcessReports } from './queries/processes.ts'
import type { ViewReader } from './view/store.ts'
import type { View } from './view/view.ts'

/** The sources from which the API answers. */
export interface ApiSource {
  readonly view: View
  readonly log: Log
  readonly topics: Topics
  readonly rules: ProtocolRules
  readonly health: Health
  /** The name of this process. */
  readonly instanceId: string
  readonly stages: Pick<StageWatch, 'report'>
  readonly held: Pick<HeldBack, 'all'>
  readonly proofs: Proofs
  /** For days that are no longer in the log; absent without a node. */
  readonly contract?: DayContract | undefined
  readonly reports: Pick<IntakeReports, 'newest'>
  readonly processes: Pick<ProcessReports, 'list'>
}

export interface Asked extends ApiSource {
  readonly reader: ViewReader
}
