/** The rows of data markets: the heads of each one's epochs, and how it is served. */

import type { EpochKey, ServedMarket } from '../../../schemas/types.ts'
import { type EpochProgress, isReleased } from '../../reading/epoch-progress.ts'
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
  /** The epochs came so far: a head that is further stays. */
  heads(dataMarket: string, reached: Partial<Omit<Heads, 'released' | 'first' | 'refused'>>): void
  /** A release of the epoch was told. */
  opened(key: EpochKey): void
  /** Blocks left the chain: of each market, the newest epoch that is released still. */
  takenBack(rowOf: (key: EpochKey) => EpochProgress | undefined): void
  /** A release of the epoch was refused. */
  refused(key: EpochKey): void
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
        const { released, refused } = headsOf(dataMarket)
        return [...new Set([released, refused].flatMap(downFrom))].map((epochId) => ({ dataMarket, epochId }))
      }),
    refused: ({ dataMarket, epochId }) => keepHeads(dataMarket, { ...headsOf(dataMarket), refused: epochId }),
    opened({ dataMarket, epochId }) {
      const { released, first, ...heads } = headsOf(dataMarket)
      const isFirst = released === 0
      keepHeads(dataMarket, { ...heads, first: isFirst ? epochId : first, released: Math.max(released, epochId) })
    },
    takenBack(rowOf) {
      for (const dataMarket of Object.keys(known())) {
        const heads = headsOf(dataMarket)
        const isAt = (epochId: number): boolean | undefined => {
          const row = rowOf({ dataMarket, epochId })
          return row && isReleased(row)
        }
        if (isAt(heads.released) !== false) continue
        const newest = downFrom(heads.released).find(isAt) ?? 0
        keepHeads(dataMarket, { ...heads, released: newest < heads.first ? 0 : newest })
      }
    },
    heads(dataMarket, reached) {
      const after = { ...headsOf(dataMarket) }
      for (const [name, epoch] of Object.entries(reached) as [keyof typeof reached, number][])
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

const downFrom = (epochId: number): number[] =>
  Array.from({ length: Math.min(epochId, TAKEN_BACK_MAX) }, (_, i) => epochId - i)
