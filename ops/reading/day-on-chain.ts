/** The contract's state of days: for look-ups and comparisons, never for a decision. Read at the newest block of one node. */
import { readContract } from '../../connectors/evm/anchor-effects/anchor-chain.ts'
import { rewardsIn } from '../../connectors/evm/anchor-effects/day-rewards.ts'
import { dataMarketInterface, protocolStateInterface } from '../../connectors/evm/contract/abi.ts'
import type { Ask } from '../../connectors/evm/nodes/ask.ts'
import { type At, blockNumber } from '../../connectors/evm/nodes/node-answers.ts'
import { createRpc, type Rpc } from '../../connectors/evm/nodes/rpc.ts'
import { bigQuantity, cappedQuantity } from '../../connectors/evm/nodes/rpc-values.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import type { DayKey } from '../../schemas/types.ts'

export interface SlotOnChain {
  readonly count: number
  /** The contract takes nothing of the slot for the day any more. */
  readonly marked: boolean
  /** The contract has credited the slot with the day, by its event. Where nobody knows in which blocks to look: it is marked. */
  readonly paid: boolean
}

export interface DayOnChain {
  /** Block as of which the rest is. */
  readonly block: number
  /** 0: nobody has closed the day. */
  readonly eligibleNodes: number
  /** For each slot that is paid, by the pool of now; 0 while nobody has closed the day. In the smallest unit of the coin. */
  readonly share: bigint
  /** In the order asked for. */
  readonly slots: readonly SlotOnChain[]
}

export interface DayAsked extends DayKey {
  /** From this block on it is looked who was paid; null: not known. */
  readonly firstBlock: number | null
}

/** Rejects with the EvmError of the last node when none answers. */
export interface DayContract {
  dayCounter(dataMarket: string): Promise<number>
  /** The counts of a slot in some days, in the order asked for. */
  countsOfSlot(dataMarket: string, slotId: number, days: readonly number[]): Promise<readonly number[]>
  /** `eligibleNodesForDay` of some days, in the order asked for. */
  eligibleNodes(dataMarket: string, days: readonly number[]): Promise<readonly number[]>
  day(key: DayAsked, slotIds: readonly number[]): Promise<DayOnChain>
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
  const paidBy = createPaidBy(protocolState)
  return {
    dayCounter: (dataMarket) => rpc.read((ask) => ofState(ask, 'latest', 'dayCounter', [dataMarket])),
    countsOfSlot: (dataMarket, slotId, days) =>
      rpc.read((ask) =>
        inPieces(days, (day) => ofState(ask, 'latest', 'slotSubmissionCount', [dataMarket, slotId, day])),
      ),
    eligibleNodes: (dataMarket, days) =>
      rpc.read((ask) => inPieces(days, (day) => ofMarket(ask, 'latest', dataMarket, 'eligibleNodesForDay', [day]))),
    day: (key, slotIds) =>
      rpc.read(async (ask) => {
        const { dataMarket, day } = key
        const block = await blockNumber(ask)
        const eligibleNodes = await ofMarket(ask, block, dataMarket, 'eligibleNodesForDay', [day])
        const marks = await inPieces(slotIds, async (slotId) => {
          const [count, marked] = await Promise.all([
            ofState(ask, block, 'slotSubmissionCount', [dataMarket, slotId, day]),
            ofMarket(ask, block, dataMarket, 'slotRewardsDistributedStatus', [day, slotId]),
          ])
          return { slotId, count, marked: marked !== 0 }
        })
        const isPaid = marks.some(({ marked }) => marked) ? await paidBy(ask, key, block) : () => false
        const slots = marks.map(({ slotId, count, marked }) => ({ count, marked, paid: marked && isPaid(slotId) }))
        return {
          block,
          eligibleNodes,
          share: await shareOf(ask, protocolState, dataMarket, eligibleNodes, block),
          slots,
        }
      }),
    slots: async () => Math.min(SLOTS_MAX, await rpc.read((ask) => ofState(ask, 'latest', 'getTotalNodeCount', []))),
    close: () => rpc.close(),
  }
}

/** Payments of a market in a range of blocks: by day the slots. */
interface Rewards {
  from: number
  to: number
  readonly days: Map<number, Set<number>>
}

/** Blocks that are read again the next time, for they may be replaced. */
const LOOSE_BLOCKS = 64

/** Tells whether a slot that is marked was paid. The events of each block are read once, whichever days are asked about. */
function createPaidBy(protocolState: string) {
  const known = new Map<string, Rewards>()
  const read = async (ask: Ask, dataMarket: string, { days }: Rewards, fromBlock: number, toBlock: number) => {
    const question = { protocolState: protocolState.toLowerCase(), dataMarket }
    for (const { day, slotId } of await rewardsIn(ask, question, { fromBlock, toBlock }))
      days.set(day, (days.get(day) ?? new Set()).add(slotId))
  }
  return async (
    ask: Ask,
    { dataMarket, day, firstBlock }: DayAsked,
    block: number,
  ): Promise<(slotId: number) => boolean> => {
    if (firstBlock === null) return () => true
    const at = known.get(dataMarket) ?? { from: firstBlock, to: firstBlock - 1, days: new Map() }
    if (firstBlock < at.from) await read(ask, dataMarket, at, firstBlock, at.from - 1)
    await read(ask, dataMarket, at, at.to + 1, block)
    at.from = Math.min(at.from, firstBlock)
    at.to = Math.max(at.to, block - LOOSE_BLOCKS)
    known.set(dataMarket, at)
    return (slotId) => at.days.get(day)?.has(slotId) ?? false
  }
}

async function shareOf(ask: Ask, state: string, dataMarket: string, eligibleNodes: number, at: At): Promise<bigint> {
  if (eligibleNodes === 0) return 0n
  const [pool] = await readContract(ask, state, 'rewardPoolSize', [dataMarket], at)
  return bigQuantity(pool, 'rewardPoolSize') / BigInt(eligibleNodes)
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
