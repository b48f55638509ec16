import { keyText, type LogCore, newestByKey } from '../core/core.ts'
import type { PartitionLog } from '../core/partition.ts'

/** A compacted partition is cleaned when it has so many new offsets. */
const DIRTY_RECORDS_MIN = 1_000

/**
 * Retention and compaction of a log that lives in memory alone.
 * @param cleaned `topic/partition` → end of the partition when it was cleaned last; kept up here
 */
export function maintainMemory(core: LogCore, now: number, cleaned: Map<string, number>): void {
  for (const { name, cleanup, retentionMs } of core.configs()) {
    for (const partition of core.topic(name).partitions) {
      if (cleanup === 'delete' && retentionMs !== undefined) dropOlderThan(partition, now - retentionMs)
      if (cleanup === 'compact') compact(partition, cleaned)
    }
  }
}

function dropOlderThan(partition: PartitionLog, oldest: number): void {
  for (const { offset, timestamp } of partition.visible()) {
    if (timestamp >= oldest) return void partition.deleteBefore(offset)
  }
  partition.deleteBefore(partition.stable)
}

function compact(partition: PartitionLog, cleaned: Map<string, number>): void {
  const name = `${partition.topic}/${partition.index}`
  if (partition.stable - (cleaned.get(name) ?? 0) < DIRTY_RECORDS_MIN) return
  const newest = newestByKey(partition.visible())
  partition.filter(({ key, offset }) => key === null || newest.get(keyText(key)) === offset)
  cleaned.set(name, partition.stable)
}
