/** The reports about each epoch while it goes on; `progress.ts` follows the topics and tells it. */
import type { Anchor, Batch, ProjectFinalization, Verdict } from '../../schemas/types.ts'
import type { EpochProgress } from './epoch-progress.ts'

export interface FollowedEpoch {
  readonly dataMarket: string
  readonly epochId: number
  /** Progress of the epoch, after the record that is told. */
  progress: EpochProgress
  /** First of the epochs right before it that the market's owner skipped; 0 = none. */
  skippedFrom: number
  /** When this process saw the release and the end, ms; undefined when it did not, as after a restart. */
  releasedAt: number | undefined
  endedAt: number | undefined
  /** The newest row of each batch, whole. */
  readonly anchors: Map<number, Anchor>
  readonly reasons: Map<string, number>
}

/** When something was, as far as can be known: for what is read as it is written, now; for the past, when its record was. */
export interface Moment {
  /** Ms. */
  readonly at: number
  /** The record was there before this process began to follow. */
  readonly past: boolean
}

export interface ProgressListener {
  /** Is told also what is under way when the following begins: releases, closes and anchors. */
  readonly wantsPast?: boolean
  released?(epoch: FollowedEpoch, when: Moment): void
  closed?(epoch: FollowedEpoch, when: Moment): void
  /** The blocks from this one on left the chain; the epochs that were released in them were told as withdrawn. */
  orphaned?(blockNumber: number, when: Moment): void
  /** Each part of a finalization by itself; what is not a list is the same in all of them. */
  finalized?(dataMarket: string, epochId: number, project: ProjectFinalization): void
  /** In one piece; its bytes are not made. */
  batched?(dataMarket: string, batch: Batch): void
  summarised?(epoch: FollowedEpoch, when: Moment): void
  anchorChanged?(
    epoch: FollowedEpoch,
    batchIndex: number,
    anchor: Anchor,
    before: Anchor | undefined,
    when: Moment,
  ): void
  /** The release that was seen left the chain: the epoch waits for another one, or the market's owner skipped it. */
  withdrawn?(epoch: FollowedEpoch, when: Moment): void
  /** The call that ends the epoch's batches is on the chain, and each batch, of which there is one at least. */
  anchored?(epoch: FollowedEpoch, when: Moment): void
  /** The epoch ended, but a batch or the ending call was late or failed. */
  missed?(epoch: FollowedEpoch, when: Moment): void
  /** The epoch ended, and there was no batch to anchor: no project had a winner, or nobody voted. */
  endedWithoutBatch?(epoch: FollowedEpoch, outcome: 'NO_QUORUM' | 'EMPTY', when: Moment): void
  verdict?(dataMarket: string, verdict: Verdict): void
}
