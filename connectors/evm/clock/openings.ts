/** Which releases open an epoch. Owners may set any number up to 2^256-1; one that cannot be opens none, and stops nothing else. */
import { protocolStateInterface } from '../contract/abi.ts'
import {
  type BlockHeader,
  decodeResult,
  EPOCH_MAX,
  type ReleasedEpoch,
  type StateAt,
  submissionWindow,
  WINDOW_MAX,
} from '../contract/chain-reader.ts'
import type { Ask } from '../nodes/ask.ts'
import { callResult } from '../nodes/node-answers.ts'
import { badAnswer, bigQuantity } from '../nodes/rpc-values.ts'
import type { EpochRelease } from './chain-state.ts'
import { marketDayOf } from './market-day.ts'
import type { CheckedReleases } from './release-check.ts'

/** Its votes come to nothing. The next release opens an epoch again, as soon as the number is one that can be. */
export interface RefusedEpoch {
  readonly dataMarket: string
  /** `EPOCH_MAX` + 1 when that is the number. */
  readonly epochId: number
  readonly block: number
  /** In words: which number, and what it is. */
  readonly why: string
}

interface Opened {
  readonly protocolState: string
  readonly follows: (dataMarket: string, epochId: number) => boolean
}

/** @param anyState see `nextStep` @param refuse takes each release of ours that opens none */
export async function openingsOf(
  ask: Ask,
  { hash: blockHash, number: block }: Pick<BlockHeader, 'hash' | 'number'>,
  releases: readonly ReleasedEpoch[],
  kinds: CheckedReleases['kinds'],
  { protocolState, follows }: Opened,
  anyState: boolean,
  refuse: (refused: RefusedEpoch) => void,
): Promise<EpochRelease[]> {
  const ours = releases.filter((one) => follows(one.dataMarket, one.epochId) && !kinds.get(one)?.isRepeated)
  const at = anyState ? 'latest' : { blockHash }
  const opening = async (release: ReleasedEpoch): Promise<EpochRelease[]> => {
    const { dataMarket, epochId } = release
    const why = (await whyAbsurd(ask, protocolState, release, at)) ?? (await windowOf(ask, protocolState, release, at))
    if (typeof why === 'string') {
      refuse({ dataMarket, epochId, block, why })
      return []
    }
    const day = await marketDayOf(ask, protocolState, release, at)
    return [{ ...release, ...day, skippedFrom: kinds.get(release)?.skippedFrom ?? 0, submissionWindow: why }]
  }
  return (await Promise.all(ours.map(opening))).flat()
}

/** In words when a number of the release cannot be, and the contract knows it so: a log alone may be a slip of the node. */
async function whyAbsurd(
  ask: Ask,
  protocolState: string,
  { absurd, dataMarket }: ReleasedEpoch,
  at: StateAt,
): Promise<string | undefined> {
  if (!absurd) return undefined
  const data = protocolStateInterface.encodeFunctionData('epochInfo', [dataMarket, absurd.epochId])
  const result = decodeResult(
    protocolStateInterface,
    'epochInfo',
    await callResult(ask, { to: protocolState, data }, at),
  )
  const isReleased = bigQuantity(result.timestamp, 'release time') > 0n
  // The contract takes no epoch that ends before it begins.
  if (isReleased && Math.max(Number(result.epochEnd), Number(absurd.epochId)) > EPOCH_MAX) return absurd.what
  throw badAnswer(
    `the log of a release of ${dataMarket} says that ${absurd.what}, and the contract has no such release`,
  )
}

/** The submission window; in words when it cannot be, and is so when it is read once more. */
async function windowOf(
  ask: Ask,
  protocolState: string,
  { dataMarket }: ReleasedEpoch,
  at: StateAt,
): Promise<number | string> {
  const window = await submissionWindow(ask, protocolState, dataMarket, at)
  if (window <= WINDOW_MAX) return Number(window)
  const again = await submissionWindow(ask, protocolState, dataMarket, at)
  if (again === window) return `snapshotSubmissionWindow is ${window}, and ${WINDOW_MAX} is the most`
  throw badAnswer(`snapshotSubmissionWindow of ${dataMarket} was answered with ${window}, then with ${again}`)
}
