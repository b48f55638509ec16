import type { AuditReport, DifferenceKind } from './report.ts'

/** Differences printed in words; --json has more. */
const DIFFERENCES_SHOWN = 20

const KINDS: Readonly<Record<DifferenceKind, string>> = {
  lost: 'lost',
  duplicated: 'duplicated',
  skipped: 'skipped',
  mismatches: 'different',
}

export const isClean = ({ lost, duplicated, skipped, mismatches }: AuditReport): boolean =>
  lost === 0 && duplicated === 0 && skipped === 0 && mismatches === 0

export function renderAudit(report: AuditReport): string {
  const { differences } = report
  const chain =
    report.epochsOnChain === null ? 'not asked' : `${report.epochsOnChain} epochs compared with the contract`
  const lines = [
    `epochs         ${report.epochsReleased} released, ${report.epochsClosed} closed, ${report.epochsAnchored} anchored`,
    `submissions    ${report.acknowledged} acknowledged, ${report.verdicts} with a verdict, ${report.pending} pending`,
    `chain          ${chain}`,
    `lost           ${report.lost}`,
    `duplicated     ${report.duplicated}`,
    `skipped        ${report.skipped}`,
    `mismatches     ${report.mismatches}`,
    ...(report.beyondRetention > 0
      ? [`not judged     ${report.beyondRetention}: the log no longer reaches back to their release`]
      : []),
    ...differences
      .slice(0, DIFFERENCES_SHOWN)
      .map(({ kind, where, message }) => `${KINDS[kind]}: ${where}: ${message}`),
    ...(differences.length > DIFFERENCES_SHOWN ? ['… (--json has more)'] : []),
    isClean(report) ? 'Nothing is lost, doubled, skipped or different.' : 'The log does NOT hold what it should.',
  ]
  return `${lines.join('\n')}\n`
}
