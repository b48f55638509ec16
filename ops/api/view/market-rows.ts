/** The rows of data markets: the heads of each one's epochs, and how it is served. */
import type { EpochKey, ServedMarket } from '../../../schemas/types.ts'
import { keyOf } from './keys.ts'
import type { RowCache } from './row-cache.ts'
import { EMPTY_HEADS, type Heads, MARKETS, type MarketsRow, TABLE } from './rows.ts'

/** Markets that are known by name; each is one that the operator configured or added, so it is never reached. */
const MARKETS_KNOWN_MAX = 4_096
/** No reorganisation takes back the releases of more epochs of a market. */
const TAKEN_BACK_MAX = 1_024
const AS_CONFIGURED = { serving: 'CONFIGURED', sinceBlock: 0 } as const

export interface MarketRows {
  headsOf(dataMarket: string): Heads
  /** The newest epochs of every market, as many as may have a release that leaves the chain. */
  newestEpochs(): readonly EpochKey[]
  heads(dataMarket: string, reached: Partial<Heads>): void
  /** The market is added: which epoch comes next, nobody knows. */
  beginAnew(dataMarket: string): void
  /** How the market is served, as the clock has answered requests. */
  market(dataMarket: string, served: ServedMarket): void
}

export function createMarketRows(cache: RowCache, keep: (key: string, row: object) => void): MarketRows {
  const headsOf = (dataMarket: string): Heads => cache.get<Heads>(keyOf(TABLE.heads, dataMarket)) ?? EMPTY_HEADS
  const known = (): MarketsRow => cache.get<MarketsRow>(MARKETS) ?? {}
  const keepMarket = (dataMarket: string, { serving, sinceBlock }: MarketsRow[string]): void => {
    const row = { ...known(), [dataMarket]: { serving, sinceBlock } }
    if (Object.keys(row).length <= MARKETS_KNOWN_MAX) keep(MARKETS, row)
  }
  const keepHeads = (dataMarket: string, row: Heads): void => {
    keep(keyOf(TABLE.heads, dataMarket), row)
    if (known()[dataMarket] === undefined) keepMarket(dataMarket, AS_CONFIGURED)
  }
  return {
    headsOf,
    newestEpochs: () =>
      Object.keys(known()).flatMap((dataMarket) => {
        const { released } = headsOf(dataMarket)
        const length = Math.min(released, TAKEN_BACK_MAX)
        return Array.from({ length }, (_, i) => ({ dataMarket, epochId: released - i }))
      }),
    heads(dataMarket, reached) {
      const after = { ...headsOf(dataMarket) }
      for (const [name, epoch] of Object.entries(reached) as [keyof Heads, number][])
        after[name] = Math.max(after[name], epoch)
      keepHeads(dataMarket, after)
    },
    beginAnew: (dataMarket) => keepHeads(dataMarket, { ...headsOf(dataMarket), released: 0 }),
    market(dataMarket, served) {
      // a market that was asked for and refused is none
      if (served.serving !== 'CONFIGURED' || known()[dataMarket] !== undefined) keepMarket(dataMarket, served)
    },
  }
}
