/** How far a batch is, or the ending call: the part of the fold of an epoch that rows of `anchors` tell. */
import type { Anchor, AnchorState } from '../../schemas/types.ts'

/** How far a batch, or the ending call, is. */
export interface BatchProgress {
  readonly state: AnchorState
  /** The phase that it keeps its epoch in, or did when it was lost; ANCHORED when it is final. */
  readonly phase: BatchPhase
  readonly attested: boolean
  /** When it came out of each phase. */
  readonly storedAt: number | null
  readonly minedAt: number | null
  readonly finalAt: number | null
}
export type BatchPhase = 'STORING' | 'MINING' | 'CONFIRMING' | 'ANCHORED'

/**
 * When a batch came out of a phase is known only if the row before is: of a compacted topic the last row of each batch may be
 * all that is left.
 */
export function batchAfter(before: BatchProgress | undefined, anchor: Anchor, at: number): BatchProgress {
  const { state, attested } = anchor
  const phase = phaseOfBatch(anchor)
  const leftAt = (left: BatchPhase, first: AnchorState, known: number | null | undefined): number | null => {
    if (!isBehind(phase, left)) return null
    if (before && isBehind(before.phase, left)) return known ?? null
    return before === undefined && state !== first ? null : at
  }
  return {
    state,
    phase,
    attested,
    storedAt: leftAt('STORING', 'STORED', before?.storedAt),
    minedAt: leftAt('MINING', 'MINED', before?.minedAt),
    finalAt: leftAt('CONFIRMING', 'FINAL', before?.finalAt),
  }
}

/**
 * The row alone decides, so that all agree who have read it, also when older rows are gone. A batch that is lost, or has left the
 * chain, has a CID when it was stored; a batch that a block has, but too late, names the block.
 */
function phaseOfBatch({ state, cid, blockHash }: Anchor): BatchPhase {
  switch (state) {
    case 'PLANNED':
      return 'STORING'
    case 'STORED':
    case 'READY':
    case 'SENT':
      return 'MINING'
    case 'MINED':
      return 'CONFIRMING'
    case 'FINAL':
      return 'ANCHORED'
    default:
      return cid === '' ? 'STORING' : blockHash === '' ? 'MINING' : 'CONFIRMING'
  }
}

const BATCH_PHASES: readonly BatchPhase[] = ['STORING', 'MINING', 'CONFIRMING', 'ANCHORED']
const isBehind = (phase: BatchPhase, other: BatchPhase): boolean =>
  BATCH_PHASES.indexOf(phase) > BATCH_PHASES.indexOf(other)
export const earliest = (phases: readonly BatchPhase[]): BatchPhase =>
  BATCH_PHASES.find((phase) => phases.includes(phase)) ?? 'ANCHORED'
