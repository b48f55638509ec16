/** An epoch as a track of its phases, one after the other, with how long each took or takes. Pure. */
import { isLost, isThrough, type PhaseUnderWay } from '../../../reading/epoch-phases.ts'
import type { EpochSummary } from '../../schema.ts'

/** The fields that both the list and the page of one epoch know of it. */
export type TimedEpoch = Pick<
  EpochSummary,
  'epochId' | 'phase' | 'outcome' | 'releasedAt' | 'closedAt' | 'batchedAt' | 'storedAt' | 'minedAt' | 'finalAt'
>

type Moment = 'releasedAt' | 'closedAt' | 'batchedAt' | 'storedAt' | 'minedAt' | 'finalAt'

/** The phases in their order, each with the moments in which it begins and ends. */
export const PHASES = [
  { phase: 'OPEN', ends: 'closed', from: 'releasedAt', to: 'closedAt' },
  { phase: 'COUNTING', ends: 'batched', from: 'closedAt', to: 'batchedAt' },
  { phase: 'STORING', ends: 'stored', from: 'batchedAt', to: 'storedAt' },
  { phase: 'MINING', ends: 'mined', from: 'storedAt', to: 'minedAt' },
  { phase: 'CONFIRMING', ends: 'final', from: 'minedAt', to: 'finalAt' },
] as const satisfies readonly { phase: PhaseUnderWay; ends: string; from: Moment; to: Moment }[]

/** `slow`: it takes longer than it usually does, or a later epoch has overtaken it (the API calls it stuck). */
export type PhaseState = 'done' | 'now' | 'slow' | 'failed' | 'ahead'

export interface PhaseView {
  readonly phase: PhaseUnderWay
  /** The event that ends it. */
  readonly ends: string
  readonly state: PhaseState
  /** Time that the phase took or takes so far, ms; null when it has not begun or failed, or when that was not seen. */
  readonly ms: number | null
}

/** Median ms of each phase over the epochs that are through it. */
export type Usual = Readonly<Partial<Record<PhaseUnderWay, number>>>

/** A phase is slow after so many times what is usual for it, but not before so long. */
const SLOW_FACTOR = 4
const SLOW_MS_MIN = 10_000

export function usualPhases(epochs: readonly TimedEpoch[]): Usual {
  const usual: Partial<Record<PhaseUnderWay, number>> = {}
  for (const { phase, from, to } of PHASES) {
    const times = epochs.flatMap((epoch) => spanOf(epoch[from], epoch[to]) ?? [])
    const middle = median(times)
    if (middle !== undefined) usual[phase] = middle
  }
  return usual
}

export function phasesOf(epoch: TimedEpoch, now: number, usual: Usual, stuck = false): readonly PhaseView[] {
  const reached = isThrough(epoch.phase) ? PHASES.length : PHASES.findIndex(({ phase }) => phase === epoch.phase)
  return PHASES.map(({ phase, ends, from, to }, index) => {
    const view = { phase, ends }
    if (index < reached) return { ...view, state: 'done', ms: spanOf(epoch[from], epoch[to]) }
    if (index > reached) return { ...view, state: 'ahead', ms: null }
    if (isLost(epoch.outcome)) return { ...view, state: 'failed', ms: null }
    const ms = spanOf(epoch.outcome === null ? epoch[from] : epoch.batchedAt, now) // without a batch nothing was mined
    const slow = ms !== null && ms > (stuck ? SLOW_MS_MIN : slowAfter(usual[phase]))
    return { ...view, state: slow ? 'slow' : 'now', ms }
  })
}

/** The phase in force; undefined once the epoch is through, and for one that was never released. */
export const currentPhase = (phases: readonly PhaseView[]): PhaseView | undefined =>
  phases.find(({ state }) => state !== 'done' && state !== 'ahead')

export const isUnderWay = (epoch: TimedEpoch): boolean =>
  !isLost(epoch.outcome) && PHASES.some(({ phase }) => phase === epoch.phase)

/** Without experience nothing is slow by itself. */
const slowAfter = (usualMs: number | undefined): number =>
  usualMs === undefined ? Number.POSITIVE_INFINITY : Math.max(SLOW_MS_MIN, SLOW_FACTOR * usualMs)

const spanOf = (from: number | null, to: number | null): number | null =>
  from === null || to === null ? null : Math.max(0, to - from)

export function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]
}
