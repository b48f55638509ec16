/** How far the newest epochs of a market are. */
import { keyOf } from '../view/keys.ts'
import { EMPTY_HEADS, type Heads, TABLE } from '../view/rows.ts'
import type { ViewReader } from '../view/store.ts'

export const headsOf = (reader: ViewReader, dataMarket: string): Heads =>
  reader.getJson<Heads>(keyOf(TABLE.heads, dataMarket)) ?? EMPTY_HEADS

/** The newest epoch whose release is on the chain; null: none is known. */
export const headEpoch = (reader: ViewReader, dataMarket: string): number | null =>
  headsOf(reader, dataMarket).released || null
