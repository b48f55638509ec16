/** The parts of the role `api`: the view behind the query API, and what is measured of epochs. */
import { systemClock } from '../../connectors/system-clock.ts'
import { HeldBack } from '../../streams/held-back.ts'
import { within } from '../../streams/within.ts'
import { sequencerTopology } from '../../topology/index.ts'
import { waitingTogether } from '../base/onlooking.ts'
import { allTopics } from '../ground/all-topics.ts'
import { followProgress } from '../reading/progress.ts'
import { logEpochs } from '../watch/logging/events.ts'
import { consumerLag } from '../watch/metrics/consumer-lag.ts'
import { epochMetrics } from '../watch/metrics/epochs.ts'
import { createStageWatch, type StageWatch } from '../watch/stage-watch.ts'
import { startTracing, type Tracing } from '../watch/tracing/follow.ts'
import { openQueryApi } from './query-api.ts'
import type { Part, Wiring } from './wiring.ts'

/**
 * The time that the other roles of the process wait for roles that only look on, so that these see everything from its beginning.
 * When the log is in trouble they start without them.
 */
const ONLOOKERS_WAIT_MS = 5_000

/**
 * The view behind the query API goes on from where it stopped, which may be far back; what is measured begins at the end of
 * the topics, since it is when things happen. So each follows the topics by itself.
 */
export async function startApi(wiring: Wiring): Promise<Part> {
  const watch = createStageWatch(systemClock.now)
  const { health } = wiring
  health.set('api', false, 'the view of the log is not open yet', true)
  const waits = waitingTogether((reason) => health.set('api', reason === undefined, reason))
  const held = new HeldBack(systemClock)
  const followed = await followEpochs(wiring, { watch, held }, waits('epochs'))
  const api = openQueryApi(wiring, { stages: watch, held }, waits('view'))
  await within(
    Promise.all([followed.started, api.opened]),
    { clock: systemClock, ms: ONLOOKERS_WAIT_MS },
    () => undefined,
  )
  return { close: () => Promise.all([api.close(), followed.close()]) }
}

async function followEpochs(
  { config, log, bareLog, topics, stores, metrics, leftOut }: Wiring,
  { watch, held }: { readonly watch: StageWatch; readonly held: HeldBack },
  waiting: (reason: string | undefined) => void,
) {
  const measured = epochMetrics(metrics, { now: systemClock.now })
  const tracing = await openTracing(config, { topics, log })
  const told = [...(config.log ? [logEpochs(config.log)] : []), ...(tracing ? [tracing.listener] : [])]
  const progress = followProgress(
    {
      topics,
      listeners: [measured, ...told, ...(config.listeners ?? [])],
      onUnreadable: leftOut.by('progress'),
      waiting,
      failed: (error) =>
        config.warn(`a part of an epoch is not shown: ${error instanceof Error ? error.stack : error}`),
    },
    { log, clock: systemClock },
  )
  const { appId, rules, anchoring } = config
  const all = allTopics(appId, sequencerTopology(rules, topics, stores, anchoring), topics)
  const lag = consumerLag(metrics, { appId, topics, all, log, bareLog, clock: systemClock, watch, held })
  return {
    started: progress.started,
    close: () => Promise.all([lag.close(), progress.close().then(() => tracing?.close())]),
  }
}

async function openTracing(
  { tracing, version }: Wiring['config'],
  { topics, log }: Pick<Wiring, 'topics' | 'log'>,
): Promise<Tracing | undefined> {
  if (tracing?.otlpUrl === undefined) return undefined
  const { otlpUrl, sampleShare } = tracing
  return startTracing({ otlpUrl, sampleShare }, { topics, version, log, clock: systemClock })
}
