/** Opens the view of the role `api`, and lets the query API answer from it. */
import { systemClock } from '../../connectors/log/system-clock.ts'
import type { Wiring } from '../compose.ts'
import type { Closeable } from '../lifecycle.ts'
import type { StageWatch } from '../stage-watch.ts'
import { followIntakeReports } from './queries/peers.ts'
import { proofsOf } from './queries/proofs.ts'
import { HOUR_MS } from './view/commit.ts'
import { openView } from './view/view.ts'

export async function openQueryApi(
  { config, log, topics, health, apiDoor }: Wiring,
  stages: Pick<StageWatch, 'report'>,
): Promise<Closeable> {
  const { appId, chain, rules, api } = config
  const view = await openView({
    directory: api.viewDirectory,
    identity: [appId, topics.submissions.name, chain.chainId, chain.protocolState].join(' '),
    keepMs: api.keepHours * HOUR_MS,
    submissionsMax: api.submissionsMax,
    log,
    topics,
    clock: systemClock,
    waiting: (reason) => health.set('api', reason === undefined, reason),
  })
  const reports = followIntakeReports({ log, clock: systemClock }, topics)
  const proofs = proofsOf(chain, { view, log, topics })
  apiDoor.open({ view, log, topics, rules, health, stages, proofs, reports })
  return {
    async close() {
      apiDoor.close()
      await reports.close()
      await view.close()
    },
  }
}
