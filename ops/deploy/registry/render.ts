import type { Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { plural } from '../../base/words.ts'
import { type CheckReport, levelMissing, type SubjectCheck, type SubjectState } from './check.ts'
import type { DiffReport, SubjectDiff } from './diff.ts'
import type { Difference } from './differences.ts'
import type { Registered, RegisterReport } from './register.ts'

/** Longest text of words, symbols or types printed; --json has all of it. */
const TEXT_CHARS = 100

const STATE_WORDS: Record<SubjectState, string> = {
  same: 'unchanged',
  reworded: 'with other words or defaults only',
  new: 'without a version yet',
  changed: 'with a compatible change',
  refused: 'REFUSED',
}

export function renderCheck({ ok, against, subjects }: CheckReport): Lines {
  const lines = [`${plural(subjects.length, 'subject')} against ${against === 'history' ? 'the history' : against}`]
  for (const [state, words] of Object.entries(STATE_WORDS)) {
    const found = subjects.filter((subject) => subject.state === state)
    if (found.length === 0) continue
    lines.push(`  ${String(found.length).padStart(3)} ${words}`)
    if (state !== 'same' && found.length < subjects.length)
      lines.push(...found.map(({ subject }) => `      ${subject}`))
  }
  const loose = subjects.filter(levelMissing)
  if (loose.length > 0)
    lines.push(`  ${String(loose.length).padStart(3)} not at level FULL_TRANSITIVE; register sets it`)
  lines.push(...subjects.flatMap(refusal))
  lines.push(
    ok
      ? 'Every version reads every other (FULL_TRANSITIVE).'
      : 'Not FULL_TRANSITIVE: give the field a default, or make a new topic.',
  )
  return lines
}

const refusal = ({ subject, state, problems }: SubjectCheck): string[] =>
  state === 'refused' ? problems.map(({ field, rule, detail }) => `${subject}: ${field}: ${rule}: ${detail}`) : []

export function renderDiff({ same, against, subjects }: DiffReport): Lines {
  const place = against === 'history' ? 'the history' : against
  if (same) return [`${subjects.length} subjects are as in ${place}.`]
  return subjects.flatMap(diffLines)
}

function diffLines({ subject, version, differences }: SubjectDiff): string[] {
  if (version === 0) return [`${subject}: no version yet`]
  if (differences.length === 0) return []
  return [`${subject}, to version ${version}:`, ...differences.map(differenceLine)]
}

function differenceLine({ where, before, after }: Difference): string {
  if (before === undefined) return `  + ${where}: ${shown(after!)}`
  if (after === undefined) return `  - ${where}: ${shown(before)}`
  return `  ~ ${where}: ${shown(before)} → ${shown(after)}`
}

const shown = (text: string): string => printable(text, TEXT_CHARS)

export function renderRegister(report: RegisterReport): Lines {
  if (!report.ok) return [...renderCheck(report.check), 'Nothing was registered.']
  const { registry, level, subjects } = report
  const added = subjects.filter((subject) => subject.added)
  const reworded = subjects.filter(({ textKept }) => !textKept)
  return [
    `${plural(subjects.length, 'subject')} at ${registry}, level ${level}: ${added.length} added, ${subjects.length - added.length} there before`,
    ...added.map(registeredLine),
    ...reworded.map(({ subject, id }) => `  ${subject}: the registry keeps the text it had under id ${id}; see diff`),
  ]
}

const registeredLine = ({ subject, version, id }: Registered): string =>
  `  ${subject.padEnd(34)} version ${version}, id ${id}`
