/** What must hold of days on a chain, whatever happened to the processes: asked from outside, by commands and by the chain's events. */
import { JsonRpcProvider } from 'ethers'
import type { DayReport } from '../../ops/look/rewards/reconcile.ts'
import type { DayStatus } from '../../ops/reading/day.ts'
import { devProtocolState } from '../../ops/world/chain/contracts/dev-contract.ts'
import { runSequencer } from './run-sequencer.ts'

/** A day that has ended. */
export interface PaidDay {
  readonly day: number
  readonly epochs: number
  /** Calls that closed it. */
  readonly calls: number
  readonly slots: number
  /** Slots that the contract has paid. */
  readonly paid: number
}

export interface PaidDays {
  readonly days: readonly PaidDay[]
  /** In words; none when every day is paid as it should be. */
  readonly wrong: readonly string[]
}

/**
 * Every day that has ended must be whole and closed (the newest of them may still be on its way), the contract must have the
 * counts of the ledger and no others, and by its events it has paid each slot that has earned the day once.
 * @param paidByEvents by day the slots, as often as the contract says that it has paid each
 * @param where options that name the log of a single market
 */
export async function paidDays(
  paidByEvents: ReadonlyMap<number, readonly number[]>,
  ...where: readonly string[]
): Promise<PaidDays> {
  const ended = (await daysOf(...where)).filter((day) => day.ended)
  if (ended.at(-1)?.standing === 'CLOSING') ended.pop()
  const days: PaidDay[] = []
  const wrong: string[] = []
  for (const [i, status] of ended.entries()) {
    const { day, epochs, closing } = status
    const { reports } = await asked<{ reports: DayReport[] }>('rewards', '--reconcile', '--day', `${day}`, ...where)
    const slots = paidByEvents.get(day) ?? []
    const faults = [...faultsOf(status, reports, slots), ...(day === i + 1 ? [] : ['the day before is missing'])]
    wrong.push(...faults.map((fault) => `day ${day}: ${fault}`))
    days.push({ day, epochs, calls: closing?.parts ?? 0, slots: closing?.slots ?? 0, paid: reports[0]?.paid ?? 0 })
  }
  return { days, wrong }
}

function faultsOf(
  { standing, whole, drift, counted, closing }: DayStatus,
  reports: readonly DayReport[],
  slots: readonly number[],
): string[] {
  const [report, ...others] = reports
  if (!report || others.length > 0) return [`${reports.length} days are compared with the contract`]
  const { told, onChain } = report.eligibleNodes
  const faults: readonly (readonly [isWrong: boolean, words: string])[] = [
    [
      !whole || standing !== (counted > 0 ? 'CLOSED' : 'COUNTED'),
      `${standing}, ${whole ? 'whole' : 'not whole'}: ${closing?.error ?? 'no call'}`,
    ],
    [drift > 0, `${drift} slots have another count or are unpaid: ${JSON.stringify(closing?.leftOut)}`],
    [report.drift.length + report.explained > 0, `the contract differs: ${JSON.stringify(report)}`],
    [told !== onChain || told !== report.paid, `${told} slots told, ${onChain} known, ${report.paid} paid`],
    [slots.length !== report.paid, `${report.paid} slots are paid, and the chain tells of ${slots.length} payments`],
    [new Set(slots).size !== slots.length, `the chain tells of payments to ${slots.join(', ')}`],
  ]
  return faults.filter(([isWrong]) => isWrong).map(([, words]) => words)
}

/** Oldest first. */
export async function daysOf(...where: readonly string[]): Promise<readonly DayStatus[]> {
  const { items } = await asked<{ items: DayStatus[] }>('rewards', ...where)
  return items.sort((a, b) => a.day - b.day)
}

/** As `paidDays` wants them. */
export async function paymentsTold(rpcUrl: string): Promise<ReadonlyMap<number, readonly number[]>> {
  const contract = devProtocolState().interface
  const provider = new JsonRpcProvider(rpcUrl)
  try {
    const { topicHash } = contract.getEvent('RewardsDistributedEvent')!
    const paid = new Map<number, number[]>()
    for (const log of await provider.getLogs({ topics: [topicHash], fromBlock: 0 })) {
      const { slotId, dayId } = contract.parseLog(log)!.args
      paid.set(Number(dayId), [...(paid.get(Number(dayId)) ?? []), Number(slotId)])
    }
    return paid
  } finally {
    provider.destroy()
  }
}

/** Exit code 1 says that the contract has something else, which the answer says too. */
async function asked<T>(...args: readonly string[]): Promise<T> {
  const { stdout, stderr } = await runSequencer([...args, '--json'])
  if (stdout === '') throw new Error(`${args.join(' ')} said nothing:\n${stderr}`)
  return JSON.parse(stdout) as T
}
