/** The state of the contract, for comparing with what was recomputed. */
import { Contract, FetchRequest, JsonRpcProvider, Network } from 'ethers'
import { DATA_MARKET_ABI, PROTOCOL_STATE_ABI } from '../../connectors/evm/abi.ts'
import { quantity } from '../../connectors/evm/rpc-values.ts'

export interface ReleasedEpoch {
  readonly epochId: number
  readonly blockNumber: number
}

export interface ChainReader {
  /** Epochs that the contract released in these blocks, both ends included. */
  releasedEpochs(dataMarket: string, fromBlock: number, toBlock: number): Promise<readonly ReleasedEpoch[]>
  /** CIDs of the batches that the contract keeps for an epoch. */
  batchCids(dataMarket: string, epochId: number): Promise<readonly string[]>
  /** The root that the sequencer sent with a batch, 0x hex. */
  sequencerRoot(dataMarket: string, cid: string): Promise<string>
  /** The CID that the contract keeps for a project. */
  snapshotCid(dataMarket: string, projectId: string, epochId: number): Promise<string>
  /** Whether endBatchSubmissions was called for the epoch. */
  completed(dataMarket: string, epochId: number): Promise<boolean>
  /** Hash of a canonical block; undefined when the node has none of that number. */
  blockHash(blockNumber: number): Promise<string | undefined>
  close(): void
}

export interface ChainOptions {
  readonly url: string
  readonly chainId: number
  readonly protocolState: string
}

const CALL_MS_MAX = 15_000
/** Nodes commonly refuse wider ranges of eth_getLogs. */
const LOG_BLOCKS_MAX = 2_000

/** Rejects when the node does not answer or is of another chain. */
export async function openChainReader({ url, chainId, protocolState }: ChainOptions): Promise<ChainReader> {
  const request = new FetchRequest(url)
  request.timeout = CALL_MS_MAX
  const network = Network.from(chainId)
  const provider = new JsonRpcProvider(request, network, { staticNetwork: network, cacheTimeout: -1 })
  try {
    const found = quantity(await provider.send('eth_chainId', []), 'eth_chainId')
    if (found !== chainId) throw new Error(`${url} is a node of chain ${found}, not of ${chainId}`)
  } catch (error) {
    provider.destroy()
    throw error
  }
  const state = new Contract(protocolState, PROTOCOL_STATE_ABI, provider)
  const call = <T>(name: string, ...args: unknown[]): Promise<T> =>
    state.getFunction(name).staticCall(...args) as Promise<T>
  return {
    async releasedEpochs(dataMarket, fromBlock, toBlock) {
      const released: ReleasedEpoch[] = []
      for (let from = fromBlock; from <= toBlock; from += LOG_BLOCKS_MAX) {
        const to = Math.min(toBlock, from + LOG_BLOCKS_MAX - 1)
        const logs = await state.queryFilter(state.filters.EpochReleased!(dataMarket), from, to)
        for (const log of logs) {
          const { epochId } = state.interface.parseLog(log)!.args
          released.push({ epochId: Number(epochId), blockNumber: log.blockNumber })
        }
      }
      return released
    },
    batchCids: async (dataMarket, epochId) => [...(await call<string[]>('epochIdToBatchCids', dataMarket, epochId))],
    sequencerRoot: (dataMarket, cid) => call<string>('batchCidSequencerAttestation', dataMarket, cid),
    snapshotCid: async (dataMarket, projectId, epochId) =>
      (await call<{ snapshotCid: string }>('snapshotStatus', dataMarket, projectId, epochId)).snapshotCid,
    completed: (dataMarket, epochId) =>
      new Contract(dataMarket, DATA_MARKET_ABI, provider)
        .getFunction('epochIdToBatchSubmissionsCompleted')
        .staticCall(epochId) as Promise<boolean>,
    blockHash: async (blockNumber) => (await provider.getBlock(blockNumber))?.hash ?? undefined,
    close: () => provider.destroy(),
  }
}
