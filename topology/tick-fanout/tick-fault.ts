/** Whether a tick says things that cannot be true together. It would become a signed marker, which every later stage believes. */
import type { EpochTick, MarketKey } from '../../schemas/types.ts'

const HASH = /^0x[0-9a-f]{64}$/
const ADDRESS = /^0x[0-9a-f]{40}$/
/** Longest part of a text from outside that is said back. */
const SAID_MAX = 80

/** Fields that are no negative number in any tick. */
const COUNTS = [
  'blockNumber',
  'epochId',
  'blockTimestamp',
  'slotsOffset',
  'releaseBlock',
  'begin',
  'end',
  'skippedFrom',
  'refusedFrom',
  'submissionWindow',
  'forks',
  'day',
  'dailyQuota',
  'daysEnded',
] as const satisfies readonly (keyof EpochTick)[]

/** In words; undefined for a tick that may be true. A window of 0 and an epoch 0 may be: the contract takes them. */
export function faultOf({ dataMarket: keyed }: MarketKey, tick: EpochTick): string | undefined {
  const { kind, dataMarket, blockHash, parentHash } = tick
  if (keyed !== dataMarket) return `its key is of market ${said(keyed)}, it is of ${said(dataMarket)}`
  for (const field of COUNTS) if (!(tick[field] >= 0)) return `its ${field} is ${tick[field]}`
  // The ORPHAN of a block that is not known has no hash; it takes nothing back.
  if (blockHash !== '' || kind !== 'ORPHAN')
    if (!HASH.test(blockHash)) return `its block hash is ${said(blockHash)}, which is none`
  if (parentHash !== '' && !HASH.test(parentHash)) return `its parent hash is ${said(parentHash)}, which is none`
  return kind === 'HEAD' || kind === 'ORPHAN' ? faultOfBlock(tick) : faultOfEpoch(tick)
}

function faultOfBlock({ dataMarket, epochId }: EpochTick): string | undefined {
  return dataMarket === '' && epochId === 0
    ? undefined
    : `it is of no epoch, and names ${epochId} of ${said(dataMarket)}`
}

function faultOfEpoch(tick: EpochTick): string | undefined {
  const { dataMarket, epochId, blockNumber, releaseBlock, begin, end, skippedFrom, refusedFrom } = tick
  if (!ADDRESS.test(dataMarket)) return `its market is ${said(dataMarket)}, which is no address`
  if (releaseBlock > blockNumber) return `its release is in block ${releaseBlock}, which comes later`
  if (end < begin) return `its epoch ends with block ${end}, before it begins with ${begin}`
  const missed = Math.max(skippedFrom, refusedFrom)
  if (missed > epochId) return `epoch ${missed} was skipped or refused before it, which comes later`
  return undefined
}

const said = (text: string): string => JSON.stringify(text.slice(0, SAID_MAX))
