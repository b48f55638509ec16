import type { EpochKey, SlotEpochKey, SubmissionKey } from '../../schemas/types.ts'
import { partitionFor } from '../../streams/partitioner.ts'
import type { Topics } from '../../topology/topics.ts'

/** A test on key bytes that spares decoding: keys begin with the same envelope, market and epoch. */
export type KeyFilter = (key: Uint8Array | null) => boolean

const startsWith = (prefix: Uint8Array): KeyFilter => {
  const { length } = prefix
  return (key) => key !== null && key.length >= length && Buffer.compare(key.subarray(0, length), prefix) === 0
}
/** Without the last byte: the empty text or the 0 that ends a key made for this. */
const withoutLast = (key: Uint8Array): Uint8Array => key.subarray(0, key.length - 1)

export const submissionsOf = (topics: Topics, { dataMarket, epochId }: EpochKey): KeyFilter =>
  startsWith(withoutLast(topics.submissions.key.encode({ dataMarket, epochId, projectId: '' })))

export const verdictsOf = (topics: Topics, { dataMarket, epochId }: EpochKey): KeyFilter =>
  startsWith(withoutLast(topics.verdicts.key.encode({ dataMarket, epochId, slotId: 0 })))

export const anchorsOf = (topics: Topics, { dataMarket, epochId }: EpochKey): KeyFilter =>
  startsWith(withoutLast(topics.anchors.key.encode({ dataMarket, epochId, batchIndex: 0 })))

export const finalizationsOf = (topics: Topics, key: EpochKey): KeyFilter =>
  startsWith(topics.finalizations.key.encode(key))

type Known<Key> = { readonly [Field in keyof Key]?: Key[Field] | undefined }

/** The partitions that may hold a key: one when the key is known whole, else all. */
export function verdictPartitions({ verdicts }: Topics, key: Known<SlotEpochKey>): readonly number[] {
  const { dataMarket, epochId, slotId } = key
  if (dataMarket === undefined || epochId === undefined || slotId === undefined) return allOf(verdicts)
  return [partitionFor(verdicts.key.encode({ dataMarket, epochId, slotId }), verdicts.partitions)]
}

export function submissionPartitions({ submissions }: Topics, key: Known<SubmissionKey>): readonly number[] {
  const { dataMarket, epochId, projectId } = key
  if (dataMarket === undefined || epochId === undefined || projectId === undefined) return allOf(submissions)
  return [partitionFor(submissions.key.encode({ dataMarket, epochId, projectId }), submissions.partitions)]
}

export const finalizationPartition = ({ finalizations }: Topics, key: EpochKey): number =>
  partitionFor(finalizations.key.encode(key), finalizations.partitions)

const allOf = ({ partitions }: { partitions: number }): readonly number[] =>
  Array.from({ length: partitions }, (_, i) => i)
