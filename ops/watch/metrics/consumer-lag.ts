/** How far each stage is behind its input, asked of the log every few seconds: so it is known also when nobody runs the stage. */

import type { HeldBack } from '../../../streams/held-back.ts'
import type { Clock, Log, TopicConfig } from '../../../streams/ports.ts'
import { within } from '../../../streams/within.ts'
import type { Topics } from '../../../topology/topics.ts'
import type { Closeable } from '../../base/lifecycle.ts'
import { STAGES } from '../../base/roles.ts'
import { damageAt } from '../../ground/damage-at.ts'
import { extentsOf } from '../../ground/unread.ts'
import { positionsOf } from '../../reading/stage-lags.ts'
import type { StageWatch } from '../stage-watch.ts'
import type { Metrics } from './create.ts'

const ASK_MS = 5_000
/** A log that has not answered by then cannot be reached; its driver goes on trying. */
const ASK_WAIT_MS = 10_000

/** Partitions that are read in one round, to see why their stage stands still. */
const LOOKS_MAX = 16

export interface ConsumerLagOptions {
  readonly appId: string
  readonly topics: Topics
  /** Every topic of the deployment: each is somebody's to read. */
  readonly all: readonly TopicConfig[]
  readonly log: Log
  /** As `log`; reading it tells nobody that a partition waits: it is read only to see whether others can. */
  readonly bareLog: Log
  readonly clock: Clock
  readonly watch: StageWatch
  readonly held: HeldBack
}

export function consumerLag(metrics: Metrics, options: ConsumerLagOptions): Closeable {
  const stop = new AbortController()
  const { clock, watch, held } = options
  const asking = (async () => {
    while (!stop.signal.aborted) {
      const asked = ask(metrics, options).then(
        () => 1,
        () => 0, // the roles that need the log say why
      )
      const reachable = await within(asked, { clock, ms: ASK_WAIT_MS, signal: stop.signal }, () => 0)
      metrics.logReachable.set(reachable)
      if (reachable === 0) {
        watch.lostSight()
        held.forget()
      }
      await clock.sleep(ASK_MS, stop.signal)
    }
  })()
  return {
    async close() {
      stop.abort()
      await asking
    },
  }
}

async function ask(metrics: Metrics, options: ConsumerLagOptions): Promise<void> {
  const { appId, topics, log, bareLog, watch } = options
  let looks = LOOKS_MAX
  await askStable(metrics, options)
  for (const stage of STAGES)
    for (const { topic, partition, next, stable, behind } of await positionsOf(log, topics, appId, stage)) {
      const labels = { stage, topic, partition: String(partition) }
      metrics.consumerLag.set(labels, behind)
      metrics.consumerOffset.set(labels, next)
      const stands = watch.saw(stage, `${topic}/${partition}`, next, behind)
      if (!stands || next >= stable || looks-- <= 0) continue
      watch.cannotPass(stage, `${topic}/${partition}`, await damageAt(bareLog, { topic, partition, offset: next }))
    }
}

/** The distance from the end of each topic to the end of what readers may see. */
async function askStable(metrics: Metrics, { all, log, held, clock }: ConsumerLagOptions): Promise<void> {
  for (const one of await extentsOf(log, all)) held.saw(one, one.stable, one.end)
  metrics.stableLag.reset()
  metrics.stableHeldSeconds.reset()
  for (const { topic, partition, records, since } of held.all) {
    const labels = { topic, partition: String(partition) }
    metrics.stableLag.set(labels, records)
    metrics.stableHeldSeconds.set(labels, (clock.now() - since) / 1_000)
  }
}
