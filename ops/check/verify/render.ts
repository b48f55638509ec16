import type { Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { plural } from '../../base/words.ts'
import type { Note, Problem, VerifyReport } from './report.ts'

/** Longest list of findings printed in words; --json has them all. */
const FINDINGS_SHOWN = 20
/** Longest message of a finding: it may quote a project and several CIDs. */
const MESSAGE_SHOWN = 600

export function renderReport(report: VerifyReport, strict = false): Lines {
  const { roothash, signatures } = report
  const stated = printable(roothash.stated)
  const lines = [
    [
      'batch',
      `${plural(report.submissions, 'submission')}, ${plural(report.projects, 'project')}, epoch ${report.epochId ?? 'unknown'}`,
    ],
    ['data market', report.dataMarket === null ? 'none named' : printable(report.dataMarket)],
    ['cid', report.cid],
    ['cid (v1)', report.cidV1],
    ['roothash', roothash.ok ? `${stated}  ok` : `${stated}  WRONG, computed ${roothash.computed}`],
    ['finalized cids', report.finalizedCidsRootHash],
    ['signatures', `${signatures.valid} valid, ${signatures.invalid} invalid, ${signatures.unchecked} unchecked`],
  ].map(([name, value]) => `${name!.padEnd(16)}${value}`)
  return [...lines, ...findingLines(report), verdictOf(report, strict)]
}

function findingLines({ problems, notes }: VerifyReport): Lines {
  const findings = [
    ...problems.map((problem) => `problem ${findingOf(problem)}`),
    ...notes.map((note) => `note ${findingOf(note)}`),
  ]
  const more = findings.length - FINDINGS_SHOWN
  return more > 0 ? [...findings.slice(0, FINDINGS_SHOWN), `… and ${more} more (--json has them all)`] : findings
}

const findingOf = ({ code, where, message }: Problem | Note): string =>
  `${code} at ${printable(where)}: ${printable(message, MESSAGE_SHOWN)}`

function verdictOf({ ok, problems, unchecked }: VerifyReport, strict: boolean): string {
  const left = unchecked.map(({ message }) => message).join(', ')
  if (!ok) return `The batch is NOT sound: ${plural(problems.length, 'problem')}.${left && ` Unchecked: ${left}.`}`
  if (left === '') return 'The batch is sound.'
  return `${strict ? 'NOT accepted (--strict): no' : 'No'} fault in what was checked. Unchecked: ${left}.`
}
