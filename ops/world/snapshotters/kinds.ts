/** The messages of simulated snapshotters, and the verdicts that each kind deserves. */
import type { VerdictReason } from '../../../schemas/types.ts'

const VOTE = ['COUNTED', 'OUTVOTED'] as const

/** Wrong on purpose, every way that the intake or a stage is to notice; and the honest ones. */
export const KINDS = {
  good: VOTE,
  minority: VOTE,
  'bad-signature': ['BAD_SIGNATURE'],
  'high-s': ['BAD_SIGNATURE'],
  'foreign-slot': ['SLOT_MISMATCH'],
  'unknown-slot': ['UNKNOWN_SLOT'],
  late: ['EPOCH_CLOSED'],
  'too-far': ['EPOCH_TOO_FAR'],
  replayed: [...VOTE, 'DUPLICATE'],
  duplicate: [...VOTE, 'DUPLICATE'],
  'over-quota': [...VOTE, 'RATE_LIMITED'],
  'two-cids': [...VOTE, 'SUPERSEDED'],
  'stale-header': ['STALE_HEADER'],
  'unknown-header': ['UNKNOWN_HEADER'],
  'deadline-passed': ['DEADLINE_PASSED'],
  'unknown-market': ['UNKNOWN_MARKET'],
  simulation: ['SIMULATION'],
  'malformed-json': ['MALFORMED'],
  'malformed-bytes': ['MALFORMED'],
  oversize: ['OVERSIZE'],
} as const satisfies Record<string, readonly VerdictReason[]>

export type Kind = keyof typeof KINDS

/** Kinds that never reach the topology: they end as dead letters of the intake. */
export const FRAME_KINDS: ReadonlySet<Kind> = new Set(['malformed-json', 'malformed-bytes', 'oversize'])
export const WRONG_KINDS = (Object.keys(KINDS) as Kind[]).filter((kind) => kind !== 'good' && kind !== 'minority')
