/** The engine's reports about itself, as metrics. */

import type { OnUnreadable } from '../../../streams/read-record.ts'
import type { StreamsRuntime } from '../../../streams/runtime.ts'
import type { RuntimeObserver } from '../../../streams/runtime-observer.ts'
import type { Topics } from '../../../topology/topics.ts'
import type { Stage } from '../../base/roles.ts'
import { INPUTS } from '../../reading/stage-lags.ts'
import type { Metrics } from './create.ts'

export function runtimeMetrics(metrics: Metrics, unreadable: OnUnreadable): RuntimeObserver {
  const lags = createLags(metrics.streamLag)
  const standbyLags = createLags(metrics.standbyLag)
  return {
    fetched(stage, records, bytes) {
      metrics.streamFetchedRecords.inc({ stage }, records)
      metrics.streamFetchedBytes.inc({ stage }, bytes)
    },
    processed(stage, _partition, records, elapsedMs) {
      metrics.streamRecords.inc({ stage }, records)
      metrics.streamProcessSeconds.inc({ stage }, elapsedMs / 1000)
    },
    committed(stage, _partition, outcome, { records, bytes, elapsedMs }) {
      metrics.streamCommits.inc({ stage, outcome })
      metrics.streamCommitSeconds.observe({ stage }, elapsedMs / 1000)
      if (outcome !== 'committed') return
      metrics.streamWrittenRecords.inc({ stage }, records)
      metrics.streamWrittenBytes.inc({ stage }, bytes)
    },
    restored(stage, _partition, records, elapsedMs) {
      metrics.restoreSeconds.set({ stage }, elapsedMs / 1000)
      metrics.restoredRecords.inc({ stage }, records)
    },
    rebalanced(stage, owned, standbys) {
      metrics.rebalances.inc({ stage })
      lags.keep(stage, owned)
      standbyLags.keep(stage, standbys)
    },
    deadLettered: ({ topic, reason }) => metrics.poison.inc({ topic, reason }),
    unreadable,
    lag: lags.set,
    standbyLag: standbyLags.set,
    taskFailed: (stage) => metrics.taskFailures.inc({ stage }),
  }
}

/** Lags of the partitions that a process has; what another has now is the other's to say. */
function createLags(gauge: Metrics['streamLag'] | Metrics['standbyLag']) {
  const topics = new Map<string, Map<number, Set<string>>>()
  return {
    set(stage: string, topic: string, partition: number, lag: number): void {
      gauge.set({ stage, topic, partition: String(partition) }, lag)
      const ofStage = topics.get(stage) ?? new Map<number, Set<string>>()
      if (ofStage.size === 0) topics.set(stage, ofStage)
      const known = ofStage.get(partition)
      if (known) known.add(topic)
      else ofStage.set(partition, new Set([topic]))
    },
    keep(stage: string, partitions: ReadonlySet<number>): void {
      for (const [partition, of] of topics.get(stage) ?? []) {
        if (partitions.has(partition)) continue
        for (const topic of of) gauge.remove({ stage, topic, partition: String(partition) })
        topics.get(stage)!.delete(partition)
      }
    },
  }
}

/** Values that are looked up when somebody asks. */
export function stageMetrics(
  metrics: Metrics,
  stages: readonly Stage[],
  topics: Topics,
  runtime: StreamsRuntime,
): void {
  for (const stage of stages) for (const input of INPUTS[stage]) metrics.poison.inc({ topic: topics[input].name }, 0)
  metrics.onScrape(() => {
    for (const stage of stages) {
      const { tasks, standbys, refused, buffered, rows } = runtime.stageState(stage)
      metrics.streamTasks.set({ stage }, tasks)
      metrics.streamStandbys.set({ stage }, standbys)
      metrics.streamRefused.set({ stage }, refused)
      metrics.streamBuffered.set({ stage }, buffered)
      for (const [store, own] of rows) metrics.streamStoreRows.set({ store }, own)
    }
  })
}

/** The metric of a log whose brokers have quotas. */
export function throttleMetric(metrics: Metrics, { throttledMs }: { readonly throttledMs?: () => number }): void {
  let told = 0
  metrics.logThrottledSeconds.inc(0)
  if (!throttledMs) return
  metrics.onScrape(() => {
    const now = throttledMs()
    metrics.logThrottledSeconds.inc((now - told) / 1_000)
    told = now
  })
}
