/** The day in which a release counts. The contract keeps one counter per market, and tells no day of an epoch. */
import { type ReleasedEpoch, readResult, type StateAt } from '../contract/chain-reader.ts'
import type { NotSaid } from '../contract/not-said.ts'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { cappedQuantity } from '../nodes/rpc-values.ts'

export interface MarketDay {
  /** Number of the contract, from 1; 0 when it counts none, or does not say. */
  readonly day: number
  /** Submissions with which a slot has earned the day. */
  readonly dailyQuota: number
}

const NO_DAY: MarketDay = { day: 0, dailyQuota: 0 }

/**
 * The day of an epoch by a state that has its release. The state may belong to a later day, with later releases (another one of
 * the same block, or when nodes have the newest state alone): days that began since are taken off, by the contract's rule.
 */
export async function marketDayOf(
  ask: Ask,
  protocolState: string,
  { dataMarket, epochId }: Pick<ReleasedEpoch, 'dataMarket' | 'epochId'>,
  at: StateAt,
  notSaid: NotSaid,
): Promise<MarketDay> {
  const read = async (name: Reading): Promise<number> => {
    const result = await readResult(ask, protocolState, name, [dataMarket], at)
    return cappedQuantity(name === 'currentEpoch' ? result.epochId : result[0], name)
  }
  const readDay = async (): Promise<MarketDay> => {
    const [counter, dailyQuota, epochsInADay, newest] = await Promise.all(READINGS.map(read))
    if (at === 'latest' && (await read('currentEpoch')) !== newest) throw changed(dataMarket)
    const day = counter! - daysBegun(epochId, newest!, epochsInADay!)
    return day < 1 ? NO_DAY : { day, dailyQuota: dailyQuota! }
  }
  return notSaid.or(ask, { what: `the day of ${dataMarket}`, of: epochId }, readDay, () => NO_DAY)
}

/** The newest state is another one for each question: a day may have begun between two of them. */
const changed = (dataMarket: string): EvmError =>
  new EvmError('INCONSISTENT', `an epoch of ${dataMarket} was released while its day was read`, { retriable: true })

const READINGS = ['dayCounter', 'dailySnapshotQuota', 'epochsInADay', 'currentEpoch'] as const
type Reading = (typeof READINGS)[number]

/** A day begins with each epoch k > 1 for which k % epochsInADay is 1: so many of those behind `epochId`, up to `newest`. */
export function daysBegun(epochId: number, newest: number, epochsInADay: number): number {
  if (epochsInADay < 2 || newest <= epochId) return 0
  return Math.floor((newest - 1) / epochsInADay) - Math.floor((epochId - 1) / epochsInADay)
}
