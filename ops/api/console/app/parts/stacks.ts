/** Verdicts by reason, as the bars of the chart stack them. */
import { ACCEPT_REASONS, isAccepted } from '../../../../../topology/verdict.ts'
import type { EpochSummary } from '../../../schema.ts'
import { reasonWords } from '../words.ts'

/** Reasons with a colour of their own; the others share one. */
const SERIES_MAX = 6
const OTHER = 'OTHER'

export interface Stack {
  readonly reason: string
  readonly values: readonly number[]
  readonly total: number
}

/** A stack for each reason in the order of the bars: what was accepted, then the refusals, the commonest first. */
export function stacksOf(epochs: readonly EpochSummary[], refusedOnly: boolean): readonly Stack[] {
  const totals = new Map<string, number>()
  for (const { reasons } of epochs)
    for (const [reason, n] of Object.entries(reasons)) totals.set(reason, (totals.get(reason) ?? 0) + n)
  const refused = [...totals.keys()].filter((reason) => !isAccepted(reason as never))
  refused.sort((a, b) => totals.get(b)! - totals.get(a)!)
  const accepted = refusedOnly ? [] : ACCEPT_REASONS.filter((reason) => totals.has(reason))
  const own = refused.length > SERIES_MAX ? refused.slice(0, SERIES_MAX - 1) : refused
  const rest = refused.slice(own.length)
  const stackOf = (reason: string, parts: readonly string[]): Stack => {
    const values = epochs.map(({ reasons }) => parts.reduce((n, part) => n + (reasons[part as 'COUNTED'] ?? 0), 0))
    return { reason, values, total: values.reduce((sum, n) => sum + n, 0) }
  }
  const single = [...accepted, ...own].map((reason) => stackOf(reason, [reason]))
  return rest.length > 0 ? [...single, stackOf(OTHER, rest)] : single
}

/** Accepted ones are calm, refused ones take the colours in turn. */
export function colourName(stacks: readonly Stack[], index: number): string {
  const { reason } = stacks[index]!
  if (reason === OTHER) return '--series-other'
  if (reason === 'COUNTED') return '--series-counted'
  if (reason === 'SIMULATION') return '--series-simulation'
  return `--series-${stacks.slice(0, index).filter((one) => !isAccepted(one.reason as never)).length + 1}`
}

export const nameOf = (reason: string): string => (reason === OTHER ? 'all other reasons' : reasonWords(reason))
