/** An epoch as phases one after the other, with how long each took or takes. Pure. */
import type { EpochSummary } from '../../schema.ts'

/** What both the list and the page of one epoch know of it. */
export type TimedEpoch = Pick<
  EpochSummary,
  'epochId' | 'phase' | 'releasedAt' | 'closedAt' | 'batchedAt' | 'storedAt' | 'minedAt' | 'finalAt'
>

type Moment = 'releasedAt' | 'closedAt' | 'batchedAt' | 'storedAt' | 'minedAt' | 'finalAt'

export const PHASES = [
  { id: 'window', name: 'Window open', ends: 'closed', from: 'releasedAt', to: 'closedAt' },
  { id: 'count', name: 'Counting', ends: 'batched', from: 'closedAt', to: 'batchedAt' },
  { id: 'store', name: 'Storing', ends: 'stored', from: 'batchedAt', to: 'storedAt' },
  { id: 'mine', name: 'Mining', ends: 'mined', from: 'storedAt', to: 'minedAt' },
  { id: 'confirm', name: 'Confirming', ends: 'final', from: 'minedAt', to: 'finalAt' },
] as const satisfies readonly { id: string; name: string; ends: string; from: Moment; to: Moment }[]

export type PhaseId = (typeof PHASES)[number]['id']

/** `late`: it takes longer than it usually does, or a later epoch has overtaken it (the API calls it stuck). */
export type PhaseState = 'done' | 'now' | 'late' | 'failed' | 'ahead'

export interface PhaseView {
  readonly id: PhaseId
  readonly name: string
  /** The event that ends it. */
  readonly ends: string
  readonly state: PhaseState
  /** How long it took or takes so far; null when it has not begun or when that was not seen. */
  readonly ms: number | null
}

/** Median ms of each phase over the epochs that are through it. */
export type Usual = Readonly<Partial<Record<PhaseId, number>>>

/** A phase is late after so many times what is usual for it, but not before so long. */
const LATE_FACTOR = 4
const LATE_MS_MIN = 10_000

export function usualPhases(epochs: readonly TimedEpoch[]): Usual {
  const usual: Partial<Record<PhaseId, number>> = {}
  for (const { id, from, to } of PHASES) {
    const times = epochs.flatMap((epoch) => spanOf(epoch[from], epoch[to]) ?? [])
    const middle = median(times)
    if (middle !== undefined) usual[id] = middle
  }
  return usual
}

export function phasesOf(epoch: TimedEpoch, now: number, usual: Usual, stuck = false): readonly PhaseView[] {
  const reached = phaseAt(epoch)
  return PHASES.map(({ id, name, ends, from, to }, index) => {
    const view = { id, name, ends }
    if (index < reached) return { ...view, state: 'done', ms: spanOf(epoch[from], epoch[to]) }
    if (index > reached) return { ...view, state: 'ahead', ms: null }
    const ms = spanOf(epoch[from], now)
    const late = ms !== null && ms > (stuck ? LATE_MS_MIN : lateAfter(usual[id]))
    return { ...view, state: epoch.phase === 'FAILED' ? 'failed' : late ? 'late' : 'now', ms }
  })
}

/** The phase that an epoch is in; PHASES.length when it is through. The last event that was seen decides. */
function phaseAt(epoch: TimedEpoch): number {
  const last = PHASES.findLastIndex(({ to }) => epoch[to] !== null)
  return last + 1
}

/** The phase in force; undefined once the epoch is through. */
export const currentPhase = (phases: readonly PhaseView[]): PhaseView | undefined =>
  phases.find(({ state }) => state !== 'done' && state !== 'ahead')

export const isUnderWay = (epoch: TimedEpoch): boolean =>
  epoch.finalAt === null && !['SKIPPED', 'ANCHORED', 'ATTESTED'].includes(epoch.phase)

/** Without experience nothing is late by itself. */
const lateAfter = (usualMs: number | undefined): number =>
  usualMs === undefined ? Number.POSITIVE_INFINITY : Math.max(LATE_MS_MIN, LATE_FACTOR * usualMs)

const spanOf = (from: number | null, to: number | null): number | null =>
  from === null || to === null ? null : Math.max(0, to - from)

export function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)]
}
