/** The row of an epoch after one more record. Pure: the same records in the same order give the same row. */

import { END_OF_BATCHES } from '../../../schemas/anchor-keys.ts'
import type { Anchor, AnchorState, EpochSummary, EpochTick, ProjectFinalization } from '../../../schemas/types.ts'
import { type EpochPhase, phaseOf } from '../../reading/epoch.ts'
import type { AnchorSteps, EpochRow } from './rows.ts'

/** A reorganisation may release an epoch again, which takes an earlier close back; the same tick twice changes nothing. */
export function withTick(row: EpochRow, tick: EpochTick, time: number): EpochRow {
  const { kind, blockNumber, blockHash, releaseBlock, begin, end } = tick
  if (kind === 'OPEN') {
    if (row.releaseHash === blockHash && row.releaseBlock === releaseBlock) return row
    const earlierReleaseBlock = row.releaseBlock ?? row.earlierReleaseBlock
    const opened = { releaseBlock, releaseHash: blockHash, earlierReleaseBlock, begin, end, releasedAt: time }
    return { ...row, ...opened, skippedInBlock: null, closeBlock: null, closeHash: '', closedAt: null }
  }
  if (kind !== 'CLOSE' || row.closeHash === blockHash) return row
  const closed = { closeBlock: blockNumber, closeHash: blockHash, closedAt: time }
  return { ...row, ...closed, releaseBlock: row.releaseBlock ?? releaseBlock }
}

/** Its release left the chain, and the market's owner skipped it in this block. */
export const asSkipped = (row: EpochRow, skippedInBlock: number): EpochRow => ({
  ...row,
  skippedInBlock,
  releaseBlock: null,
  releaseHash: '',
  earlierReleaseBlock: row.releaseBlock ?? row.earlierReleaseBlock,
  begin: null,
  end: null,
  releasedAt: null,
})

export const withFinalization = (row: EpochRow, { snapshotCid, votes, voters }: ProjectFinalization): EpochRow => ({
  ...row,
  projects: row.projects + (snapshotCid === '' ? 0 : 1),
  projectsWithoutQuorum: row.projectsWithoutQuorum + (snapshotCid === '' ? 1 : 0),
  votes: row.votes + (snapshotCid === '' ? 0 : votes),
  voters: row.voters + voters,
})

export const withSummary = (row: EpochRow, { batches }: EpochSummary, time: number): EpochRow => ({
  ...row,
  batches,
  batchedAt: time,
})

/** @param anchor null when its row is gone from the topic */
export function withAnchor(row: EpochRow, batchIndex: number, anchor: Anchor | null, time: number): EpochRow {
  const { [batchIndex]: before, ...others } = row.anchors
  if (anchor === null) return { ...row, anchors: others }
  return { ...row, anchors: { ...others, [batchIndex]: stepsOf(before, anchor, time) } }
}

const ORDER = ['PLANNED', 'STORED', 'READY', 'SENT', 'MINED', 'FINAL'] as const satisfies readonly AnchorState[]
/** What left the chain again is stored, and no more. */
const rankOf = (state: AnchorState): number =>
  (ORDER as readonly AnchorState[]).indexOf(state === 'REORGED' ? 'STORED' : state)

/**
 * When a batch came to a step is known only if the record before is: of a compacted topic the last one of each batch may
 * be all that is left.
 */
function stepsOf(before: AnchorSteps | undefined, { state, attested }: Anchor, time: number): AnchorSteps {
  const reached = (step: AnchorState, known: number | null | undefined): number | null => {
    if (rankOf(state) < rankOf(step)) return null
    if (before !== undefined && rankOf(before.state) >= rankOf(step)) return known ?? null
    return before === undefined && state !== step ? null : time
  }
  return {
    state,
    attested,
    storedAt: reached('STORED', before?.storedAt),
    minedAt: reached('MINED', before?.minedAt),
    finalAt: reached('FINAL', before?.finalAt),
  }
}

export const phaseOfRow = (row: EpochRow | undefined): EpochPhase => {
  if (row === undefined) return 'UNKNOWN'
  const { batches, end } = stepsByKind(row)
  return phaseOf({
    released: row.releaseBlock !== null,
    closed: row.closeBlock !== null,
    isSkipped: row.skippedInBlock !== null,
    batches,
    end,
  })
}

/** Its batches are final, or the end of the call is: nothing is awaited but attestations. */
export const isSettled = (row: EpochRow): boolean => ['ANCHORED', 'ATTESTED'].includes(phaseOfRow(row))

/** When the last of the epoch's batches came to a step; null while one has not, or when that was not seen. */
export function timesOf(row: EpochRow): { storedAt: number | null; minedAt: number | null; finalAt: number | null } {
  const { batches, end } = stepsByKind(row)
  const complete = row.batches !== null && batches.length === row.batches && batches.length > 0
  const last = (steps: readonly AnchorSteps[], step: 'storedAt' | 'minedAt' | 'finalAt'): number | null => {
    const times = steps.map(({ [step]: time }) => time)
    if (times.includes(null) || times.length === 0) return null
    return (times as number[]).reduce((a, b) => Math.max(a, b))
  }
  return {
    storedAt: complete ? last(batches, 'storedAt') : null,
    minedAt: complete ? last(batches, 'minedAt') : null,
    finalAt: end?.state === 'FINAL' && row.batches === batches.length ? last([...batches, end], 'finalAt') : null,
  }
}

function stepsByKind({ anchors }: EpochRow): { batches: readonly AnchorSteps[]; end: AnchorSteps | undefined } {
  const { [END_OF_BATCHES]: end, ...batches } = anchors
  return { batches: Object.values(batches), end }
}
