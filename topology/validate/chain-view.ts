/**
 * The anchor chain as a validate task knows it: the blocks and epochs that the markers in its partition have told so far. Another
 * partition may be ahead or behind; each submission is judged by what lies before it in its own.
 */
import { NO_TIME } from '../../schemas/none.ts'
import type { EpochTick, EpochWindow, MarketChange, MarketEpochs, StoredHead } from '../../schemas/types.ts'
import type { KeyValueStore } from '../../streams/store.ts'
import { HEAD_KEY } from '../stores.ts'
import { epochScope } from '../topics.ts'

/** Closed epochs per market that are remembered one by one; of older ones only that they are closed. */
export const EPOCHS_KEPT = 1_024
/** Blocks are swept this many at a time. */
const SWEEP_BLOCKS = 256
const UNHEARD_OF: MarketEpochs = { newest: 0, forgotten: 0, serving: 'CONFIGURED' }

export type ChainView = ReturnType<typeof createChainView>

/** @param configured data markets that are served as long as no tick says otherwise */
export function createChainView(
  heads: KeyValueStore<StoredHead>,
  epochs: KeyValueStore<EpochWindow>,
  markets: KeyValueStore<MarketEpochs>,
  { headsKept, configured }: { readonly headsKept: number; readonly configured: ReadonlySet<string> },
) {
  const { isServed, serve } = createServing(markets, configured)

  const addHead = ({ blockNumber: number, blockHash: hash, blockTimestamp: timestamp, forks }: EpochTick): void => {
    const head = { number, hash, canonical: true, timestamp, forks }
    heads.put(hash, head)
    heads.put(HEAD_KEY, head)
    if (heads.size <= headsKept + SWEEP_BLOCKS) return
    for (const [key, block] of [...heads.entries()]) if (block.number <= number - headsKept) heads.delete(key)
  }

  const orphanFrom = ({ blockNumber, forks }: EpochTick): void => {
    dropHeads(heads, blockNumber, forks)
    for (const [scope, epoch] of [...epochs.entries()])
      if (epoch.state === 'OPEN' && epoch.releaseBlock >= blockNumber) epochs.put(scope, { ...epoch, state: 'AWAITED' })
    for (const [dataMarket, market] of [...markets.entries()])
      markets.put(dataMarket, { ...market, newest: newestOf(epochs, dataMarket, market.forgotten) })
  }

  const open = ({ dataMarket, epochId, releaseBlock, day }: EpochTick): void => {
    const before = markets.get(dataMarket) ?? UNHEARD_OF
    const window = { dataMarket, epochId, day, state: 'OPEN', releaseBlock, closeBlock: 0 } as const
    epochs.put(epochScope(dataMarket, epochId), window)
    markets.put(dataMarket, { ...before, newest: Math.max(before.newest, epochId) })
  }

  const close = ({ dataMarket, epochId, releaseBlock, blockNumber, day }: EpochTick): void => {
    const window = { dataMarket, epochId, day, releaseBlock, state: 'CLOSED', closeBlock: blockNumber } as const
    epochs.put(epochScope(dataMarket, epochId), window)
    const before = markets.get(dataMarket) ?? { ...UNHEARD_OF, newest: epochId }
    markets.put(dataMarket, { ...before, forgotten: forgetClosed(dataMarket, before.forgotten) })
  }

  /** Lets the lowest closed epoch of a market go when there are too many. @returns the highest that is forgotten */
  const forgetClosed = (dataMarket: string, forgotten: number): number => {
    const closed = [...epochs.entries()]
      .map(([, epoch]) => epoch)
      .filter((epoch) => epoch.dataMarket === dataMarket && epoch.state === 'CLOSED')
    if (closed.length <= EPOCHS_KEPT) return forgotten
    const lowest = closed.reduce((min, { epochId }) => Math.min(min, epochId), Number.MAX_SAFE_INTEGER)
    epochs.delete(epochScope(dataMarket, lowest))
    return Math.max(forgotten, lowest)
  }

  return {
    head: (): StoredHead | undefined => heads.get(HEAD_KEY),
    blockOf: (hash: string): StoredHead | undefined => heads.get(hash),
    epoch: (dataMarket: string, epochId: number): EpochWindow | undefined =>
      epochs.get(epochScope(dataMarket, epochId)),
    market: (dataMarket: string): MarketEpochs | undefined => markets.get(dataMarket),
    /** Whether submissions for the market are taken. */
    isServed,

    apply(tick: EpochTick): void {
      if (tick.kind === 'HEAD') {
        addHead(tick)
        for (const change of tick.markets) serve(change)
      } else if (tick.kind === 'ORPHAN') orphanFrom(tick)
      else if (tick.kind === 'OPEN') open(tick)
      else close(tick)
    },
  }
}

function dropHeads(heads: KeyValueStore<StoredHead>, from: number, forks: number): void {
  let newest: number | undefined
  for (const [hash, block] of [...heads.entries()]) {
    if (hash === HEAD_KEY || !block.canonical) continue
    if (block.number >= from) heads.put(hash, { ...block, canonical: false })
    else newest = Math.max(newest ?? block.timestamp, block.timestamp)
  }
  heads.put(HEAD_KEY, { number: from - 1, hash: '', canonical: true, timestamp: newest ?? NO_TIME, forks })
}

function newestOf(epochs: KeyValueStore<EpochWindow>, dataMarket: string, atLeast: number): number {
  let newest = atLeast
  for (const [, epoch] of epochs.entries())
    if (epoch.dataMarket === dataMarket && epoch.state !== 'AWAITED') newest = Math.max(newest, epoch.epochId)
  return newest
}

/** Which markets are served: the configured ones, until a HEAD says otherwise. */
function createServing(markets: KeyValueStore<MarketEpochs>, configured: ReadonlySet<string>) {
  const isServed = (dataMarket: string): boolean => {
    const { serving } = markets.get(dataMarket) ?? UNHEARD_OF
    return serving === 'CONFIGURED' ? configured.has(dataMarket) : serving === 'ADDED'
  }
  return {
    isServed,
    /** Said once more after a reorganisation, it changes nothing. Epochs begin anew: those between were not followed. */
    serve({ dataMarket, served }: MarketChange): void {
      const before = markets.get(dataMarket) ?? UNHEARD_OF
      const newest = served && !isServed(dataMarket) ? 0 : before.newest
      markets.put(dataMarket, { ...before, newest, serving: served ? 'ADDED' : 'REMOVED' })
    },
  }
}
