/** Every state store: what it keeps, under which key, and when it lets go. The values are Avro like the values of the topics. */
import type { Codec } from '../schemas/codec.ts'
import type {
  EpochTick,
  EpochWindow,
  MarketEpochs,
  ParkedSubmission,
  ProjectFinalization,
  SlotQuota,
  StoredHead,
  Submission,
} from '../schemas/types.ts'
import { keyValueStore, scopedStore } from '../streams/store.ts'
import { anchorStores } from './anchor-stores.ts'
import { ledgerStores } from './ledger-stores.ts'
import { voteSerde } from './shared/vote.ts'

/** Key of the newest block, in `chainHeads` and in `heads`. */
export const HEAD_KEY = 'head'

export type Stores = ReturnType<typeof sequencerStores>

/** Scopes are epochs (`epochScope`): they are dropped whole at the close. */
export const sequencerStores = (codec: Codec) => ({
  /** tick-fanout: block number → accepted block; `headsKept` of them, the newest under HEAD_KEY, the refusals that were told. */
  chainHeads: keyValueStore('chain-heads', codec.serde<StoredHead>('chain-heads-changelog-value')),
  /** tick-fanout: epochScope → released or closed; as long as its blocks are kept. */
  chainEpochs: keyValueStore('chain-epochs', codec.serde<EpochWindow>('chain-epochs-changelog-value')),
  /** tick-fanout: ticks that came before the blocks under them; GAP_TICKS_MAX of them. */
  tickGap: keyValueStore('tick-gap', codec.serde<EpochTick>('tick-gap-changelog-value')),

  /** validate: block hash → block, orphaned ones too; `headsKept` of them, and the newest under HEAD_KEY. */
  heads: keyValueStore('heads', codec.serde<StoredHead>('heads-changelog-value')),
  /** validate: epochScope → released or closed; EPOCHS_KEPT closed ones per market. */
  epochs: keyValueStore('epochs', codec.serde<EpochWindow>('epochs-changelog-value')),
  /** validate: data market → its newest epoch, and whether it is served; a row per market that was ever served. */
  markets: keyValueStore('markets', codec.serde<MarketEpochs>('markets-changelog-value')),
  /** validate: scope, digest and signer → what waits for its epoch; a bounded number per owner of a slot. */
  parked: scopedStore('parked', codec.serde<ParkedSubmission>('parked-changelog-value')),

  /** admit: scope, slot, signer and digest → what the owner has sent; at most `signedMax` of the quota for each owner of a slot. */
  slotQuota: scopedStore('slot-quota', codec.serde<SlotQuota>('slot-quota-changelog-value')),
  /** consensus: scope, digest and signer → admitted submission; as many for each owner of a slot as its quota has seats. */
  votes: scopedStore('votes', voteSerde(codec.serde<Submission>('votes-changelog-value'))),
  /** batch: scope, projectId → what became of the project; no more projects than submissions were admitted. */
  projects: scopedStore('projects', codec.serde<ProjectFinalization>('projects-changelog-value')),

  ledger: ledgerStores(codec),
  anchor: anchorStores(codec),
})
