import type { CampaignReport } from './campaign.ts'

/** Nothing lost, doubled, skipped or different, every epoch anchored, nothing left open but what came before its epoch, and the load was real. */
export function isSound({ audit }: CampaignReport): boolean {
  const { lost, duplicated, skipped, mismatches, pending, early, epochsReleased, epochsAnchored, acknowledged } = audit
  const wrong = lost + duplicated + skipped + mismatches
  return wrong === 0 && pending === early && epochsReleased > 0 && epochsAnchored === epochsReleased && acknowledged > 0
}

export function renderReport(report: CampaignReport): string {
  const { seed, kills, minutes, faults, unexpectedExits, audit } = report
  const { differences, ...counts } = audit
  return [
    `${isSound(report) ? 'sound' : 'NOT SOUND'}: ${kills} kills in ${minutes} minutes, seed ${seed}`,
    ...Object.entries(faults)
      .sort()
      .map(([what, count]) => `  ${`${count}`.padStart(4)} ${what}`),
    `audit: ${Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
    ...differences.slice(0, 20).map(({ kind, where, message }) => `  ${kind} ${where}: ${message}`),
    `${unexpectedExits.length} processes ended by themselves and were started again`,
    ...unexpectedExits.map(({ member, exitCode, stderr }) => `  ${member} (${exitCode}): ${stderr.trim()}`),
    '',
  ].join('\n')
}
