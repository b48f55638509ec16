/** The pieces that the attacks of the adversary are made of, and the records that they give. */
import type { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import type { EpochTick, Submission } from '../../schemas/types.ts'
import type { ChainStory } from './chain-story.ts'
import type { ScriptedSubmission } from './submissions.ts'

/** A record of the adversary's, and the name of the attack that it belongs to. */
export type Hostile = { readonly atMs: number; readonly attack: string } & (
  | {
      readonly submission: Submission
      /** So many partitions behind that of its key, taken modulo their number. */
      readonly misplaced?: number
    }
  /** Taken modulo the number of partitions. */
  | {
      readonly bytes: { readonly key: Uint8Array | null; readonly value: Uint8Array | null }
      readonly partition: number
    }
  /** Signed by nobody, by a key of its own, or with the signature of the newest true marker of the partition `from`. */
  | {
      readonly forged: EpochTick
      readonly signed: 'not' | 'itself' | 'borrowed'
      readonly from: number
      readonly partition: number
    }
  /** The how manyth marker of a partition, taken modulo those that are there. */
  | { readonly copied: number; readonly from: number; readonly partition: number }
  /** The how manyth record of a topic of which every record is sealed, modulo; as it is or changed, with its seal or without. */
  | { readonly order: number; readonly topic: SealedTopic; readonly isChanged: boolean; readonly isSealed: boolean }
)

export const SEALED_TOPICS = ['epochTicks', 'batches', 'payouts', 'anchorIntents', 'anchorResults'] as const
export type SealedTopic = (typeof SEALED_TOPICS)[number]

/** What an attack is made of. */
export interface Plot {
  readonly random: SeededRandom
  readonly story: ChainStory
  /** Ids of the epochs, in the order of their releases: attacks name them by that. */
  readonly ids: readonly number[]
  readonly slots: readonly HostileSlot[]
  /** What the honest send. */
  readonly honest: readonly ScriptedSubmission[]
  /** Of it what counts whenever it comes in time: its slot signs no more than counts, and once for a project. */
  readonly steady: readonly ScriptedSubmission[]
}

export interface HostileSlot {
  readonly slotId: number
  /** More than one where the slot changes hands; all are the adversary's. */
  readonly keys: readonly Uint8Array[]
}
