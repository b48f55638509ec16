/** What a run showed, in words, and what of it broke a promise. */
import { UNTIMELY } from './outages.ts'
import type { Outcome } from './run.ts'

/** Far above what a sequencer with all roles needs, far below what a leak reaches. */
const RSS_MIB_MAX = 1_024
const SHOWN_MAX = 4

/** Every broken promise of one case, a line each; none: the product held. */
export function brokenBy({ released, ended, silent, unanchored, rssMiB, audit, votes }: Outcome): string[] {
  return [
    ...(released === 0 ? ['the chain released nothing'] : []),
    ...(ended === undefined ? [] : [`the process ${ended}`]),
    ...(unanchored.length > 0 ? [`not anchored after the faults: ${listed(unanchored)}`] : []),
    ...(silent.length > 0 ? [`nothing was said within 30 s of ${listed(silent)}`] : []),
    ...(rssMiB.max > RSS_MIB_MAX ? [`${rssMiB.max} MiB of memory`] : []),
    ...auditFaults(audit),
    ...untimely(votes),
  ]
}

function untimely(votes: Outcome['votes']): string[] {
  if (!votes) return []
  const refused = UNTIMELY.filter((reason) => reason in votes.others).map(
    (reason) => `${votes.others[reason]} ${reason}`,
  )
  return [
    ...(votes.inWindow === 0 ? ['no vote came in its window'] : []),
    ...(refused.length > 0 ? [`of ${votes.inWindow} votes that came in their window: ${refused.join(', ')}`] : []),
  ]
}

function auditFaults(audit: Outcome['audit']): string[] {
  if (audit === undefined) return []
  if (typeof audit === 'string') return [`audit: ${audit}`]
  const { lost, duplicated, skipped, mismatches, differences } = audit
  if (lost + duplicated + skipped + mismatches === 0) return []
  const first = differences.slice(0, SHOWN_MAX).map(({ kind, where, message }) => `${kind} ${where}: ${message}`)
  return [
    `audit: ${lost} lost, ${duplicated} duplicated, ${skipped} skipped, ${mismatches} mismatches; ${first.join(' · ')}`,
  ]
}

export function renderOutcome(outcome: Outcome): string {
  const { name, deeds, released, anchored, empty, slowest, said, rssMiB, votes } = outcome
  const broken = brokenBy(outcome)
  const done = Object.entries(deeds)
    .map(([fault, n]) => `${fault} ${n}`)
    .join(', ')
  return [
    `${broken.length === 0 ? 'held  ' : 'BROKEN'} ${name}: ${done || 'no fault'}; ${released} epochs, ${anchored} anchored, ${empty} of them empty, slowest ${slowest ?? '-'} s; memory ${rssMiB.first}, at most ${rssMiB.max}, now ${rssMiB.last} MiB`,
    ...(votes
      ? [
          `    ${votes.inWindow} votes came in their window, ${votes.counted} of them counted, others: ${JSON.stringify(votes.others)}; ${votes.late} came late`,
        ]
      : []),
    ...broken.map((line) => `    BROKEN ${shown(line)}`),
    ...said.map((line) => `    said: ${shown(line)}`),
    '',
  ].join('\n')
}

const listed = (all: readonly string[]): string =>
  all.length > SHOWN_MAX ? `${all.slice(0, SHOWN_MAX).join(', ')} and ${all.length - SHOWN_MAX} more` : all.join(', ')

const shown = (text: string): string => text.replace(/[^\x20-\x7e→·’]/g, '?').slice(0, 400)
