/** The state of the contract, for comparing with what was recomputed. */

import { logsOf, readContract, receiptOf, topicOf, word } from '../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { slotsAt } from '../../../connectors/evm/clock/slots.ts'
import { dataMarketInterface } from '../../../connectors/evm/contract/abi.ts'
import type { SlotChange } from '../../../connectors/evm/contract/chain-reader.ts'
import { blockAt, blockNumber, chainIdOf } from '../../../connectors/evm/nodes/node-answers.ts'
import { createRpc, RPC_DEFAULTS, type Rpc } from '../../../connectors/evm/nodes/rpc.ts'
import { bigQuantity, cappedQuantity, quantity } from '../../../connectors/evm/nodes/rpc-values.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { dayContractBy } from '../../reading/day-on-chain.ts'
import type { DayFacts } from './days/settlement.ts'

export interface ReleasedEpoch {
  readonly epochId: number
  readonly blockNumber: number
  /** A number of it is none that can be. */
  readonly isAbsurd?: boolean
}

export interface ChainReader {
  /** Epochs that the contract released in these blocks, both ends included. */
  releasedEpochs(dataMarket: string, fromBlock: number, toBlock: number): Promise<readonly ReleasedEpoch[]>
  /** Submission window as of a block; undefined when the node has no state of it any more. */
  windowAt(dataMarket: string, blockNumber: number): Promise<bigint | undefined>
  /** Block of an epoch's newest release, as the contract counts blocks; 0 when it was not released. */
  releaseBlock(dataMarket: string, epochId: number): Promise<number>
  /** Blocks after its release in which the contract takes batches of an epoch, as of now. */
  batchWindow(dataMarket: string): Promise<number>
  /** CIDs of the batches that the contract keeps for an epoch. */
  batchCids(dataMarket: string, epochId: number): Promise<readonly string[]>
  /** The root that the sequencer sent with a batch, 0x hex. */
  sequencerRoot(dataMarket: string, cid: string): Promise<string>
  /** The CID that the contract keeps for a project. */
  snapshotCid(dataMarket: string, projectId: string, epochId: number): Promise<string>
  /** Whether endBatchSubmissions was called for the epoch. */
  completed(dataMarket: string, epochId: number): Promise<boolean>
  /** The contract's state of a day and of some slots in it. @param firstBlock from which on payments are looked for; null: not known */
  day(dataMarket: string, day: number, slotIds: readonly number[], firstBlock: number | null): Promise<DayFacts>
  /** Day counter and quota of a market as of a block; undefined when the node has no state of it any more, or the contract counts no days. */
  dayAt(
    dataMarket: string,
    blockNumber: number,
  ): Promise<{ readonly day: number; readonly dailyQuota: number } | undefined>
  /** Owners of slots as of a block, in their order; undefined when the node has no state of it any more. */
  slotsAt(slotIds: readonly number[], blockHash: string): Promise<readonly SlotChange[] | undefined>
  /** Hash of a canonical block; undefined when the node has none of that number. */
  blockHash(blockNumber: number): Promise<string | undefined>
  /** The block that has a transaction; undefined when none has. */
  minedIn(transactionHash: string): Promise<{ readonly blockNumber: number; readonly blockHash: string } | undefined>
  close(): void
}

export interface ChainOptions {
  readonly url: string
  readonly chainId: number
  readonly protocolState: string
}

const CALL_MS_MAX = 15_000
const RELEASED = topicOf('EpochReleased')

/** Rejects when the node does not answer or is of another chain. */
export async function openChainReader({ url, chainId, protocolState }: ChainOptions): Promise<ChainReader> {
  const options = { urls: [url], chainId, timeoutMs: CALL_MS_MAX, batchMax: RPC_DEFAULTS.batchMax }
  const rpc = createRpc(options, { clock: systemClock })
  try {
    await rpc.read(chainIdOf)
  } catch (error) {
    rpc.close()
    throw error
  }
  const state = protocolState.toLowerCase()
  const view = async (name: string, ...args: readonly unknown[]): Promise<readonly unknown[]> =>
    rpc.read((ask) => readContract(ask, state, name, args, 'latest'))
  const textOf = async (name: string, place: number, ...args: readonly unknown[]): Promise<string> =>
    String((await view(name, ...args))[place])
  return {
    releasedEpochs: (dataMarket, fromBlock, toBlock) =>
      rpc.read(async (ask) => {
        const newest = Math.min(toBlock, await blockNumber(ask))
        const topics = [RELEASED, word(dataMarket)]
        const logs = await logsOf(ask, { address: state, topics, fromBlock, toBlock: newest })
        return logs.map(releaseOf)
      }),
    windowAt: (dataMarket, blockNumber) =>
      rpc
        .read((ask) => readContract(ask, state, 'snapshotSubmissionWindow', [dataMarket], blockNumber))
        .then(([window]) => bigQuantity(window, 'window'))
        .catch(() => undefined),
    releaseBlock: async (dataMarket, epochId) =>
      quantity((await view('epochInfo', dataMarket, epochId))[1], 'release block'),
    batchWindow: async (dataMarket) => Number((await view('batchSubmissionWindow', dataMarket))[0]),
    batchCids: async (dataMarket, epochId) => {
      const [cids] = await view('epochIdToBatchCids', dataMarket, epochId)
      return (cids as readonly unknown[]).map(String)
    },
    sequencerRoot: (dataMarket, cid) => textOf('batchCidSequencerAttestation', 0, dataMarket, cid),
    snapshotCid: (dataMarket, projectId, epochId) => textOf('snapshotStatus', 1, dataMarket, projectId, epochId),
    completed: async (dataMarket, epochId) => {
      const name = 'epochIdToBatchSubmissionsCompleted'
      const [isCompleted] = await rpc.read((ask) =>
        readContract(ask, dataMarket, name, [epochId], 'latest', dataMarketInterface),
      )
      return isCompleted === true
    },
    ...dayReads(rpc, state),
    slotsAt: (slotIds, blockHash) => slotsAt(rpc, state, slotIds, { blockHash }).catch(() => undefined),
    blockHash: async (number) => (await rpc.read((ask) => blockAt(ask, number)))?.hash,
    minedIn: (transactionHash) => rpc.read((ask) => receiptOf(ask, transactionHash)),
    close: () => rpc.close(),
  }
}

function dayReads(rpc: Rpc, state: string): Pick<ChainReader, 'day' | 'dayAt'> {
  const days = dayContractBy(rpc, state)
  return {
    day: async (dataMarket, day, slotIds, firstBlock) => {
      const { eligibleNodes, share, slots } = await days.day({ dataMarket, day, firstBlock }, slotIds)
      const name = 'slotsRemainingToBeRewardedCount'
      const [remaining] = await rpc.read((ask) =>
        readContract(ask, dataMarket, name, [day], 'latest', dataMarketInterface),
      )
      return { eligibleNodes, remaining: cappedQuantity(remaining, name), share, slots }
    },
    dayAt: (dataMarket, blockNumber) =>
      rpc
        .read((ask) =>
          Promise.all(
            ['dayCounter', 'dailySnapshotQuota'].map((name) =>
              readContract(ask, state, name, [dataMarket], blockNumber),
            ),
          ),
        )
        .then(([counter, quota]) => ({
          day: cappedQuantity(counter![0], 'dayCounter'),
          dailyQuota: cappedQuantity(quota![0], 'dailySnapshotQuota'),
        }))
        .catch(() => undefined),
  }
}

/** Beyond these, ids and blocks are none: records would not hold what comes after them. */
const EPOCH_MAX = 2n ** 52n

const WORD_CHARACTERS = 66

/** An event in another form has numbers that cannot be. */
function releaseOf({ topics, data, blockNumber }: { topics: readonly string[]; data: string; blockNumber: number }) {
  const words = [topics[2]!, `0x${data.slice(2, 66)}`, `0x${data.slice(66, 130)}`]
  const numbers = words.map((word) => (word.length === WORD_CHARACTERS ? BigInt(word) : EPOCH_MAX + 1n))
  const isAbsurd = numbers.some((number) => number > EPOCH_MAX)
  return { epochId: Number(numbers[0]), blockNumber, isAbsurd }
}
