import type { VerifyReport } from './report.ts'

/** Longest list of findings printed in words; --json has them all. */
const FINDINGS_SHOWN = 20

export function renderReport(report: VerifyReport): string {
  const { roothash, signatures, problems, notes } = report
  const lines = [
    ['batch', `${report.submissions} submissions, ${report.projects} projects, epoch ${report.epochId ?? 'unknown'}`],
    ['cid', report.cid],
    ['cid (v1)', report.cidV1],
    ['roothash', roothash.ok ? `${roothash.stated}  ok` : `${roothash.stated}  WRONG, computed ${roothash.computed}`],
    ['finalized cids', report.finalizedCidsRootHash],
    ['signatures', `${signatures.valid} valid, ${signatures.invalid} invalid, ${signatures.unchecked} unchecked`],
  ].map(([name, value]) => `${name!.padEnd(16)}${value}`)
  const findings = [
    ...problems.map(({ code, where, message }) => `problem ${code} at ${where}: ${message}`),
    ...notes.map(({ code, where, message }) => `note ${code} at ${where}: ${message}`),
  ]
  const more = findings.length - FINDINGS_SHOWN
  const shown = more > 0 ? [...findings.slice(0, FINDINGS_SHOWN), `… and ${more} more (--json has them all)`] : findings
  const verdict = report.ok ? 'The batch is sound.' : `The batch is NOT sound: ${problems.length} problem(s).`
  return `${[...lines, ...shown, verdict].join('\n')}\n`
}
