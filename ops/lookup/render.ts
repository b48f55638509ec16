import type { EpochStatus } from './epoch.ts'
import type { WhyAnswer, WhyItem } from './why.ts'

/** Projects printed by name; --json has them all. */
const PROJECTS_SHOWN = 20

/** What the query API does not tell before the close. */
const SECRET = '(secret until the epoch is closed)'

export function renderWhy({ items, truncated }: WhyAnswer): string {
  if (items.length === 0)
    return 'Nothing was received that matches. The intake acknowledged no such submission; check slot, epoch and market.\n'
  const more = truncated ? '… and more; narrow the search with --epoch or --project.\n' : ''
  return `${items.map(renderItem).join('\n')}${more}`
}

function renderItem(item: WhyItem): string {
  const { verdict, batch, position } = item
  const lines = [
    `slot ${item.slotId}, epoch ${item.epochId}, ${item.projectId}`,
    `  submission   ${item.submissionId} -> ${item.snapshotCid ?? SECRET}`,
    `  received     ${item.receivedAt ?? 'no longer in the log'} at submissions[${position.partition}] offset ${position.offset}`,
  ]
  if (!verdict)
    return [...lines, '  verdict      none yet: the submission waits for its block, or its epoch is open', ''].join(
      '\n',
    )
  lines.push(
    `  verdict      ${verdict.reason} by ${verdict.stage} as of block ${verdict.blockNumber}`,
    `  rule         ${verdict.rule}`,
    `  expected     ${verdict.expected ?? SECRET}`,
    `  actual       ${verdict.actual ?? SECRET}`,
    `  means        ${verdict.help}`,
  )
  if (batch)
    lines.push(
      `  batch        ${batch.batchIndex}, ${batch.state}, ${batch.cid || 'no CID yet'}, tx ${batch.transactionHash || 'none yet'}`,
    )
  return [...lines, ''].join('\n')
}

export function renderEpochs(statuses: readonly EpochStatus[]): string {
  return statuses.map(renderEpoch).join('\n')
}

function renderEpoch(status: EpochStatus): string {
  const reasons = Object.entries(status.reasons)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${count} ${reason}`)
  const won = status.projects.filter(({ snapshotCid }) => snapshotCid !== '')
  const end = status.endCall
  const lines = [
    `epoch ${status.epochId} of ${status.dataMarket}: ${status.phase}`,
    `  released     ${status.releaseBlock === null ? 'not seen' : `in block ${status.releaseBlock}, source blocks ${status.begin ?? '?'} to ${status.end ?? '?'}`}`,
    `  closed       ${status.closeBlock === null ? 'not yet' : `by block ${status.closeBlock}`}`,
    `  submissions  ${status.submissions}, of which ${status.verdicts} have a verdict${reasons.length > 0 ? `: ${reasons.join(', ')}` : ''}`,
    `  projects     ${won.length} with a winner, ${status.projects.length - won.length} without`,
    ...won
      .slice(0, PROJECTS_SHOWN)
      .map(({ projectId, snapshotCid, votes, voters }) => `    ${projectId} -> ${snapshotCid} (${votes} of ${voters})`),
    ...(won.length > PROJECTS_SHOWN ? [`    … and ${won.length - PROJECTS_SHOWN} more (--json has them all)`] : []),
    ...status.batches.map(
      (batch) =>
        `  batch ${batch.batchIndex}      ${batch.state}, ${batch.projects} projects, ${batch.submissions} submissions, ${batch.cid || 'no CID yet'}\n` +
        `               tx ${batch.transactionHash || 'none yet'}, ${batch.attestations} attestation(s)${batch.attested ? ', finalized' : ''}${batch.error ? `, error ${batch.error}` : ''}`,
    ),
    ...(end ? [`  end call     ${end.state}, tx ${end.transactionHash || 'none yet'}`] : []),
    `  next         ${status.next}`,
  ]
  return `${lines.join('\n')}\n`
}
