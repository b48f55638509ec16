/** Asks a node what a proof cannot show by itself: that the transaction is on the chain, and the contract keeps the batch. */
import {
  cidIn,
  headerOf,
  type Log,
  readContract,
  receiptOf,
  topicOf,
  word,
} from '../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { EvmError } from '../../../connectors/evm/errors.ts'
import type { Ask } from '../../../connectors/evm/nodes/ask.ts'
import { createRpc } from '../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { printable } from '../../base/printable.ts'
import { shownUrl, withoutKeys } from '../../base/shown-url.ts'
import { type Proof, ProofFault } from '../../reading/proof/format.ts'

const CALL_MS_MAX = 15_000
/** Length of the node's words. */
const WORDS_SHOWN = 400

/**
 * @returns the node's confirmation, in words
 * Throws ProofFault when the chain says otherwise, CliError when the node cannot be asked.
 */
export async function checkOnChain(proof: Proof, url: string): Promise<readonly string[]> {
  const options = { urls: [url], chainId: proof.chainId, timeoutMs: CALL_MS_MAX, batchMax: 1 }
  const rpc = createRpc(options, { clock: systemClock })
  try {
    return await rpc.read((ask) => checkWith(ask, proof))
  } catch (error) {
    if (error instanceof ProofFault) throw error
    if (error instanceof EvmError && error.code === 'WRONG_CHAIN')
      throw new ProofFault(`${shownUrl(url)} is not a node of chain ${proof.chainId}`, error)
    const hint = 'Check --rpc, or leave it out: the file is checked without a node too.'
    const said = printable(withoutKeys((error as Error).message), WORDS_SHOWN)
    throw new CliError(`the node ${shownUrl(url)} cannot be asked: ${said}`, hint, EXIT.unavailable, error)
  } finally {
    rpc.close()
  }
}

async function checkWith(ask: Ask, proof: Proof): Promise<readonly string[]> {
  const { dataMarket, epochId, projectId, protocolState, batch, finalizedCids, anchor } = proof
  const { transactionHash, blockNumber, blockHash } = anchor
  const receipt = await receiptOf(ask, transactionHash)
  if (!receipt)
    throw new ProofFault(
      `the chain has no transaction ${transactionHash}: it was reorganised away, or this is another chain`,
    )
  const isThere = receipt.blockNumber === blockNumber && receipt.blockHash === blockHash
  if (!isThere)
    throw new ProofFault(
      `the transaction is in block ${receipt.blockNumber} (${printable(receipt.blockHash)}), not in ${blockNumber} (${blockHash}): the chain was reorganised`,
    )
  checkEvent(receipt.logs, proof)
  const call = async (name: string, ...args: unknown[]) =>
    (await readContract(ask, protocolState, name, [dataMarket, ...args], 'latest')).map(String)
  const [root] = await call('batchCidSequencerAttestation', batch.cid)
  if (root !== finalizedCids.finalizedCidsRootHash)
    throw new ProofFault(
      `the contract keeps the root ${printable(String(root))} for the batch, not ${finalizedCids.finalizedCidsRootHash}`,
    )
  const [, snapshotCid] = await call('snapshotStatus', projectId, epochId)
  if (snapshotCid !== finalizedCids.snapshotCid)
    throw new ProofFault(
      `the contract keeps ${snapshotCid ? printable(snapshotCid) : 'no CID'} for the project, not ${printable(finalizedCids.snapshotCid)}`,
    )
  const head = await headerOf(ask, 'latest', 'number')
  return [
    `transaction ${transactionHash} is in block ${blockNumber}, ${(head?.number ?? blockNumber) - blockNumber} blocks deep`,
    `by it the contract has the batch in epoch ${epochId} of ${dataMarket}`,
    'the contract keeps the root over the finalized CIDs, and the CID of the project, as the file has them',
  ]
}

/** Success is the event, never the receipt alone: a late batch succeeds too, with another event, and the contract keeps nothing. */
function checkEvent(logs: readonly Log[], { protocolState, dataMarket, epochId, batch }: Proof): void {
  const ofContract = logs.filter(({ address }) => address.toLowerCase() === protocolState)
  const isOurs = (event: string) => (log: Log) =>
    log.topics[0] === topicOf(event) &&
    log.topics[1] === word(dataMarket) &&
    log.topics[2] === word(epochId) &&
    cidIn(log) === batch.cid
  if (ofContract.some(isOurs('SnapshotBatchSubmitted'))) return
  throw new ProofFault(
    ofContract.some(isOurs('DelayedBatchSubmitted'))
      ? 'the batch came too late: the contract did not keep it'
      : `the transaction does not anchor ${printable(batch.cid)} in epoch ${epochId} of ${dataMarket}`,
  )
}
