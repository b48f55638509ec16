import type { Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import type { MarketStatus } from '../../reading/market-status.ts'
import type { ChangeReport } from './change.ts'

export const renderMarkets = (statuses: readonly MarketStatus[]): Lines =>
  statuses.map((status) => `${printable(status.dataMarket)}  ${stateOf(status)}`)

function stateOf(status: MarketStatus): string {
  const { served, configured, sinceBlock, pending, refused, newestEpoch, unfinished } = status
  const parts = [
    served ? `served, ${sinceBlock === null ? 'as configured' : `added at block ${sinceBlock}`}` : notServed(),
  ]
  if (configured && served && sinceBlock !== null) parts.push('configured too')
  if (newestEpoch !== null) parts.push(`newest epoch ${newestEpoch}`)
  if (!served && unfinished.length > 0) parts.push(`still finishing: ${epochs(unfinished)}`)
  if (pending !== null) parts.push(`${pending} is pending: the clock has not taken it yet`)
  if (refused !== null) parts.push(`refused: ${printable(refused)}`)
  return parts.join(' · ')

  function notServed(): string {
    return sinceBlock === null
      ? 'not served'
      : `removed at block ${sinceBlock}${configured ? ', though configured' : ''}`
  }
}

export const renderChange = (report: ChangeReport): Lines => [
  `${printable(report.dataMarket)} ${sentence(report)}`,
  ...(report.reason && report.outcome !== 'refused' ? [`  ${printable(report.reason)}`] : []),
]

function sentence({ action, outcome, sinceBlock, firstEpoch, finishing, reason }: ChangeReport): string {
  const adding = action === 'add'
  const finish = finishing.length > 0 ? `; still finishing: ${epochs(finishing)}` : ''
  const begin = firstEpoch === null ? 'the next epoch that the contract releases' : `epoch ${firstEpoch}`
  const since = sinceBlock === null ? '' : ` since block ${sinceBlock}`
  switch (outcome) {
    case 'already':
      return adding ? `is served already${since}` : `is not served${since}${finish}`
    case 'would':
      return adding ? 'would be added' : `would be removed${finish}`
    case 'refused':
      return `was refused: ${printable(reason ?? '')}`
    case 'done':
      return adding
        ? `is served from block ${sinceBlock} on; it begins with ${begin}`
        : `is no longer served from block ${sinceBlock} on${finish}`
    case 'unread':
      return `is to be ${adding ? 'added' : 'removed'}: that is written, and no clock can read it yet`
    case 'pending':
      return `is asked to be ${adding ? 'added' : 'removed'}; the clock takes it with the next block that it reads. See \`sequencer markets list\``
  }
}

const epochs = (ids: readonly number[]): string => `epoch${ids.length === 1 ? '' : 's'} ${ids.join(', ')}`
