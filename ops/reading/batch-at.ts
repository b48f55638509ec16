import { BatchGone, readBatch } from '../../connectors/evm/anchor-effects/anchor-batches.ts'
import type { Batch } from '../../schemas/types.ts'
import { type Log, LogError } from '../../streams/ports.ts'
import type { Topics } from '../../topology/topics.ts'

/** The whole batch whose first record lies at an offset of `batches`; undefined when it is not in the log (any more). */
export async function batchAt(log: Log, { batches }: Topics, offset: number): Promise<Batch | undefined> {
  try {
    return await readBatch(log, batches, offset)
  } catch (error) {
    if (error instanceof BatchGone || (error instanceof LogError && error.code === 'OFFSET_NOT_AVAILABLE'))
      return undefined
    throw error
  }
}
