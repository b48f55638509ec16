/** The batches that the stores should have, by the log; and the bytes of one, from any place that still has them. */
import { CID } from 'multiformats/cid'
import { readBatch } from '../../../connectors/evm/anchor-effects/anchor-batches.ts'
import { cidVersionOf, computeCid } from '../../../connectors/ipfs/cid.ts'
import type { Keeper } from '../../../connectors/ipfs/store.ts'
import { isBatch } from '../../../schemas/anchor-keys.ts'
import type { Log } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { isLost } from '../../reading/epoch-phases.ts'
import { silently } from '../../reading/read.ts'
import { scan } from '../../reading/scan.ts'

export interface KeptBatch {
  readonly cid: string
  readonly dataMarket: string
  readonly epochId: number
  readonly batchIndex: number
  /** Offset of its first record in `batches`. */
  readonly batchOffset: number
  /** When its row was written last; milliseconds since 1970, by the log. */
  readonly at: number
}

/**
 * Every batch that has a CID, oldest row first; of a CID that several rows have the newest. Records that nobody can read are
 * passed over: they decide nothing.
 */
export async function keptBatches(log: Log, { anchors }: Topics): Promise<readonly KeptBatch[]> {
  const rows = new Map<string, KeptBatch | undefined>()
  for await (const records of scan(log, { topic: anchors.name, partition: 0 }, { tell: silently }))
    for (const { key, value, record } of readRecords(anchors, 0, records, silently)) {
      const { dataMarket, epochId, batchIndex } = key
      const id = `${dataMarket}/${epochId}/${batchIndex}`
      const isKept = value !== null && isCid(value.cid) && isBatch(key) && !isLost(value.state)
      rows.delete(id) // so that the order is that of the newest rows
      if (!isKept) continue
      const { cid, batchOffset } = value
      rows.set(id, { cid, dataMarket, epochId, batchIndex, batchOffset, at: record.timestamp })
    }
  const byCid = new Map<string, KeptBatch>()
  for (const row of rows.values()) {
    if (!row) continue
    byCid.delete(row.cid)
    byCid.set(row.cid, row)
  }
  return [...byCid.values()]
}

/** A batch without one is not stored yet; what is no CID nobody of us wrote. */
function isCid(text: string): boolean {
  try {
    return CID.parse(text).toString() === text
  } catch {
    return false
  }
}

/**
 * From the log while it has the batch, else from a store. The bytes are compared with the CID, no matter where they come from.
 * @throws Error when nobody has them; LogError
 */
export async function bytesOf(
  { cid, batchOffset }: Pick<KeptBatch, 'cid' | 'batchOffset'>,
  { log, topics, keepers }: { readonly log: Log; readonly topics: Topics; readonly keepers: readonly Keeper[] },
): Promise<Uint8Array> {
  const isRight = async (bytes: Uint8Array): Promise<boolean> => (await computeCid(bytes, cidVersionOf(cid))) === cid
  const failures: string[] = []
  try {
    const { json } = await readBatch(log, topics.batches, batchOffset)
    if (await isRight(json)) return json
    failures.push('the log has another batch there')
  } catch (error) {
    if ((error as { retriable?: unknown }).retriable === true) throw error
    failures.push((error as Error).message)
  }
  for (const { name, get } of keepers) {
    try {
      const bytes = await get?.(cid)
      if (bytes && (await isRight(bytes))) return bytes
      if (bytes) failures.push(`${name} gives other bytes`)
    } catch (error) {
      failures.push((error as Error).message)
    }
  }
  throw new Error(`nobody gives the bytes of ${cid}: ${failures.join('; ')}`)
}
