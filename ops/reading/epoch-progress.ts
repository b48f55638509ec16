/**
 * How far an epoch is: the one fold of what the log says about it, for the look-up, the metrics and the view behind the API.
 * Pure: the same records in the same order give the same progress.
 */
import { END_OF_BATCHES } from '../../schemas/anchor-keys.ts'
import type {
  Anchor,
  AnchorState,
  EpochKey,
  EpochSummary,
  EpochTick,
  ProjectFinalization,
  RefusedEpoch,
} from '../../schemas/types.ts'
import { type BatchProgress, batchAfter, earliest } from './batch-progress.ts'
import { type EpochOutcome, type EpochPhase, isEnd, isLost } from './epoch-phases.ts'

/** The known facts of one epoch. Times are ms, as `at` of the records says; null: not (yet) seen. Plain JSON. */
export interface EpochProgress {
  readonly epochId: number
  readonly releaseBlock: number | null
  readonly releaseHash: string
  /** Block of the release before this one, which left the chain. */
  readonly earlierReleaseBlock: number | null
  /** Block in which the market's owner skipped it. */
  readonly skippedInBlock: number | null
  /** Why its release opened no epoch, in words, with the block; empty of one that did, or of which there was none. */
  readonly refused: string
  readonly refusedInBlock: number | null
  readonly closeBlock: number | null
  readonly closeHash: string
  /** Source-chain blocks. */
  readonly begin: number | null
  readonly end: number | null
  readonly releasedAt: number | null
  readonly closedAt: number | null
  readonly batchedAt: number | null
  /** With a winner, and without: the summary's, before it as far as finalizations were seen. */
  readonly projects: number
  readonly projectsWithoutQuorum: number
  /** For the winners, and for whatever CID, as finalizations say. */
  readonly votes: number
  readonly voters: number
  /** Batches, and submissions that were counted; null before the summary. */
  readonly batches: number | null
  readonly counted: number | null
  /** By index; END_OF_BATCHES is the ending call. */
  readonly anchors: Readonly<Record<number, BatchProgress>>
}

/** The records of an epoch: ticks of its market and ORPHAN, the rest of the epoch itself. `at`: ms, of the record. */
export type ProgressRecord = { readonly at: number } & (
  | { readonly tick: EpochTick }
  /** As a HEAD says it. */
  | { readonly refused: RefusedEpoch }
  | { readonly finalization: ProjectFinalization }
  | { readonly summary: EpochSummary }
  /** null: the row is gone from the topic. */
  | { readonly batchIndex: number; readonly anchor: Anchor | null }
)

const UNREFUSED = { refused: '', refusedInBlock: null } as const

export const unseenEpoch = (epochId: number): EpochProgress => ({
  epochId,
  releaseBlock: null,
  releaseHash: '',
  earlierReleaseBlock: null,
  skippedInBlock: null,
  ...UNREFUSED,
  closeBlock: null,
  closeHash: '',
  begin: null,
  end: null,
  releasedAt: null,
  closedAt: null,
  batchedAt: null,
  projects: 0,
  projectsWithoutQuorum: 0,
  votes: 0,
  voters: 0,
  batches: null,
  counted: null,
  anchors: {},
})

/** The progress after one more record; the same object when the record changes nothing. */
export function withRecord(before: EpochProgress, record: ProgressRecord): EpochProgress {
  if ('tick' in record) return withTick(before, record.tick, record.at)
  if ('refused' in record) return withRefusal(before, record.refused)
  if ('finalization' in record) return withFinalization(before, record.finalization)
  if ('summary' in record) return withSummary(before, record.summary, record.at)
  return withAnchor(before, record.batchIndex, record.anchor, record.at)
}

/** A reorganisation may release an epoch again, which takes an earlier close back; the same tick twice changes nothing. */
function withTick(before: EpochProgress, tick: EpochTick, at: number): EpochProgress {
  const { kind, epochId, blockNumber, blockHash, releaseBlock, begin, end } = tick
  if (kind === 'ORPHAN') return withoutBlocksFrom(before, blockNumber)
  if (epochId !== before.epochId) return isSkippedBy(tick, before.epochId) ? asSkipped(before, releaseBlock) : before
  if (kind === 'OPEN') {
    if (before.releaseHash === blockHash && before.releaseBlock === releaseBlock) return before
    const earlierReleaseBlock = before.releaseBlock ?? before.earlierReleaseBlock
    const opened = { releaseBlock, releaseHash: blockHash, earlierReleaseBlock, begin, end, releasedAt: at }
    return { ...before, ...opened, skippedInBlock: null, ...UNREFUSED, ...UNCLOSED }
  }
  if (kind !== 'CLOSE' || before.closeHash === blockHash) return before
  const closed = { closeBlock: blockNumber, closeHash: blockHash, closedAt: at }
  return { ...before, ...closed, releaseBlock: before.releaseBlock ?? releaseBlock }
}

/** A refused release changes nothing of an epoch that is open, or closed, by another one. */
function withRefusal(before: EpochProgress, { block, why }: RefusedEpoch): EpochProgress {
  const refused = `released in block ${block}, and refused: ${why}`
  return before.releaseBlock !== null || before.refused === refused
    ? before
    : { ...before, refused, refusedInBlock: block }
}

const isSkippedBy = ({ kind, skippedFrom, epochId: last }: EpochTick, epochId: number): boolean =>
  kind === 'OPEN' && skippedFrom > 0 && skippedFrom <= epochId && epochId < last

/** The blocks from this one on left the chain, with what was in them: a release, also a refused one, and a skip. A closed epoch stays, as in `asSkipped`. */
function withoutBlocksFrom(before: EpochProgress, blockNumber: number): EpochProgress {
  const { releaseBlock, refusedInBlock, skippedInBlock, closeBlock } = before
  const hasLeft = (block: number | null): boolean => block !== null && block >= blockNumber
  if (hasLeft(skippedInBlock)) return withoutBlocksFrom({ ...before, skippedInBlock: null }, blockNumber)
  if (hasLeft(refusedInBlock)) return { ...before, ...UNREFUSED, earlierReleaseBlock: refusedInBlock }
  if (closeBlock !== null || !hasLeft(releaseBlock)) return before
  return { ...before, ...UNRELEASED, earlierReleaseBlock: releaseBlock }
}

const UNRELEASED = { releaseBlock: null, releaseHash: '', begin: null, end: null, releasedAt: null } as const
const UNCLOSED = { closeBlock: null, closeHash: '', closedAt: null } as const

/** The release is in the log, and its block on the chain. */
export const isReleased = ({ releasedAt }: EpochProgress): boolean => releasedAt !== null

/** Whether a tick may change what is known of an epoch: its own, an ORPHAN, or a release behind a skip of its market. */
export const mayChange = (tick: EpochTick, { dataMarket, epochId }: EpochKey): boolean =>
  tick.kind === 'ORPHAN' || (tick.dataMarket === dataMarket && (tick.epochId === epochId || isSkippedBy(tick, epochId)))

/** A skipped epoch lost its release, if there was one. A closed epoch stays: its batches are cut once, by the first release. */
function asSkipped(before: EpochProgress, skippedInBlock: number): EpochProgress {
  if (before.closeBlock !== null || before.skippedInBlock === skippedInBlock) return before
  const earlierReleaseBlock = before.releaseBlock ?? before.earlierReleaseBlock
  return { ...before, ...UNRELEASED, skippedInBlock, earlierReleaseBlock }
}

/** The parts of a finalization say the same of it. */
function withFinalization(before: EpochProgress, { part, snapshotCid, votes, voters }: ProjectFinalization) {
  if (part > 0) return before
  const [won, lost] = snapshotCid === '' ? [0, 1] : [1, 0]
  const known = before.batches !== null
  return {
    ...before,
    projects: before.projects + (known ? 0 : won),
    projectsWithoutQuorum: before.projectsWithoutQuorum + (known ? 0 : lost),
    votes: before.votes + won * votes,
    voters: before.voters + voters,
  }
}

const withSummary = (before: EpochProgress, summary: EpochSummary, batchedAt: number): EpochProgress => {
  const { batches, projects, projectsWithoutQuorum, submissions: counted } = summary
  return { ...before, batches, projects, projectsWithoutQuorum, counted, batchedAt }
}

function withAnchor(before: EpochProgress, batchIndex: number, anchor: Anchor | null, at: number): EpochProgress {
  const { [batchIndex]: known, ...others } = before.anchors
  if (anchor === null) return { ...before, anchors: others }
  return { ...before, anchors: { ...others, [batchIndex]: batchAfter(known, anchor, at) } }
}

export function phaseOf(progress: EpochProgress): EpochPhase {
  const { batches, ending, allSeen } = partsOf(progress)
  if (!ending && batches.length === 0 && progress.batches === null) return phaseUncut(progress)
  const lost = batches.filter(({ state }) => isLost(state)).map(({ phase }) => phase)
  if (lost.length > 0) return earliest(lost)
  if (!allSeen) return 'STORING'
  const phase = earliest([
    ...batches.map((batch) => batch.phase),
    ending?.state === 'FINAL' ? 'ANCHORED' : 'CONFIRMING',
  ])
  const isAttested = batches.length > 0 && batches.every(({ attested }) => attested)
  return phase === 'ANCHORED' && isAttested ? 'ATTESTED' : phase
}

function phaseUncut(progress: EpochProgress): EpochPhase {
  const { releaseBlock, earlierReleaseBlock, closeBlock, skippedInBlock, refused } = progress
  if (closeBlock !== null) return 'COUNTING'
  if (releaseBlock !== null) return 'OPEN'
  if (skippedInBlock !== null) return 'SKIPPED'
  if (refused !== '') return 'REFUSED'
  return earlierReleaseBlock === null ? 'UNKNOWN' : 'ORPHANED'
}

/** null: nothing went wrong so far. LATE goes before FAILED. */
export function outcomeOf(progress: EpochProgress): EpochOutcome | null {
  const { batches, ending, allSeen } = partsOf(progress)
  const states = [...batches, ...(ending ? [ending] : [])].map(({ state }) => state)
  if (states.includes('LATE')) return 'LATE'
  if (states.includes('FAILED')) return 'FAILED'
  if (!allSeen || batches.length > 0) return null
  return progress.projectsWithoutQuorum > 0 ? 'NO_QUORUM' : 'EMPTY'
}

/** Votes for winners as a share of all votes; null before all projects are counted: the first ones say nothing of the others. */
export const supportOf = ({
  votes,
  voters,
  batches,
}: Pick<EpochProgress, 'votes' | 'voters' | 'batches'>): number | null =>
  batches === null || voters === 0 ? null : votes / voters

/** Nothing more is done about it, however it went: its ending call has ended, and what it has of batches. */
export const hasEnded = ({ anchors }: EpochProgress): boolean =>
  anchors[END_OF_BATCHES] !== undefined && Object.values(anchors).every(({ state }) => isEnd(state))

/** How an epoch has ended: with all its batches on the chain, or as its outcome says. null: it has not. */
export type EpochEnd = 'ANCHORED' | EpochOutcome
export const endOf = (progress: EpochProgress): EpochEnd | null =>
  hasEnded(progress) ? (outcomeOf(progress) ?? 'ANCHORED') : null

/** The batches that will never be on the chain, by index, with their states. */
export const lostOf = ({ anchors }: EpochProgress): readonly (readonly [batchIndex: number, state: AnchorState])[] =>
  Object.entries(anchors).flatMap(([index, { state }]) => (isLost(state) ? [[Number(index), state] as const] : []))

/** When the last of the epoch's batches came out of a phase; null while one has not, or when that was not seen. */
export function timesOf(progress: EpochProgress): Pick<BatchProgress, 'storedAt' | 'minedAt' | 'finalAt'> {
  const { batches, ending, allSeen } = partsOf(progress)
  const last = (among: readonly BatchProgress[], moment: 'storedAt' | 'minedAt' | 'finalAt'): number | null => {
    const times = among.map(({ [moment]: time }) => time)
    return !allSeen || times.includes(null) || times.length === 0
      ? null
      : (times as number[]).reduce((a, b) => Math.max(a, b))
  }
  return {
    storedAt: last(batches, 'storedAt'),
    minedAt: last(batches, 'minedAt'),
    finalAt: ending ? last([...batches, ending], 'finalAt') : null,
  }
}

/** The ending call is planned when all batches are there: its row tells the same as the summary of the epoch. */
function partsOf({ anchors, batches: count }: EpochProgress) {
  const { [END_OF_BATCHES]: ending, ...others } = anchors
  const batches: readonly BatchProgress[] = Object.values(others)
  return { batches, ending, allSeen: count === null ? ending !== undefined : batches.length >= count }
}
