import type { Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import type { DayStatus, RunStatus, SlotDayStatus } from '../../reading/day.ts'
import { type DayReport, driftOf } from './reconcile.ts'

/** Printed by number; --json has all of them. */
const DAYS_SHOWN = 7
const DRIFT_SHOWN = 20

const NEXT: Readonly<Record<DayStatus['standing'], string>> = {
  COUNTING: 'it goes on, or not all of its epochs have closed',
  COUNTED: 'nothing is sent: the market’s rule `rewards` says so, or nobody has a count',
  NOT_WHOLE:
    'nothing is sent, since the ledger lacks a part of the day: the log, the market or the rule began within it',
  CLOSING: 'the calls that close it are on their way',
  CLOSED: 'done',
  UNPAID: 'a call can never be sent; the error says why, docs/runbook.md (DayUnpaid) what to do',
}

export function renderDays(days: readonly DayStatus[]): Lines {
  if (days.length === 0)
    return ['No day is known: the contract counts none, the rule `rewards` is off, or no epoch has closed yet.']
  const more = days.length - DAYS_SHOWN
  const lines = days.slice(0, DAYS_SHOWN).flatMap((day, at) => [...(at > 0 ? [''] : []), ...dayLines(day)])
  return [...lines, ...(more > 0 ? ['', `… and ${more} more (--json has them all)`] : [])]
}

function dayLines(day: DayStatus): Lines {
  const { standing, firstEpoch, lastEpoch, epochs, late, quota, slots, eligibleSlots, accepted, counted } = day
  const range = firstEpoch === null ? 'none yet' : `${firstEpoch} to ${lastEpoch}, ${epochs} counted`
  return [
    `day ${day.day} of ${day.dataMarket}: ${standing}`,
    `  epochs       ${range}${late > 0 ? `, ${late} of them closed after the day` : ''}`,
    `  quota        ${quota}; ${eligibleSlots} of ${slots} slots have it`,
    `  submissions  ${counted} counted of ${accepted} accepted`,
    `  told         ${runWords(day.told)}`,
    `  closing      ${runWords(day.closing)}`,
    ...(day.closing ? [`  paid         ${paidWords(day.paid, day.closing)}`] : []),
    `  drift        ${day.drift} slots`,
    ...errorLines(day.closing ?? day.told),
    `  next         ${NEXT[standing]}`,
  ]
}

function paidWords(paid: number | null, { eligibleNodes, paidBefore }: RunStatus): string {
  const all = paid ?? 'not known any more'
  if (paidBefore === 0) return `${all} of ${eligibleNodes} eligible nodes`
  return `${all}, of them ${paidBefore} before our call: mostly by another sequencer of the market`
}

function runWords(run: RunStatus | null): string {
  if (!run) return 'nothing yet'
  const states = Object.entries(run.states).map(([state, calls]) => `${calls} ${state}`)
  const left = Object.entries(run.leftOut).map(([reason, slots]) => `${slots} left out (${reason})`)
  const had = run.present > 0 ? [`${run.present} there already`] : []
  return [
    `as of epoch ${run.epochId}`,
    `calls ${states.join(' ')}`,
    `${run.sent} of ${run.slots} slots sent`,
    ...had,
    ...left,
  ].join(', ')
}

const errorLines = (run: RunStatus | null): Lines => (run?.error ? [`  error        ${printable(run.error)}`] : [])

export function renderSlot(slotId: number, days: readonly SlotDayStatus[]): Lines {
  if (days.length === 0) return [`Slot ${slotId} has nothing in the days that are kept.`]
  return days.map((slot) => {
    const { day, dataMarket, standing, counted, quota, accepted, told, leftOut, transactionHash } = slot
    const why = leftOut ? `, ${leftOut.reason}, the contract had ${leftOut.onChain}` : ''
    const call = transactionHash === '' ? '' : `, tx ${printable(transactionHash)}`
    return `day ${day} of ${dataMarket}  ${standing.padEnd(9)}  ${counted} of ${quota} counted, ${accepted} accepted, told ${told}${why}${call}`
  })
}

export function renderReports(reports: readonly DayReport[]): Lines {
  if (reports.length === 0) return ['No day is known, so there is nothing to compare.']
  const total = reports.reduce((sum, report) => sum + driftOf(report), 0)
  return [...reports.flatMap(reportLines), '', `drift ${total}`]
}

function numberLines({ otherNumber, numberFound, paid, eligibleNodes: { onChain, told } }: DayReport): Lines {
  if (!otherNumber) return []
  if (numberFound)
    return [`  OTHER_NUMBER: somebody else has told the contract ${onChain} eligible nodes, and ${paid} are paid`]
  return [`  eligible nodes: the contract has ${onChain}, and was told ${told}`]
}

function markedLines({ markedUnpaid: { slots, first, amount } }: DayReport): Lines {
  if (slots === 0) return []
  const more = slots > first.length ? ', …' : ''
  return [
    `  MARKED_UNPAID: ${slots} slots (${first.join(', ')}${more}) are marked as paid, and get nothing of ${amount}: somebody has told them without a number of eligible nodes`,
  ]
}

function reportLines(report: DayReport): Lines {
  const { day, dataMarket, standing, block, slots, eligibleNodes, paid, explained, drift } = report
  const more = drift.length - DRIFT_SHOWN
  return [
    `day ${day} of ${dataMarket}: ${standing}, as of block ${block}: ${slots} slots, ${paid} paid of ${eligibleNodes.onChain} eligible nodes, drift ${driftOf(report)}`,
    ...(explained > 0
      ? [`  ${explained} slots are not told yet or are burned, or the ledger lacks a part of the day`]
      : []),
    ...numberLines(report),
    ...markedLines(report),
    ...drift
      .slice(0, DRIFT_SHOWN)
      .map(
        ({ slotId, kind, counted, onChain, paid: isPaid }) =>
          `  slot ${slotId}: ${kind}, ledger ${counted}, contract ${onChain}${isPaid ? ', paid' : ''}`,
      ),
    ...(more > 0 ? [`  … and ${more} more (--json has them all)`] : []),
  ]
}
