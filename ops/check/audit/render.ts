import type { Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { type AuditReport, KIND_WORDS } from './report.ts'

/** Differences printed in words; --json has more. */
const DIFFERENCES_SHOWN = 20

const NOTES_SHOWN = 8

export const isClean = ({ lost, duplicated, skipped, mismatches }: AuditReport): boolean =>
  lost === 0 && duplicated === 0 && skipped === 0 && mismatches === 0

/** Without a node the log is only compared with itself; a window that an older clock did not measure is not compared at all. */
export const isChecked = ({ epochsOnChain, windowsUnchecked }: AuditReport): boolean =>
  epochsOnChain !== null && windowsUnchecked === 0

function conclusion(report: AuditReport): string {
  if (!isClean(report)) return 'The log does NOT hold what it should.'
  const left = [
    ...(report.epochsOnChain === null ? ['the contract (no node was asked, see --rpc)'] : []),
    ...(report.windowsUnchecked > 0
      ? [
          `when the windows of ${report.windowsUnchecked} epochs ended (in blocks that an older clock did not number as the contract does)`,
        ]
      : []),
    ...(report.beyondRetention > 0
      ? [`${report.beyondRetention} submissions, of which what decides may have expired`]
      : []),
    ...(report.daysUnchecked > 0
      ? [`${report.daysUnchecked} days with epochs from before the log begins, or of a market that counts none now`]
      : []),
  ]
  return `Nothing is lost, doubled, skipped or different.${left.length > 0 ? ` Unchecked: ${left.join(', ')}.` : ''}`
}

/** Longest part of a difference that is printed: places and messages hold names of projects and texts of the log. */
const PART_SHOWN = 800

export function renderAudit(report: AuditReport): Lines {
  const { differences, notes } = report
  const chain =
    report.epochsOnChain === null ? 'not asked' : `${report.epochsOnChain} epochs compared with the contract`
  return [
    `epochs         ${report.epochsReleased} released, ${report.epochsClosed} closed, ${report.epochsAnchored} anchored`,
    ...(report.epochsPassedOver > 0
      ? [`passed over    ${report.epochsPassedOver} epochs, skipped by the market’s owner`]
      : []),
    ...(report.releasesLost > 0
      ? [
          `releases lost  ${report.releasesLost}, whose blocks left the chain after the batches were cut: the epochs count once, by their first release`,
        ]
      : []),
    `submissions    ${report.acknowledged} acknowledged, ${report.verdicts} with a verdict, ${report.pending} pending${earlyOf(report)}`,
    ...(report.daysCompared + report.daysUnchecked + report.payouts > 0
      ? [`days           ${report.daysCompared} recomputed${paidOf(report)}`]
      : []),
    ...(report.payoutsUnpaid > 0
      ? [`unpaid         ${report.payoutsUnpaid} payouts, whose days had passed when they came to be sent (E38)`]
      : []),
    `chain          ${chain}`,
    `lost           ${report.lost}`,
    `duplicated     ${report.duplicated}`,
    `skipped        ${report.skipped}`,
    `mismatches     ${report.mismatches}`,
    ...(report.beyondRetention > 0
      ? [
          `not judged     ${report.beyondRetention} submissions, ${report.epochsNotWhole} closed epochs: what decides about them may have expired`,
        ]
      : []),
    ...notes
      .slice(0, NOTES_SHOWN)
      .map(({ where, message }) => `note: ${printable(where, PART_SHOWN)}: ${printable(message, PART_SHOWN)}`),
    ...differences
      .slice(0, DIFFERENCES_SHOWN)
      .map(
        ({ kind, where, message }) =>
          `${KIND_WORDS[kind]}: ${printable(where, PART_SHOWN)}: ${printable(message, PART_SHOWN)}`,
      ),
    ...(differences.length > DIFFERENCES_SHOWN ? ['… (--json has more)'] : []),
    conclusion(report),
  ]
}

const earlyOf = ({ early }: AuditReport): string => (early > 0 ? `, ${early} of them for an epoch to come` : '')

const paidOf = ({ payouts, payments, runsOnChain }: AuditReport): string => {
  if (payouts === 0) return ''
  const asked = runsOnChain === null ? '' : `, ${runsOnChain} runs of them compared with the contract`
  return `, ${payouts} payouts, ${payments} with a payment${asked}`
}
