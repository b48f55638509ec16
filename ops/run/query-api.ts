/** Opens the view of the role `api`, and lets the query API answer from it. */
import { systemClock } from '../../connectors/system-clock.ts'
import type { HeldBack } from '../../streams/held-back.ts'
import { followIntakeReports } from '../api/queries/peers.ts'
import { followProcesses } from '../api/queries/processes.ts'
import { proofsOf } from '../api/queries/proofs.ts'
import { HOUR_MS } from '../api/view/commit.ts'
import { openView, type View, type ViewOptions } from '../api/view/view.ts'
import type { Closeable } from '../base/lifecycle.ts'
import { onlooking } from '../base/onlooking.ts'
import { createDayContract } from '../reading/day-on-chain.ts'
import type { StageWatch } from '../watch/stage-watch.ts'
import { followDays } from './day-metrics.ts'
import type { Wiring } from './wiring.ts'

export interface QueryApi extends Closeable {
  /** Resolves when it answers, or after `close`. Until then it says what it waits for. */
  readonly opened: Promise<void>
}

/** @param waiting is told why it does not answer, or not of what is new; undefined when it does */
export function openQueryApi(
  wiring: Wiring,
  watched: { readonly stages: Pick<StageWatch, 'report'>; readonly held: Pick<HeldBack, 'all'> },
  waiting: (reason: string | undefined) => void,
): QueryApi {
  const { config, log, topics, health, leftOut, apiSources, metrics } = wiring
  const { chain, rules } = config
  const stop = new AbortController()
  const options = { ...viewOptions(wiring), waiting }
  const ports = { log, clock: systemClock, tell: leftOut.by('view'), signal: stop.signal }
  const reports = followIntakeReports(ports, topics)
  const processes = followProcesses(ports, topics)
  const contract = chain.rpcUrls.length > 0 ? createDayContract(chain) : undefined
  let days: Closeable | undefined
  const opening: Promise<View | undefined> = onlooking(ports, () => openView(options), waiting)
  const opened = opening.then((view) => {
    if (!view || stop.signal.aborted) return
    const proofs = proofsOf(chain, { view, log, topics })
    const { instanceId } = config
    const told = { reports, processes, contract, proofs }
    apiSources.open({ view, log, topics, rules, health, instanceId, ...watched, ...told })
    days = followDays({ view, topics, rules }, metrics)
    waiting(undefined)
  })
  return {
    opened,
    async close() {
      stop.abort()
      apiSources.close()
      contract?.close()
      await Promise.all([reports.close(), processes.close()])
      const view = await opening
      await days?.close()
      await view?.close()
    },
  }
}

function viewOptions({ config, log, topics, leftOut }: Wiring): ViewOptions {
  const { appId, chain, api } = config
  return {
    directory: api.viewDirectory,
    identity: [appId, topics.submissions.name, chain.chainId, chain.protocolState].join(' '),
    keepMs: api.keepHours * HOUR_MS,
    submissionsMax: api.submissionsMax,
    log,
    topics,
    clock: systemClock,
    onUnreadable: leftOut.by('view'),
  }
}
