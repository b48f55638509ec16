import { isNone } from '../../../schemas/none.ts'
import type { AnchorIntent, AnchorKey, AnchorStep } from '../../../schemas/types.ts'
import { isHash } from './anchor-chain.ts'

/** Characters of a CID; ours have 59. */
const CID_CHARACTERS_MAX = 256
const ADDRESS = /^0x[0-9a-fA-F]{40}$/
/** Steps for which nodes are asked about the signer, and about a block. */
const OF_SIGNER: readonly AnchorStep[] = ['SIGN', 'SEND']
const OF_BLOCK: readonly AnchorStep[] = ['WATCH', 'KEEP']

/**
 * The reason why no node can be asked about an intent; undefined when it can. A node refuses such a question, which would be taken for
 * its failure, and asked for ever.
 */
export function whyUnsound({ dataMarket, epochId }: AnchorKey, intent: AnchorIntent): string | undefined {
  const { step, cid, signer, blockNumber, blockHash, rawTransactions } = intent
  if (step === 'DONE') return undefined
  if (!ADDRESS.test(dataMarket)) return 'its key names no address'
  if (epochId < 0) return `its key names epoch ${epochId}`
  if (cid.length > CID_CHARACTERS_MAX) return `a CID of ${cid.length} characters`
  if (OF_SIGNER.includes(step) && !ADDRESS.test(signer)) return 'its signer is no address'
  if (!OF_BLOCK.includes(step)) return undefined
  if (blockHash !== '' && !(isHash(blockHash) && !isNone(blockNumber))) return 'its block has no hash and number'
  return rawTransactions.every(isHash) ? undefined : 'its transaction is no hash'
}
