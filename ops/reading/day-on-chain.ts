/** The contract's state of days: for look-ups and comparisons, never for a decision. Read at the newest block of one node. */
import { readContract } from '../../connectors/evm/anchor-effects/anchor-chain.ts'
import { dataMarketInterface, protocolStateInterface } from '../../connectors/evm/contract/abi.ts'
import type { Ask } from '../../connectors/evm/nodes/ask.ts'
import { type At, blockNumber } from '../../connectors/evm/nodes/node-answers.ts'
import { createRpc, type Rpc } from '../../connectors/evm/nodes/rpc.ts'
import { cappedQuantity } from '../../connectors/evm/nodes/rpc-values.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import type { DayKey } from '../../schemas/types.ts'

export interface SlotOnChain {
  readonly count: number
  /** The contract has marked the slot as paid for the day. */
  readonly paid: boolean
}

export interface DayOnChain {
  /** Block as of which the rest is. */
  readonly block: number
  /** 0: nobody has closed the day. */
  readonly eligibleNodes: number
  /** In the order asked for. */
  readonly slots: readonly SlotOnChain[]
}

/** Rejects with the EvmError of the last node when none answers. */
export interface DayContract {
  dayCounter(dataMarket: string): Promise<number>
  /** The counts of a slot in some days, in the order asked for. */
  countsOfSlot(dataMarket: string, slotId: number, days: readonly number[]): Promise<readonly number[]>
  /** `eligibleNodesForDay` of some days, in the order asked for. */
  eligibleNodes(dataMarket: string, days: readonly number[]): Promise<readonly number[]>
  day(key: DayKey, slotIds: readonly number[]): Promise<DayOnChain>
  /** Number of slots; they are numbered from 1. At most SLOTS_MAX. */
  slots(): Promise<number>
  close(): void
}

export interface DayContractOptions {
  readonly rpcUrls: readonly string[]
  readonly chainId: number
  readonly protocolState: string
}

const CALL_MS_MAX = 10_000
const BATCH_MAX = 50
/** Questions that are under way at once. */
const AT_ONCE_MAX = 200
const SLOTS_MAX = 1_000_000

export function createDayContract({ rpcUrls, chainId, protocolState }: DayContractOptions): DayContract {
  const options = { urls: rpcUrls, chainId, timeoutMs: CALL_MS_MAX, batchMax: BATCH_MAX }
  return dayContractBy(createRpc(options, { clock: systemClock }), protocolState)
}

export function dayContractBy(rpc: Pick<Rpc, 'read' | 'close'>, protocolState: string): DayContract {
  const ofState = (ask: Ask, at: At, name: string, args: readonly unknown[]) =>
    numberOf(ask, at, { to: protocolState, contract: protocolStateInterface, name, args })
  const ofMarket = (ask: Ask, at: At, to: string, name: string, args: readonly unknown[]) =>
    numberOf(ask, at, { to, contract: dataMarketInterface, name, args })
  return {
    dayCounter: (dataMarket) => rpc.read((ask) => ofState(ask, 'latest', 'dayCounter', [dataMarket])),
    countsOfSlot: (dataMarket, slotId, days) =>
      rpc.read((ask) =>
        inPieces(days, (day) => ofState(ask, 'latest', 'slotSubmissionCount', [dataMarket, slotId, day])),
      ),
    eligibleNodes: (dataMarket, days) =>
      rpc.read((ask) => inPieces(days, (day) => ofMarket(ask, 'latest', dataMarket, 'eligibleNodesForDay', [day]))),
    day: ({ dataMarket, day }, slotIds) =>
      rpc.read(async (ask) => {
        const block = await blockNumber(ask)
        const eligibleNodes = await ofMarket(ask, block, dataMarket, 'eligibleNodesForDay', [day])
        const slots = await inPieces(slotIds, async (slotId): Promise<SlotOnChain> => {
          const [count, paid] = await Promise.all([
            ofState(ask, block, 'slotSubmissionCount', [dataMarket, slotId, day]),
            ofMarket(ask, block, dataMarket, 'slotRewardsDistributedStatus', [day, slotId]),
          ])
          return { count, paid: paid !== 0 }
        })
        return { block, eligibleNodes, slots }
      }),
    slots: async () => Math.min(SLOTS_MAX, await rpc.read((ask) => ofState(ask, 'latest', 'getTotalNodeCount', []))),
    close: () => rpc.close(),
  }
}

interface Question {
  readonly to: string
  readonly contract: typeof protocolStateInterface
  readonly name: string
  readonly args: readonly unknown[]
}

/** A boolean is 0 or 1. */
async function numberOf(ask: Ask, at: At, { to, contract, name, args }: Question): Promise<number> {
  const [value] = await readContract(ask, to, name, args, at, contract)
  if (typeof value === 'boolean') return value ? 1 : 0
  return cappedQuantity(value, name)
}

async function inPieces<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const found: R[] = []
  for (let from = 0; from < items.length; from += AT_ONCE_MAX)
    found.push(...(await Promise.all(items.slice(from, from + AT_ONCE_MAX).map(ask))))
  return found
}
