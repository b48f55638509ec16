/**
 * I12: the ledger is what verdicts and ticks add up to, counted plainly; every day that has ended is told to the contract once; and
 * what the contract holds at the end is the ledger, or the payment says why it is not.
 */
import type { Day, EpochTick, Payment, Payout, PayoutPurpose, SlotDay, VerdictReason } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import { rulesOfMarket } from '../../topology/rules.ts'
import type { Topics } from '../../topology/topics.ts'
import type { PayChain } from './pay-chain.ts'
import { groupBy, readAll } from './reading.ts'
import type { Script } from './script.ts'

export interface DaysRun {
  readonly topics: Topics
  readonly script: Script
  readonly pay: PayChain
}

/** @param ticks those on the chain, in its order @returns what is wrong; undefined when nothing is */
export async function wrongDays(log: Log, run: DaysRun, ticks: readonly EpochTick[]): Promise<string | undefined> {
  const { topics, script, pay } = run
  const ledger = ledgerOf(await votesIn(log, topics), ticks, script)
  const paid = await paidIn(log, topics)
  return (await wrongRows(log, topics, ledger)) ?? wrongRuns(ledger.runs, paid) ?? wrongPayment(paid, script, pay)
}

interface Votes {
  accepted: number
  counted: number
}
type SlotVotes = Map<number, Votes>

const ACCEPTED: readonly VerdictReason[] = ['COUNTED', 'OUTVOTED', 'NO_QUORUM', 'UNANCHORABLE']

/** By market and epoch. */
async function votesIn(log: Log, topics: Topics): Promise<ReadonlyMap<string, SlotVotes>> {
  const votes = new Map<string, SlotVotes>()
  for (const { key, value } of await readAll(log, topics.verdicts)) {
    if (!ACCEPTED.includes(value.reason)) continue
    const epoch = `${key.dataMarket}/${key.epochId}`
    const slots = votes.get(epoch) ?? new Map<number, Votes>()
    votes.set(epoch, slots)
    add(slots, key.slotId, { accepted: 1, counted: value.reason === 'COUNTED' ? 1 : 0 })
  }
  return votes
}

function add(slots: SlotVotes, slotId: number, { accepted, counted }: Votes): void {
  const before = slots.get(slotId)
  slots.set(slotId, { accepted: accepted + (before?.accepted ?? 0), counted: counted + (before?.counted ?? 0) })
}

interface DueDay {
  readonly epochs: number[]
  readonly slots: SlotVotes
  /** What each slot was last to be told. */
  readonly told: Map<number, number>
  quota: number
  closed: number
  late: number
  paidUpTo: number
  ended: boolean
  whole: boolean
}

/** By market, epoch of the CLOSE, day and purpose: what each slot is to be told. */
type Runs = ReadonlyMap<string, ReadonlyMap<number, number>>

interface Ledger {
  /** By market and day. */
  readonly days: ReadonlyMap<string, DueDay>
  readonly runs: Runs
}

const runName = (dataMarket: string, epochId: number, day: number, purpose: PayoutPurpose): string =>
  `${purpose} of day ${day} at epoch ${epochId} of ${dataMarket}`

function ledgerOf(votes: ReadonlyMap<string, SlotVotes>, ticks: readonly EpochTick[], { rules }: Script): Ledger {
  const markets = new Map<string, Map<number, DueDay>>()
  const runs = new Map<string, ReadonlyMap<number, number>>()
  for (const tick of ticks) {
    if (tick.kind !== 'CLOSE') continue
    const { dataMarket, epochId, day, daysEnded } = tick
    const { rewards, payoutEpochs } = rulesOfMarket(rules, dataMarket)
    const days = markets.get(dataMarket) ?? new Map<number, DueDay>()
    markets.set(dataMarket, days)
    const at = days.get(day) ?? newDay()
    days.set(day, at)
    addEpoch(at, tick, votes.get(`${dataMarket}/${epochId}`) ?? new Map())
    for (const [number, one] of days) {
      const isEnding = !one.ended && number <= daysEnded
      if (one !== at && !isEnding) continue
      if (!one.ended) one.whole = isWhole(one, [...days.values()])
      one.ended ||= isEnding
      const isDue = isEnding || (!one.ended && one.closed - one.paidUpTo >= payoutEpochs)
      if (!one.whole || rewards !== 'on' || !isDue) continue
      const purpose = isEnding ? 'CLOSING' : 'COUNTS'
      const due = [...one.slots].filter(
        ([slotId, { counted }]) =>
          counted > 0 && (isEnding || (counted !== one.told.get(slotId) && counted < one.quota)),
      )
      for (const [slotId, { counted }] of due) one.told.set(slotId, counted)
      one.paidUpTo = one.closed
      const counts = new Map(due.map(([slotId, { counted }]) => [slotId, counted]))
      if (due.length > 0) runs.set(runName(dataMarket, epochId, number, purpose), counts)
    }
  }
  const days = [...markets].flatMap(([market, own]) => [...own].map(([day, one]) => [`${market}/${day}`, one] as const))
  return { days: new Map(days), runs }
}

const newDay = (): DueDay => ({
  ...{ epochs: [], slots: new Map(), told: new Map() },
  ...{ quota: 0, closed: 0, late: 0, paidUpTo: 0, ended: false, whole: false },
})

function addEpoch(at: DueDay, { epochId, skippedFrom, dailyQuota }: EpochTick, votes: SlotVotes): void {
  if (at.epochs.every((other) => other < epochId)) at.quota = dailyQuota
  for (let id = skippedFrom > 0 ? skippedFrom : epochId; id <= epochId; id++) at.epochs.push(id)
  at.closed++
  if (at.ended) at.late++
  for (const [slotId, one] of votes) add(at.slots, slotId, one)
}

function isWhole(day: DueDay, all: readonly DueDay[]): boolean {
  const epochs = day.epochs.toSorted((a, b) => a - b)
  const hasGap = epochs.some((id, i) => i > 0 && id !== epochs[i - 1]! + 1)
  const first = epochs[0]!
  return !hasGap && (first === 1 || all.some((other) => other !== day && other.epochs.includes(first - 1)))
}

async function wrongRows(log: Log, topics: Topics, { days }: Ledger): Promise<string | undefined> {
  const slotRows = newest(await readAll(log, topics.slotDays), ({ dataMarket, day, slotId }) =>
    [dataMarket, day, slotId].join('/'),
  )
  const dayRows = newest(await readAll(log, topics.days), ({ dataMarket, day }) => `${dataMarket}/${day}`)
  const found = [
    ...[...slotRows].map(([name, { accepted, counted }]: [string, SlotDay]) => `${name}: ${accepted}, ${counted}`),
    ...[...dayRows].map(([name, row]) => `${name}: ${dayText(row)}`),
  ]
  const due = [...days].flatMap(([name, { slots, ...day }]) => {
    const rows = [...slots.values()]
    const sums = {
      slots: slots.size,
      accepted: rows.reduce((sum, { accepted }) => sum + accepted, 0),
      counted: rows.reduce((sum, { counted }) => sum + counted, 0),
      eligibleSlots: rows.filter(({ counted }) => counted >= day.quota).length,
    }
    return [
      `${name}: ${dayText({ ...day, ...sums })}`,
      ...[...slots].map(([slotId, { accepted, counted }]) => `${name}/${slotId}: ${accepted}, ${counted}`),
    ]
  })
  const [lacking] = due.filter((text) => !found.includes(text))
  const [extra] = found.filter((text) => !due.includes(text))
  if (lacking === undefined && extra === undefined) return undefined
  return `the ledger has "${extra ?? 'nothing'}", and adds up to "${lacking ?? 'nothing'}"`
}

type DayText = Pick<
  Day,
  'ended' | 'whole' | 'quota' | 'closed' | 'late' | 'slots' | 'accepted' | 'counted' | 'eligibleSlots'
>
const dayText = ({ ended, whole, quota, closed, late, slots, accepted, counted, eligibleSlots }: DayText): string =>
  `${ended ? 'ended' : 'open'}, ${whole ? '' : 'not '}whole, quota ${quota}, ${closed} epochs, ${late} late, ${slots} slots, ${accepted} accepted, ${counted} counted, ${eligibleSlots} eligible`

const newest = <K, V>(rows: readonly { readonly key: K; readonly value: V }[], nameOf: (key: K) => string) =>
  new Map(rows.map(({ key, value }) => [nameOf(key), value]))

interface Paid {
  readonly dataMarket: string
  readonly payout: Payout
  /** The newest row. */
  readonly payment: Payment | undefined
}

/** In the order of payouts. */
export async function paidIn(log: Log, topics: Topics): Promise<readonly Paid[]> {
  const nameOf = (key: { readonly dataMarket: string; readonly epochId: number; readonly number: number }) =>
    [key.dataMarket, key.epochId, key.number].join('/')
  const payments = newest(await readAll(log, topics.payments), nameOf)
  return (await readAll(log, topics.payouts)).map(({ key: { dataMarket }, value: payout }) => {
    const payment = payments.get(nameOf({ dataMarket, ...payout }))
    return { dataMarket, payout, payment }
  })
}

/** Every slot is in one payout of its run, with the count that it is to be told. */
function wrongRuns(due: Runs, paid: readonly Paid[]): string | undefined {
  const found = groupBy(paid, ({ dataMarket, payout: { epochId, payoutOf, purpose } }) =>
    runName(dataMarket, epochId, payoutOf, purpose),
  )
  const textOf = (slots: Iterable<readonly [number, number]>): string =>
    [...slots].map(([slotId, count]) => `${slotId}: ${count}`).join(', ')
  for (const name of new Set([...due.keys(), ...found.keys()])) {
    const run = found.get(name) ?? []
    const parts = run.map(({ payout }) => `${payout.part} of ${payout.parts}`).join()
    if (parts !== run.map((_, i) => `${i} of ${run.length}`).join()) return `${name} has the parts ${parts}`
    const slots = run.flatMap(({ payout }) => payout.slotIds.map((id, i) => [id, payout.submissions[i]!] as const))
    const expected = textOf([...(due.get(name) ?? [])].sort(([a], [b]) => a - b))
    if (textOf(slots) !== expected) return `${name} tells ${textOf(slots)}, and is to tell ${expected}`
  }
  return undefined
}

function wrongPayment(paid: readonly Paid[], script: Script, pay: PayChain): string | undefined {
  const last = new Map<string, Paid>()
  for (const one of paid) {
    const { dataMarket, payout } = one
    const wrong = wrongEnd(one, pay) ?? wrongReason(one, script, pay) ?? wrongWords(one, pay)
    if (wrong) return `payout ${runName(dataMarket, payout.epochId, payout.payoutOf, payout.purpose)}: ${wrong}`
    for (const slotId of payout.slotIds) last.set(`${dataMarket}/${payout.payoutOf}/${slotId}`, one)
  }
  for (const [name, one] of last) {
    const slotId = Number(name.split('/')[2])
    const wrong = one.payment?.paymentState === 'FINAL' ? wrongSlot(slotId, one, script, pay) : undefined
    if (wrong) return `slot ${slotId} of day ${one.payout.payoutOf}: ${wrong}`
  }
  return wrongNumber(paid, script, pay)
}

function wrongEnd({ payout, payment }: Paid, { days }: PayChain): string | undefined {
  const { paymentState, error } = payment ?? { paymentState: 'UNKNOWN', error: '' }
  if (paymentState === 'FINAL') return undefined
  if (paymentState === 'SUPERSEDED' && payout.purpose === 'COUNTS') return undefined
  const isOver = days.settledDay() > payout.payoutOf + 1
  if (paymentState === 'UNPAID' && error === 'E38' && isOver) return undefined
  return `it is ${paymentState} (${error}) in day ${days.now().dayCounter} of the contract`
}

/** Whether an owner changes the quota in the run. */
const isQuotaMoving = ({ dayWords }: Script, { hasNewQuota }: PayChain): boolean =>
  hasNewQuota || [...dayWords.changes.values()].some(({ quota }) => quota !== undefined)

/** Slots are left out only for what has happened. */
function wrongReason({ dataMarket, payout, payment }: Paid, script: Script, pay: PayChain): string | undefined {
  const hasRival = pay.hasRivalIn(dataMarket, payout.payoutOf)
  const isClosed = pay.rewards(dataMarket, payout.payoutOf).eligibleNodes > 0
  const isMoving = isQuotaMoving(script, pay)
  for (const { slotId, counted, onChain, reason } of payment?.leftOut ?? []) {
    const mayBe: { readonly [R in typeof reason]?: boolean } = {
      UNAVAILABLE: pay.days.now().burned.has(slotId),
      HIGHER_ON_CHAIN: hasRival && onChain > counted,
      PAID_OTHERWISE: hasRival && onChain !== counted,
      MARKED_UNPAID: hasRival,
      NONE_REMAINING: hasRival || isMoving,
      QUOTA_LOWERED: isMoving,
      QUOTA_RAISED: isMoving,
      DAY_CLOSED: payout.purpose === 'COUNTS' && (isClosed || pay.met.lost > 0),
      DAY_OVER: payment!.paymentState === 'UNPAID',
      UNKNOWN: hasRival,
    }
    if (!mayBe[reason])
      return `slot ${slotId} is left out as ${reason}, with ${onChain} on the chain and ${counted} here`
  }
  return undefined
}

/** Who is told as paid can claim it, and the number is the contract's. */
function wrongWords({ dataMarket, payout, payment }: Paid, pay: PayChain): string | undefined {
  const { purpose, payoutOf, slotIds, submissions } = payout
  if (purpose !== 'CLOSING' || !payment) return undefined
  const { paymentState, leftOut, paidBefore, paid, quota, eligibleNodes: told } = payment
  const { credited, eligibleNodes } = pay.rewards(dataMarket, payoutOf)
  const isByCall = (at: number): boolean => paymentState === 'FINAL' && quota > 0 && submissions[at]! >= quota
  const isLeftOut = (slotId: number): boolean => leftOut.some((one) => one.slotId === slotId)
  const toldPaid = slotIds.filter((slotId, at) => !isLeftOut(slotId) && (paidBefore.includes(slotId) || isByCall(at)))
  const inVain = toldPaid.find((slotId) => !credited.has(slotId))
  if (inVain !== undefined) return `slot ${inVain} is told as paid, and gets nothing`
  const belied = leftOut.find(({ slotId, reason }) => reason === 'MARKED_UNPAID' && credited.has(slotId))
  if (belied) return `slot ${belied.slotId} is told as marked in vain, and is paid`
  const all = slotIds.filter((slotId) => credited.has(slotId)).length
  if (paid > all) return `${paid} slots are told as paid, and ${all} can claim it`
  if (paymentState === 'FINAL' && told > 0 && told !== eligibleNodes)
    return `${told} eligible nodes are told, and the contract has ${eligibleNodes}`
  return undefined
}

/** What was told last of a slot is there, and it is paid when it has earned that. */
function wrongSlot(slotId: number, { dataMarket, payout, payment }: Paid, script: Script, pay: PayChain) {
  if (payment!.leftOut.some((one) => one.slotId === slotId)) return undefined
  const { counts, paid, credited } = pay.rewards(dataMarket, payout.payoutOf)
  const counted = payout.submissions[payout.slotIds.indexOf(slotId)]!
  const hasRival = pay.hasRivalIn(dataMarket, payout.payoutOf)
  if (!hasRival && counts.get(slotId) !== counted)
    return `the contract has ${counts.get(slotId)}, and was told ${counted}`
  const hasEarned = payout.purpose === 'CLOSING' && counted >= payout.quota
  if (hasEarned && !credited.has(slotId))
    return `it has earned the day with ${counted}, and nothing says why it is not paid`
  if (isQuotaMoving(script, pay) || payout.purpose === 'COUNTS') return undefined
  const isEarned = counted >= script.dayWords.first.quota
  if (isEarned && !paid.has(slotId)) return `it has ${counted}, and is not paid`
  if (!isEarned && !hasRival && paid.has(slotId)) return `it has ${counted}, and is paid`
  return undefined
}

/** A day that nothing came across is paid to its end: as many as the number says. */
function wrongNumber(paid: readonly Paid[], script: Script, pay: PayChain): string | undefined {
  const closings = paid.filter(({ payout }) => payout.purpose === 'CLOSING')
  const days = groupBy(closings, ({ dataMarket, payout }) => `${dataMarket}/${payout.payoutOf}`)
  for (const [name, run] of days) {
    const [{ dataMarket, payout }] = run as [Paid]
    const isAlone = !pay.hasRivalIn(dataMarket, payout.payoutOf) && pay.days.now().burned.size === 0
    if (!isAlone || run.some(({ payment }) => payment!.paymentState !== 'FINAL')) continue
    const { eligibleNodes, remaining } = pay.rewards(dataMarket, payout.payoutOf)
    const isRaised = run.some(({ payment }) => payment!.leftOut.some(({ reason }) => reason === 'QUOTA_RAISED'))
    if (remaining > 0 && !isRaised)
      return `day ${name} was closed for ${eligibleNodes} slots, and ${remaining} are left for nobody`
    if (isQuotaMoving(script, pay)) continue
    const earned = run.flatMap((one) => one.payout.submissions).filter((count) => count >= script.dayWords.first.quota)
    if (eligibleNodes !== earned.length || remaining !== 0)
      return `day ${name} was closed for ${eligibleNodes} slots, of which ${remaining} are left; ${earned.length} have earned it`
  }
  return undefined
}

/** What becomes of days in these runs. */
export const DAY_WORDS = [
  'days that ended',
  'days that are not whole',
  'epochs whose day or quota left the chain',
  'closings in several calls',
  'closings that came too late',
  'counts that came when the day was closed',
  'slots that somebody has marked in vain',
  'slots that were not available',
  'quotas that were changed in the midst',
  'calls of another sequencer',
  'calls that were refused',
  'calls that the chain lost',
  'calls of a day that the counter was put back behind',
  'calls that waited for a quota',
] as const

/** So rare that no number of seeds is known to meet them; the tests of the clock, of the payer and of its connector do. */
export const RARE_DAY_WORDS: readonly string[] = [
  'epochs whose day or quota left the chain',
  'calls that were refused',
  'calls of a day that the counter was put back behind',
]

/** How often each was met. @param ticks all of them, those of blocks that left the chain too */
export async function daysMet(
  log: Log,
  { topics, pay }: DaysRun,
  ticks: readonly EpochTick[],
): Promise<Record<(typeof DAY_WORDS)[number], number>> {
  const days = newest(await readAll(log, topics.days), ({ dataMarket, day }) => `${dataMarket}/${day}`)
  const paid = await paidIn(log, topics)
  const closings = paid.filter(({ payout }) => payout.purpose === 'CLOSING')
  const reasons = paid.flatMap(({ payment }) => payment?.leftOut.map(({ reason }) => reason) ?? [])
  const opens = groupBy(
    ticks.filter(({ kind }) => kind === 'OPEN'),
    ({ dataMarket, epochId }) => `${dataMarket}/${epochId}`,
  )
  const saidOf = (one: readonly EpochTick[]) => new Set(one.map(({ day, dailyQuota }) => `${day} ${dailyQuota}`))
  return {
    'days that ended': [...days.values()].filter(({ ended }) => ended).length,
    'days that are not whole': [...days.values()].filter(({ whole }) => !whole).length,
    'epochs whose day or quota left the chain': [...opens.values()].filter((one) => saidOf(one).size > 1).length,
    'closings in several calls': closings.filter(({ payout }) => payout.part === 1).length,
    'closings that came too late': closings.filter(({ payment }) => payment?.paymentState === 'UNPAID').length,
    'counts that came when the day was closed': reasons.filter((reason) => reason === 'DAY_CLOSED').length,
    'slots that somebody has marked in vain': reasons.filter((reason) => reason === 'MARKED_UNPAID').length,
    'slots that were not available': reasons.filter((reason) => reason === 'UNAVAILABLE').length,
    'quotas that were changed in the midst': reasons.filter((reason) => reason.startsWith('QUOTA_')).length,
    'calls of another sequencer': pay.met.rival,
    'calls that were refused': pay.met.races,
    'calls that the chain lost': pay.met.lost,
    'calls of a day that the counter was put back behind': pay.met.ahead,
    'calls that waited for a quota': pay.met.waited,
  }
}
