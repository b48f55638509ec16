/**
 * How far each stage is behind its input, asked of the log every few seconds: so it is known also when nobody runs the
 * stage. The same as `kafka-consumer-groups --describe` shows.
 */
import type { Clock, Log } from '../../streams/ports.ts'
import type { Topics } from '../../topology/topics.ts'
import type { Closeable } from '../lifecycle.ts'
import { partitionsOf } from '../log-reading/scan.ts'
import type { Stage } from '../roles.ts'
import type { StageWatch } from '../stage-watch.ts'
import type { Metrics } from './create.ts'

const ASK_MS = 5_000
/** A log that has not answered by then cannot be reached; its driver goes on trying. */
const ASK_WAIT_MS = 10_000

type Input = 'epochTicks' | 'submissions' | 'validated' | 'admitted' | 'finalizations' | 'batches' | 'anchorResults'

/** What each stage reads; a test compares it with the graph. */
export const INPUTS = {
  'tick-fanout': ['epochTicks'],
  validate: ['submissions'],
  admit: ['validated'],
  consensus: ['admitted'],
  settle: ['finalizations'],
  batch: ['finalizations'],
  anchor: ['batches', 'anchorResults'],
} as const satisfies Record<Stage, readonly Input[]>

export interface ConsumerLagOptions {
  readonly appId: string
  readonly topics: Topics
  readonly log: Log
  readonly clock: Clock
  readonly watch: StageWatch
}

export function consumerLag(metrics: Metrics, options: ConsumerLagOptions): Closeable {
  const stop = new AbortController()
  const { clock, watch } = options
  const asking = (async () => {
    while (!stop.signal.aborted) {
      const waited = new AbortController()
      const late = clock.sleep(ASK_WAIT_MS, AbortSignal.any([stop.signal, waited.signal])).then(() => 0)
      const asked = ask(metrics, options).then(
        () => 1,
        () => 0, // the roles that need the log say why
      )
      const reachable = await Promise.race([asked, late])
      metrics.logReachable.set(reachable)
      if (reachable === 0) watch.lostSight()
      waited.abort()
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

async function ask(metrics: Metrics, { appId, topics, log, watch }: ConsumerLagOptions): Promise<void> {
  for (const [stage, inputs] of Object.entries(INPUTS)) {
    const partitions = inputs.flatMap((input) => partitionsOf(topics[input]))
    const group = `${appId}-${stage}`
    const [bounds, offsets] = await Promise.all([log.bounds(partitions), log.committedOffsets(group, partitions)])
    for (const [at, { topic, partition: number }] of partitions.entries()) {
      const { start, stable } = bounds[at]!
      const next = Math.max(start, offsets[at]?.next ?? 0)
      const labels = { stage, topic, partition: String(number) }
      const behind = Math.max(0, stable - next)
      metrics.consumerLag.set(labels, behind)
      metrics.consumerOffset.set(labels, next)
      watch.saw(stage, `${topic}/${number}`, next, behind)
    }
  }
}
