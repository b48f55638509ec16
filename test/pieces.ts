import type { Batch } from '../schemas/types.ts'

/** The records of a batch as they were before batches had texts: pieces of its bytes. */
export function* piecesOf(batch: Batch, pieceBytes: number): Generator<Batch> {
  const { json, epochId, batchIndex, batchCount } = batch
  const parts = Math.max(1, Math.ceil(json.length / pieceBytes))
  yield { ...batch, json: json.subarray(0, pieceBytes), parts, sizeBytes: json.length }
  for (let part = 1; part < parts; part++)
    yield {
      ...NO_BATCH,
      ...{ epochId, batchIndex, batchCount, part, parts },
      json: json.subarray(part * pieceBytes, (part + 1) * pieceBytes),
    }
}

const NO_BATCH = {
  roothash: '',
  finalizedCidsRootHash: '',
  projectIds: [],
  snapshotCids: [],
  submissions: 0,
  leavesBefore: 0,
  gasEstimate: 0,
  sizeBytes: 0,
  texts: [],
} as const satisfies Partial<Batch>
