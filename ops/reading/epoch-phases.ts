/** The words for how far an epoch and its batches are: the only ones, in commands, API, metrics, console, alerts and docs. */
import type { AnchorState } from '../../schemas/types.ts'

/**
 * The step that an epoch waits for while it is under way, in order:
 * - `OPEN`: its window takes submissions.
 * - `COUNTING`: the window is over; the votes are counted and the batches are cut.
 * - `STORING`: a batch is not on IPFS yet.
 * - `MINING`: a batch is in no block yet.
 * - `CONFIRMING`: a batch, or the call that ends the epoch, does not lie deep enough yet.
 */
export const PHASES_UNDER_WAY = ['OPEN', 'COUNTING', 'STORING', 'MINING', 'CONFIRMING'] as const
export type PhaseUnderWay = (typeof PHASES_UNDER_WAY)[number]

/**
 * How far an epoch is. Before it is under way:
 * - `UNKNOWN`: the log has no release of it.
 * - `SKIPPED`: the market's owner passed it over, and the contract never released it.
 * - `ORPHANED`: the block of its release left the chain, and no block has released it again.
 * - `REFUSED`: a number of its release, or of its market, is none that can be: it was opened for nobody.
 *
 * And behind it:
 * - `ANCHORED`: each of its batches and the call that ends it lie deep enough to stay. The outcome tells when there is no batch.
 * - `ATTESTED`: and the contract has taken each batch after enough attestations.
 */
export const EPOCH_PHASES = [
  'UNKNOWN',
  'SKIPPED',
  'ORPHANED',
  'REFUSED',
  ...PHASES_UNDER_WAY,
  'ANCHORED',
  'ATTESTED',
] as const
export type EpochPhase = (typeof EPOCH_PHASES)[number]

/**
 * Why not all of an epoch, or nothing, is on the chain:
 * - `LATE`: the contract's window was over before a batch came. `FAILED`: a batch or the ending call can never be anchored.
 *   Both hold the phase: it stays that in which the (first) batch was lost.
 * - `NO_QUORUM`: no project had a winner. `EMPTY`: no vote was there to count. Neither has a batch to lose, so the phase goes
 *   on to the ending call.
 */
export const EPOCH_OUTCOMES = ['LATE', 'FAILED', 'NO_QUORUM', 'EMPTY'] as const
export type EpochOutcome = (typeof EPOCH_OUTCOMES)[number]

/**
 * The states of a batch and of an ending call: the states of `Anchor`, the only public ones. UNKNOWN: a state that a newer
 * release has added.
 */
export const BATCH_STATES = [
  'UNKNOWN',
  'PLANNED',
  'STORED',
  'READY',
  'SENT',
  'MINED',
  'FINAL',
  'LATE',
  'FAILED',
  'REORGED',
] as const satisfies readonly AnchorState[]

/** A batch in this state, or one of an epoch of this outcome, will not be on the chain. */
export const isLost = (state: AnchorState | EpochOutcome | null): boolean => state === 'LATE' || state === 'FAILED'

/** Each batch and the ending call are deep enough to stay: nothing is awaited but attestations. */
export const isThrough = (phase: EpochPhase): boolean => phase === 'ANCHORED' || phase === 'ATTESTED'

/** The epoch has batches on the chain, all of them, to stay. An epoch that ends without a batch is neither anchored nor lost. */
export const isAnchored = (epoch: { readonly phase: EpochPhase; readonly outcome: EpochOutcome | null }): boolean =>
  isThrough(epoch.phase) && epoch.outcome === null

/** The states of a batch in three, for lists: it is on its way, it is FINAL, or it is LATE or FAILED and will not be on the chain. */
export const BATCH_STANDINGS = ['under-way', 'final', 'lost'] as const
export type BatchStanding = (typeof BATCH_STANDINGS)[number]
export const standingOfBatch = (state: AnchorState): BatchStanding =>
  isLost(state) ? 'lost' : state === 'FINAL' ? 'final' : 'under-way'

/** A state that stays, unless the chain goes back behind it. */
export const isEnd = (state: AnchorState): boolean => state === 'FINAL' || isLost(state)
