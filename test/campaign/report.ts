import type { CampaignReport } from './campaign.ts'

/**
 * Nothing lost, doubled, skipped or different, every epoch anchored, nothing left open but what came before its epoch, every
 * day paid, some of them in several calls, and the load was real.
 */
export function isSound({ audit, paid: { days, wrong: unpaid } }: CampaignReport): boolean {
  const { lost, duplicated, skipped, mismatches, pending, early, epochsReleased, epochsAnchored, acknowledged } = audit
  const wrong = lost + duplicated + skipped + mismatches
  const isPaid = unpaid.length === 0 && days.length > 1 && days.some(({ calls }) => calls > 1)
  const isAnchored = epochsReleased > 0 && epochsAnchored === epochsReleased
  return wrong === 0 && pending === early && isAnchored && isPaid && acknowledged > 0
}

export function renderReport(report: CampaignReport): string {
  const { seed, kills, minutes, faults, unexpectedExits, audit, paid } = report
  const { differences, notes, ...counts } = audit
  return [
    `${isSound(report) ? 'sound' : 'NOT SOUND'}: ${kills} kills in ${minutes} minutes, seed ${seed}`,
    ...Object.entries(faults)
      .sort()
      .map(([what, count]) => `  ${`${count}`.padStart(4)} ${what}`),
    `audit: ${Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
    ...differences.slice(0, 20).map(({ kind, where, message }) => `  ${kind} ${where}: ${message}`),
    ...notes.map(({ where, message }) => `  note: ${where}: ${message}`),
    `${paid.days.length} days of the contract have ended`,
    ...paid.days.map(
      ({ day, epochs, calls, slots, paid }) =>
        `  day ${day}: ${epochs} epochs, ${calls} calls for ${slots} slots, of which ${paid} are paid`,
    ),
    ...paid.wrong.map((words) => `  ${words}`),
    `${unexpectedExits.length} processes ended by themselves and were started again`,
    ...unexpectedExits.map(({ member, exitCode, stderr }) => `  ${member} (${exitCode}): ${stderr.trim()}`),
    '',
  ].join('\n')
}
