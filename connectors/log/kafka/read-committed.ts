import type { LogRecord } from '../../../streams/ports.ts'
import type { EpochStart } from './leader-epochs.ts'
import { isAbortMarker, readBatches, readRecords } from './record-batch-read.ts'

/** A transaction that ended without effect, as a fetch names it: some of its records may be among those fetched. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

export interface CommittedRecords {
  readonly records: LogRecord[]
  /** Where the next fetch begins: behind the last whole batch, whatever of it is left; at least `from`. */
  readonly next: number
  /** Where a batch is of another leader epoch than the one before it, beginning with the first. */
  readonly leaderEpochs: readonly EpochStart[]
}

/**
 * What a reader of committed records sees of a fetched partition, from position `from` on. As in Java's consumer, a
 * producer's batches are dropped from the first offset of an aborted transaction of its on, up to the marker that ends it.
 * Only control batches are markers, whatever a record's key looks like. A batch is known by its header, so one whose
 * records were all compacted away, or one that begins before `from`, still moves the position to its end.
 * @param fetched ends at the last stable offset: the broker sends nothing of open transactions
 * @throws LogError as `readBatches`
 */
export function readCommitted(
  fetched: Buffer,
  abortedTransactions: readonly AbortedTransaction[],
  from: number,
): CommittedRecords {
  const waiting = [...abortedTransactions].sort((a, b) => a.firstOffset - b.firstOffset)
  const aborted = new Set<bigint>()
  const records: LogRecord[] = []
  const leaderEpochs: EpochStart[] = []
  let next = from
  let begun = 0
  for (const batch of readBatches(fetched)) {
    while (begun < waiting.length && waiting[begun]!.firstOffset <= batch.lastOffset)
      aborted.add(waiting[begun++]!.producerId)
    if (batch.control) {
      if (aborted.has(batch.producerId) && isAbortMarker(batch)) aborted.delete(batch.producerId)
    } else if (batch.lastOffset >= from && !(batch.transactional && aborted.has(batch.producerId))) {
      readRecords(batch, from, records)
    }
    if (batch.lastOffset >= next) next = batch.lastOffset + 1
    const { leaderEpoch, baseOffset } = batch
    if (leaderEpochs.at(-1)?.leaderEpoch !== leaderEpoch) leaderEpochs.push({ offset: baseOffset, leaderEpoch })
  }
  return { records, next, leaderEpochs }
}
