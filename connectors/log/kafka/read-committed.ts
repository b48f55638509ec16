import { LogError, type LogRecord } from '../../../streams/ports.ts'
import type { EpochStart } from './leader-epochs.ts'
import { ANSWER_UNPACKED_BYTES_MAX } from './limits.ts'
import {
  type DamagedBatch,
  faultyRecord,
  isAbortControl,
  isDamaged,
  isOld,
  type RecordBatch,
  readBatches,
  readRecords,
} from './record-batch-read.ts'

/** A transaction that ended without effect, as a fetch names it: some of its records may be among those fetched. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: number
}

export interface CommittedRecords {
  readonly records: LogRecord[]
  /** The offset of the next fetch: behind the last whole batch, whatever of it is left; at least `from`. */
  readonly next: number
  /** The offsets at which a batch has another leader epoch than the batch before it, beginning with the first. */
  readonly leaderEpochs: readonly EpochStart[]
  /** The batch at `next` is not what was written there. */
  readonly damaged?: DamagedBatch
}

/**
 * The view of a reader of committed records on a fetched partition, from position `from` on. As in Java's consumer, a producer's
 * batches are dropped from the first offset of an aborted transaction of its on, up to the control record that ends it. Only control
 * batches count, whatever a record's key looks like. A batch is known by its header, so one whose records were all
 * compacted away, or one that begins before `from`, still moves the position to its end.
 *
 * A batch whose checksum fits and that cannot be taken apart was written so: one faulty record stands for it. At one that is
 * damaged the reading ends, since nothing says whose it was. It ends too, behind a batch, when those before came to more
 * than ANSWER_UNPACKED_BYTES_MAX.
 * @param fetched ends at the last stable offset: the broker sends nothing of open transactions
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
  let unpackedBytes = 0
  for (const batch of readBatches(fetched)) {
    if (unpackedBytes > ANSWER_UNPACKED_BYTES_MAX) break
    if (isDamaged(batch)) return { records, next, leaderEpochs, damaged: behind(batch, next) }
    while (begun < waiting.length && waiting[begun]!.firstOffset <= batch.lastOffset)
      aborted.add(waiting[begun++]!.producerId)
    const isWanted = batch.lastOffset >= from
    try {
      if (isOld(batch)) {
        if (isWanted) records.push(faultyRecord(batch, from, batch.error))
      } else if (batch.control) {
        if (aborted.has(batch.producerId) && isAbortControl(batch)) aborted.delete(batch.producerId)
      } else if (isWanted && !(batch.transactional && aborted.has(batch.producerId))) {
        unpackedBytes += takeRecords(batch, from, records)
      }
    } catch (error) {
      const at = { baseOffset: batch.baseOffset, next: batch.lastOffset + 1, error: error as LogError }
      return { records, next, leaderEpochs, damaged: behind(at, next) }
    }
    if (batch.lastOffset >= next) next = batch.lastOffset + 1
    if (isOld(batch)) continue
    const { leaderEpoch, baseOffset } = batch
    if (leaderEpochs.at(-1)?.leaderEpoch !== leaderEpoch) leaderEpochs.push({ offset: baseOffset, leaderEpoch })
  }
  return { records, next, leaderEpochs }
}

/** @returns the bytes of its records, unpacked. @throws LogError `CODEC_MISSING`: the fault is this machine's */
function takeRecords(batch: RecordBatch, from: number, into: LogRecord[]): number {
  const before = into.length
  try {
    return readRecords(batch, from, into)
  } catch (error) {
    if (!(error instanceof LogError) || error.code === 'CODEC_MISSING') throw error
    into.length = before
    into.push(faultyRecord(batch, from, error))
    return 0
  }
}

/** Behind it at least by one, so that who goes on without it gets on. */
const behind = (batch: DamagedBatch, position: number): DamagedBatch => ({
  ...batch,
  next: Math.max(batch.next, position + 1),
})
