import type { Lines } from '../base/output.ts'
import { printable } from '../base/printable.ts'
import { plural } from '../base/words.ts'
import type { BatchStatus, EpochStatus } from '../reading/epoch.ts'
import type { WhyAnswer, WhyItem } from '../reading/why.ts'

/** Projects printed by name; --json has them all. */
const PROJECTS_SHOWN = 20

/** Stands for values that the query API does not tell before the close. */
const SECRET = '(secret until the epoch is closed)'
const shown = (text: string | null): string => (text === null ? SECRET : printable(text))

/** @param unread why that is not all */
export function renderWhy({ items, truncated }: WhyAnswer, unread?: string): Lines {
  if (items.length === 0 && unread !== undefined) return ['Nothing matches among what can be read.']
  if (items.length === 0)
    return [
      'Nothing was received that matches. The intake acknowledged no such submission; check slot, epoch and market.',
      'A message that an intake could not read (MALFORMED, OVERSIZE) has no slot: `sequencer dead-letters list --topic intake` has it.',
    ]
  const more = truncated ? ['… and more; narrow the search with --epoch or --project.'] : []
  return [...items.flatMap((item, at) => [...(at > 0 ? [''] : []), ...itemLines(item)]), ...more]
}

function itemLines(item: WhyItem): Lines {
  const { verdict, batch, position } = item
  const received = [
    `slot ${item.slotId}, epoch ${item.epochId}, ${printable(item.projectId)}`,
    `  submission   ${printable(item.submissionId)} -> ${shown(item.snapshotCid)}`,
    `  received     ${item.receivedAt ?? 'no longer in the log'} at submissions[${position.partition}] offset ${position.offset}`,
  ]
  if (!verdict)
    return [...received, '  verdict      none yet: the submission waits for its block, or its epoch is open']
  return [
    ...received,
    `  verdict      ${verdict.reason} by ${verdict.stage} as of block ${verdict.blockNumber}`,
    `  rule         ${printable(verdict.rule)}`,
    ...comparedLines(verdict),
    `  means        ${verdict.help}`,
    ...(batch ? [batchLine(batch)] : []),
  ]
}

const batchLine = ({ batchIndex, state, cid, transactionHash }: NonNullable<WhyItem['batch']>): string =>
  `  batch        ${batchIndex}, ${state}, ${printable(cid) || 'no CID yet'}, tx ${printable(transactionHash) || 'none yet'}`

/** A value that is as expected is told once; two secret ones are not said to be alike. */
const comparedLines = ({ expected, actual }: NonNullable<WhyItem['verdict']>): Lines =>
  actual !== null && expected === actual
    ? [`  found        ${printable(actual)}, as expected`]
    : [`  expected     ${shown(expected)}`, `  actual       ${shown(actual)}`]

function releaseWords(status: EpochStatus): string {
  const { releaseBlock, earlierReleaseBlock, skippedInBlock, refused, begin, end } = status
  const earlier =
    earlierReleaseBlock === null ? '' : `; before that in block ${earlierReleaseBlock}, which left the chain`
  if (releaseBlock !== null) return `in block ${releaseBlock}, source blocks ${begin ?? '?'} to ${end ?? '?'}${earlier}`
  if (skippedInBlock === null)
    return printable(refused) || `${earlierReleaseBlock === null ? 'not seen' : 'none'}${earlier}`
  return `never: skipped by the market’s owner at block ${skippedInBlock}${earlier}`
}

const closeWords = ({ closeBlock, phase }: EpochStatus): string => {
  if (closeBlock !== null) return `by block ${closeBlock}`
  return phase === 'SKIPPED' || phase === 'REFUSED' ? 'never' : 'not yet'
}

export const renderEpochs = (statuses: readonly EpochStatus[]): Lines =>
  statuses.flatMap((status, at) => [...(at > 0 ? [''] : []), ...epochLines(status)])

function epochLines(status: EpochStatus): Lines {
  const reasons = Object.entries(status.reasons)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${count} ${reason}`)
  const won = status.projects.filter(({ snapshotCid }) => snapshotCid !== '')
  const end = status.endCall
  return [
    `epoch ${status.epochId} of ${status.dataMarket}: ${status.phase}${status.outcome === null ? '' : `, ${status.outcome}`}`,
    `  released     ${releaseWords(status)}`,
    `  closed       ${closeWords(status)}`,
    `  submissions  ${status.submissions}, of which ${status.verdicts} have a verdict${reasons.length > 0 ? `: ${reasons.join(', ')}` : ''}`,
    `  projects     ${won.length} with a winner, ${status.projects.length - won.length} without`,
    ...projectLines(won),
    ...status.batches.flatMap(batchLines),
    ...(end ? [`  end call     ${end.state}, tx ${end.transactionHash || 'none yet'}`] : []),
    `  next         ${status.next}`,
  ]
}

const projectLines = (won: EpochStatus['projects']): Lines => [
  ...won
    .slice(0, PROJECTS_SHOWN)
    .map(
      ({ projectId, snapshotCid, votes, voters }) =>
        `    ${printable(projectId)} -> ${printable(snapshotCid)} (${votes} of ${voters})`,
    ),
  ...(won.length > PROJECTS_SHOWN ? [`    … and ${won.length - PROJECTS_SHOWN} more (--json has them all)`] : []),
]

const batchLines = (batch: BatchStatus): Lines => [
  `  batch ${batch.batchIndex}      ${batch.state}, ${plural(batch.projects, 'project')}, ${plural(batch.submissions, 'submission')}, ${printable(batch.cid) || 'no CID yet'}`,
  `               tx ${printable(batch.transactionHash) || 'none yet'}, ${plural(batch.attestations, 'attestation')}${batch.attested ? ', attested' : ''}${batch.error ? `, error ${printable(batch.error)}` : ''}`,
]
