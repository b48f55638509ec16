/** Asks a node whether the contract keeps a batch. */

import { CliError, EXIT } from '../../base/cli-error.ts'
import { shownUrl, withoutKeys } from '../../base/shown-url.ts'
import { type ChainOptions, openChainReader } from '../audit/chain.ts'
import type { Problem, VerifyReport } from './report.ts'

/**
 * @returns the differences of the contract; nothing when it keeps the batch in the epoch of the market and has its root
 * Throws CliError when the node cannot be asked, refuses, or is one of another chain: an answer that a node does not give is no fact.
 */
export async function checkAnchored(
  { cid, cidV1, epochId, dataMarket, finalizedCidsRootHash }: VerifyReport,
  options: ChainOptions,
): Promise<readonly Problem[]> {
  const differs = (where: string, message: string): readonly Problem[] => [{ code: 'NOT_ANCHORED', where, message }]
  if (dataMarket === null || epochId === null) return differs('the batch', 'it names no data market and no epoch')
  try {
    const chain = await openChainReader(options)
    try {
      const kept = await chain.batchCids(dataMarket, epochId)
      const found = [cidV1, cid].find((one) => kept.includes(one))
      if (found === undefined)
        return differs(`epoch ${epochId} of ${dataMarket}`, 'the contract keeps no batch with this CID there')
      const root = await chain.sequencerRoot(dataMarket, found)
      return root === finalizedCidsRootHash ? [] : differs(found, `the contract keeps the root ${root} for it`)
    } finally {
      chain.close()
    }
  } catch (error) {
    throw new CliError(
      `the node ${shownUrl(options.url)} cannot be asked: ${withoutKeys((error as Error).message)}`,
      'Check --rpc and what --chain-id or --deployment names, or leave --rpc out.',
      EXIT.unavailable,
      error,
    )
  }
}
