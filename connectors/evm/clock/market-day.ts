/** The day in which a release counts. The contract keeps one counter per market, and tells no day of an epoch. */
import { type ReleasedEpoch, readResult, type StateAt } from '../contract/chain-reader.ts'
import type { NotSaid } from '../contract/not-said.ts'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { cappedQuantity } from '../nodes/rpc-values.ts'
import { releasesOf } from './epoch-counts.ts'

export interface MarketDay {
  /** Number of the contract, from 1; 0 when it counts none, or does not say. */
  readonly day: number
  /** Submissions with which a slot has earned the day. */
  readonly dailyQuota: number
}

const NO_DAY: MarketDay = { day: 0, dailyQuota: 0 }

/** Days of a market that may have begun since a release, where only the newest state is there. An older day is paid by no contract. */
const DAYS_LOOKED_UP = 64

export interface ReleaseOfBlock {
  readonly release: ReleasedEpoch
  /** Later releases of the same block, of any market, in the order of the logs. */
  readonly behind: readonly ReleasedEpoch[]
}

/**
 * The day of an epoch by a state that has its release. The state may belong to a later day: another release of the same block may
 * have begun it, or a later one, when nodes have the newest state alone. Days that began since are taken off, by releases that were
 * really made: one that the owner of the market passed over begins no day.
 */
export async function marketDayOf(
  ask: Ask,
  protocolState: string,
  { release: { dataMarket, epochId }, behind }: ReleaseOfBlock,
  at: StateAt,
  notSaid: NotSaid,
): Promise<MarketDay> {
  const read = async (name: Reading | 'currentEpoch'): Promise<number> => {
    const result = await readResult(ask, protocolState, name, [dataMarket], at)
    return cappedQuantity(name === 'currentEpoch' ? result.epochId : result[0], name)
  }
  /** Undefined: too many to look up. */
  const releasedSince = async (epochsInADay: number, newest: number): Promise<number | undefined> => {
    const firsts = firstsOfDays(epochId, newest, epochsInADay)
    if (firsts.length > DAYS_LOOKED_UP) return undefined
    const released = await releasesOf(ask, { protocolState, dataMarket }, firsts, at)
    return released.filter((point) => point !== undefined).length
  }
  const readDay = async (): Promise<MarketDay> => {
    const newest = at === 'latest' ? await read('currentEpoch') : undefined
    const [counter, dailyQuota, epochsInADay] = await Promise.all(READINGS.map(read))
    const begun =
      newest === undefined ? daysBegunBy(dataMarket, behind, epochsInADay!) : await releasedSince(epochsInADay!, newest)
    if (newest !== undefined && (await read('currentEpoch')) !== newest) throw changed(dataMarket)
    const day = begun === undefined ? 0 : counter! - begun
    return day < 1 ? NO_DAY : { day, dailyQuota: dailyQuota! }
  }
  return notSaid.or(ask, { what: `the day of ${dataMarket}`, of: epochId }, readDay, () => NO_DAY)
}

/** The newest state is another one for each question: a day may have begun between two of them. */
const changed = (dataMarket: string): EvmError =>
  new EvmError('INCONSISTENT', `an epoch of ${dataMarket} was released while its day was read`, { retriable: true })

const READINGS = ['dayCounter', 'dailySnapshotQuota', 'epochsInADay'] as const
type Reading = (typeof READINGS)[number]

/** Days that these releases begin: one with each epoch k > 1 for which k % epochsInADay is 1, also when it is released once more. */
function daysBegunBy(dataMarket: string, releases: readonly ReleasedEpoch[], epochsInADay: number): number {
  const idOf = ({ epochId, absurd }: ReleasedEpoch): bigint => BigInt(absurd?.epochId ?? epochId)
  const isFirst = (id: bigint): boolean => epochsInADay > 1 && id > 1n && id % BigInt(epochsInADay) === 1n
  return releases.filter((one) => one.dataMarket === dataMarket && isFirst(idOf(one))).length
}

/** The epochs behind `epochId`, up to `newest`, that begin a day when they are released; at most one more than are looked up. */
export function firstsOfDays(epochId: number, newest: number, epochsInADay: number): readonly number[] {
  if (epochsInADay < 2 || newest <= epochId) return []
  const first = (Math.floor((Math.max(1, epochId) - 1) / epochsInADay) + 1) * epochsInADay + 1
  const count = Math.max(0, Math.floor((newest - first) / epochsInADay) + 1)
  return Array.from({ length: Math.min(count, DAYS_LOOKED_UP + 1) }, (_, i) => first + i * epochsInADay)
}
