import type { Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { coin, count, duration, percent, plural } from '../../base/words.ts'
import type { RoleHolder } from '../../reading/processes.ts'
import type { EpochReport, MarketReport, RoleReport } from '../../reading/status.ts'
import type { StatusShown } from './source.ts'

const NONE = '-'

export function renderStatus(status: StatusShown): Lines {
  const { at, chain, markets, roles, moreProcesses, signer, submissionsPerMinute } = status
  const rate = submissionsPerMinute === null ? 'no intake is heard of' : `${count(submissionsPerMinute)} a minute`
  return [
    `chain        ${chain === null ? 'no block was read yet' : `block ${chain.blockNumber}, read ${ago(chain.at, at)}`}`,
    `submissions  ${rate}`,
    `signer       ${signerWords(signer, at)}`,
    ...markets.flatMap((market) => ['', ...marketLines(market, at)]),
    '',
    ...columns([['ROLE', 'BEHIND', 'WHO'], ...roles.map((role) => roleCells(role, at))]),
    '',
    ...processLines(status, at),
    ...(moreProcesses > 0 ? [`… and ${moreProcesses} more that there is no room for`] : []),
  ]
}

export const renderEpochs = (epochs: readonly EpochReport[], now: number): Lines =>
  epochs.length === 0
    ? ['No epoch was released yet.']
    : epochTable(epochs, now, new Set(epochs.map((one) => one.dataMarket)).size > 1)

function marketLines({ dataMarket, served, headEpoch, epochs, agreement, toAnchor }: MarketReport, now: number): Lines {
  const facts = [
    served ? 'served' : 'not served any more',
    headEpoch === null ? 'no epoch yet' : `newest epoch ${headEpoch}`,
    ...(agreement === null ? [] : [`support ${percent(agreement)}`]),
    ...(toAnchor === null ? [] : [timesInWords(toAnchor)]),
  ]
  return [
    `data market ${printable(dataMarket)}: ${facts.join(', ')}`,
    ...(epochs.length > 0 ? epochTable(epochs, now, false) : []),
  ]
}

const timesInWords = ({ p50, p95, epochs }: NonNullable<MarketReport['toAnchor']>): string =>
  `release to anchored p50 ${duration(p50 * 1_000)}, p95 ${duration(p95 * 1_000)} (${plural(epochs, 'epoch')})`

function epochTable(epochs: readonly EpochReport[], now: number, withMarket: boolean): Lines {
  const head = [
    'EPOCH',
    'PHASE',
    'OUTCOME',
    'RELEASED',
    'TOOK',
    'RECEIVED',
    'COUNTED',
    'PROJECTS',
    'BATCHES',
    'SUPPORT',
  ]
  const rows = epochs.map((epoch) => [
    String(epoch.epochId),
    epoch.phase,
    epoch.outcome ?? NONE,
    epoch.releasedAt === null ? NONE : ago(epoch.releasedAt, now),
    epoch.releasedAt === null || epoch.finalAt === null ? NONE : duration(epoch.finalAt - epoch.releasedAt),
    cell(epoch.submissions),
    cell(epoch.counted),
    epoch.batches === null ? NONE : projectsOf(epoch),
    cell(epoch.batches),
    epoch.agreement === null ? NONE : percent(epoch.agreement),
    ...(withMarket ? [printable(epoch.dataMarket)] : []),
  ])
  return columns([[...head, ...(withMarket ? ['MARKET'] : [])], ...rows]).map((line) => `  ${line}`)
}

const projectsOf = ({ projects, projectsWithoutQuorum }: EpochReport): string =>
  projectsWithoutQuorum === 0 ? count(projects) : `${count(projects)} of ${count(projects + projectsWithoutQuorum)}`

const cell = (n: number | null): string => (n === null ? NONE : count(n))

function signerWords(
  { address, balanceWei, balanceAt, nonce, pending, inFlight }: StatusShown['signer'],
  now: number,
): string {
  const had =
    balanceWei === null ? [] : [`${coin(balanceWei)} coin${balanceAt === null ? '' : ` ${ago(balanceAt, now)}`}`]
  const facts = [
    ...had,
    nonce === null ? 'no nonce yet' : `nonce ${nonce}`,
    `${plural(pending, 'call')} on the way, ${inFlight} in flight`,
  ]
  return [address === null ? 'no process has said that it sends' : address, ...facts].join(', ')
}

function roleCells({ role, standing, processes, behind }: RoleReport, now: number): string[] {
  const who = processes.map((one) => holderWords(one, now))
  return [
    role,
    behind === null ? '' : count(behind),
    standing === 'NOBODY' ? ['nobody that runs', ...who].join('; ') : who.join('; '),
  ]
}

const HOLDING = {
  RUNS: '',
  STANDS_BY: ' stands by',
  WAITS: ' waits',
  DOWN: ' does not run',
  SILENT: ' is silent',
} as const satisfies Record<RoleHolder['standing'], string>

function holderWords({ instanceId, standing, detail, since }: RoleHolder, now: number): string {
  const name = `${printable(instanceId)}${HOLDING[standing]}`
  if (standing === 'RUNS' || standing === 'STANDS_BY') return name
  const why = standing === 'SILENT' || detail === '' ? '' : `: ${printable(detail)}`
  return `${name} for ${duration(now - since)}${why}`
}

function processLines({ processes }: StatusShown, now: number): Lines {
  if (processes.length === 0) return ['No process has reported: none runs, or all of them are older than this command.']
  return processes.flatMap(({ instanceId, state, heardAt, startedAt, version, roles, host, ops, intake }) => {
    const names = roles.map(({ role }) => printable(role)).join(', ')
    const where = [...(host ? [printable(host)] : []), ...(ops ? [printable(ops)] : [])]
    return [
      `process ${printable(instanceId)} ${printable(version)}: ${stateWords(state, heardAt, now)}, started ${ago(startedAt, now)}`,
      ...(where.length > 0 ? [`  at ${[...where, ...(intake ?? []).map((one) => printable(one))].join(', ')}`] : []),
      `  ${names}`,
    ]
  })
}

function stateWords(state: StatusShown['processes'][number]['state'], heardAt: number, now: number): string {
  if (state === 'RUNNING') return `runs, heard of ${ago(heardAt, now)}`
  if (state === 'SILENT') return `silent: not heard of for ${duration(now - heardAt)}`
  return `its clock is ${duration(heardAt - now)} ahead of ours, so nobody can say whether it runs`
}

const ago = (at: number, now: number): string => `${duration(now - at)} ago`

/** Each as wide as its widest cell; the last one as it comes. */
function columns(rows: readonly (readonly string[])[]): Lines {
  const widths = rows[0]!.map((_, at) => rows.reduce((max, row) => Math.max(max, row[at]!.length), 0))
  return rows.map((row) =>
    row
      .map((text, at) => (at === row.length - 1 ? text : text.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd(),
  )
}
