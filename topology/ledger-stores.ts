import type { Codec } from '../schemas/codec.ts'
import type { Day, EpochTally, SlotDay } from '../schemas/types.ts'
import { keyValueStore, scopedStore } from '../streams/store.ts'

export type LedgerStores = ReturnType<typeof ledgerStores>

/** The state of the stage ledger. */
export const ledgerStores = (codec: Codec) => ({
  /** Scope, running number → whose votes counted; until the epoch closes. */
  tallies: scopedStore('epoch-tallies', codec.serde<EpochTally>('epoch-tallies-changelog-value')),
  /** Market, day and slot → its row; of as many days of a market as `daysKept` says. */
  slotDays: keyValueStore('slot-days', codec.serde<SlotDay>('slot-days-changelog-value')),
  /** Market and day → the day; likewise. */
  days: keyValueStore('days', codec.serde<Day>('days-changelog-value')),
})
