/** Which releases open an epoch. Owners may set any number up to 2^256-1; one that cannot be opens none, and stops nothing else. */
import type { RefusedEpoch } from '../../../schemas/types.ts'
import {
  type BlockHeader,
  EPOCH_MAX,
  type ReleasedEpoch,
  readResult,
  type StateAt,
  submissionWindow,
  Unreadable,
  WINDOW_MAX,
} from '../contract/chain-reader.ts'
import type { NotSaid } from '../contract/not-said.ts'
import type { Ask } from '../nodes/ask.ts'
import { badAnswer, bigQuantity } from '../nodes/rpc-values.ts'
import type { EpochRelease } from './chain-state.ts'
import { marketDayOf } from './market-day.ts'
import type { CheckedReleases } from './release-check.ts'

/** Releases of one block. */
interface Releases {
  readonly block: Pick<BlockHeader, 'hash' | 'number'>
  readonly releases: readonly ReleasedEpoch[]
  readonly kinds: CheckedReleases['kinds']
  /** See `nextStep`. */
  readonly anyState: boolean
  /** Takes each release of ours that opens none; the next one opens an epoch again, as soon as the number can be. */
  readonly refuse: (refused: RefusedEpoch) => void
}

interface Opened {
  readonly protocolState: string
  readonly follows: (dataMarket: string, epochId: number) => boolean
  readonly notSaid: NotSaid
}

export async function openingsOf(
  ask: Ask,
  { block: { hash: blockHash, number: block }, releases, kinds, anyState, refuse }: Releases,
  { protocolState, follows, notSaid }: Opened,
): Promise<EpochRelease[]> {
  const ours = releases.filter((one) => follows(one.dataMarket, one.epochId) && !kinds.get(one)?.isRepeated)
  const at: StateAt = anyState ? 'latest' : { blockHash }
  const opening = async (release: ReleasedEpoch): Promise<EpochRelease[]> => {
    const { dataMarket, epochId } = release
    const reader = { ask, protocolState, notSaid, at }
    const why = (await whyAbsurd(reader, release)) ?? (await windowOf(reader, release))
    const skippedFrom = kinds.get(release)?.skippedFrom ?? 0
    if (typeof why === 'string') {
      refuse({ dataMarket, epochId, block, why, skippedFrom })
      return []
    }
    const behind = releases.slice(releases.indexOf(release) + 1)
    const day = await marketDayOf(ask, protocolState, { release, behind }, at, notSaid)
    return [{ ...release, ...day, skippedFrom, submissionWindow: why }]
  }
  return (await Promise.all(ours.map(opening))).flat()
}

interface Reader {
  readonly ask: Ask
  readonly protocolState: string
  readonly notSaid: NotSaid
  readonly at: StateAt
}

/** In words when a number of the release cannot be, and the contract knows it so: a log alone may be a slip of the node. */
async function whyAbsurd(
  { ask, protocolState, notSaid, at }: Reader,
  { absurd, dataMarket }: ReleasedEpoch,
): Promise<string | undefined> {
  if (!absurd) return undefined
  const { what, epochId: of } = absurd
  const notReadable = (): Promise<never> => Promise.reject(new Unreadable(what))
  if (absurd.isUnread) return notSaid.or(ask, { what: `EpochReleased of ${dataMarket}`, of }, notReadable, () => what)
  const read = () => readResult(ask, protocolState, 'epochInfo', [dataMarket, absurd.epochId], at)
  const result = await notSaid.or(ask, { what: `epochInfo of ${dataMarket}`, of }, read, () => undefined)
  if (result === undefined) return what
  const isReleased = bigQuantity(result.timestamp, 'release time') > 0n
  // The contract takes no epoch that ends before it begins.
  if (isReleased && Math.max(Number(result.epochEnd), Number(absurd.epochId)) > EPOCH_MAX) return what
  throw badAnswer(`the log of a release of ${dataMarket} says that ${what}, and the contract has no such release`)
}

/** The submission window; in words when it cannot be, and is so when it is read once more, or when the contract does not say it. */
async function windowOf(
  { ask, protocolState, notSaid, at }: Reader,
  { dataMarket, epochId: of }: ReleasedEpoch,
): Promise<number | string> {
  const read = (): Promise<bigint> => submissionWindow(ask, protocolState, dataMarket, at)
  const what = 'snapshotSubmissionWindow'
  const window = await notSaid.or(ask, { what: `${what} of ${dataMarket}`, of }, read, () => `${what} cannot be read`)
  if (typeof window === 'string') return window
  if (window <= WINDOW_MAX) return Number(window)
  const again = await read()
  if (again === window) return `snapshotSubmissionWindow is ${window}, and ${WINDOW_MAX} is the most`
  throw badAnswer(`snapshotSubmissionWindow of ${dataMarket} was answered with ${window}, then with ${again}`)
}
