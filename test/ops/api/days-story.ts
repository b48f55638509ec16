/** Days of a market as the ledger and the payer write them, made by hand with the pure parts of the ledger. */

import type { Day, EpochTick, Payment, PayoutPurpose, SlotDay } from '../../../schemas/types.ts'
import type { KafkaTopic } from '../../../streams/kafka-topic.ts'
import { partitionFor } from '../../../streams/partitioner.ts'
import { isWhole, slotWith, withEpoch, withSlot } from '../../../topology/ledger/day.ts'
import { payoutsOf } from '../../../topology/ledger/payouts.ts'
import type { Votes } from '../../../topology/shared/tally.ts'
import { type Fixture, HASH, MARKET, tickOf } from '../look/fixture.ts'

export const QUOTA = 4
/** So little that two slots are in one call. */
const PAYOUT_GAS_MAX = 500_000

/** Slot → what it did. */
export type Counts = Readonly<Record<number, Votes>>
export const votes = (accepted: number, counted = accepted): Votes => ({ accepted, counted })

export interface DaysStory {
  open(epochId: number, day: number, quota?: number): Promise<void>
  /** @param daysEnded as the CLOSE says; a day that ends is closed by payouts unless `counts` */
  close(epochId: number, day: number, counts: Counts, daysEnded?: number, rule?: 'counts' | 'on'): Promise<void>
  epoch(epochId: number, day: number, counts: Counts, daysEnded?: number, rule?: 'counts' | 'on'): Promise<void>
  /** Tells of the counts that have changed. */
  tell(day: number, epochId: number): Promise<void>
  pay(day: number, epochId: number, number: number, fields: Partial<Payment>): Promise<void>
  forget(day: number): Promise<void>
  day(day: number): Day
}

export function createDays({ log, topics, put }: Fixture, dataMarket = MARKET, withTicks = true): DaysStory {
  const days = new Map<number, Day>()
  const slots = new Map<number, Map<number, SlotDay>>()
  const offsets = new Map<
    string,
    { offset: number; slots: number; part: number; parts: number; purpose: PayoutPurpose }
  >()
  const tick = (kind: EpochTick['kind'], epochId: number, day: number, fields: Partial<EpochTick> = {}) => {
    const block = epochId * 10 + (kind === 'CLOSE' ? 5 : 0)
    const blocks = {
      blockNumber: block,
      releaseBlock: epochId * 10,
      blockHash: `${HASH.slice(0, -8)}${String(block).padStart(8, '0')}`,
    }
    return tickOf({ kind, dataMarket, epochId, ...blocks, day, dailyQuota: QUOTA, ...fields })
  }
  const write = async (day: number): Promise<void> => {
    await put(topics.days, { dataMarket, day }, days.get(day)!)
  }
  const run = async (day: number, epochId: number, purpose: PayoutPurpose): Promise<void> => {
    const rows = slots.get(day) ?? new Map<number, SlotDay>()
    const at = { day, epochId, closeBlock: epochId * 10 + 5, purpose, number: 0 }
    const written = payoutsOf(at, rows, { payoutGasMax: PAYOUT_GAS_MAX })
    for (const payout of written) {
      const { number, part, parts, slotIds, submissions } = payout
      const { offset } = await put(topics.payouts, { dataMarket }, payout)
      offsets.set(`${day}/${epochId}/${number}`, { offset, slots: slotIds.length, part, parts, purpose })
      for (const [i, slotId] of slotIds.entries()) {
        const row = { ...rows.get(slotId)!, inPayout: submissions[i]! }
        rows.set(slotId, row)
        await put(topics.slotDays, { dataMarket, slotId, day }, row)
      }
    }
    const before = days.get(day)!
    days.set(day, { ...before, payouts: before.payouts + written.length, paidUpTo: before.closed })
  }

  const story: DaysStory = {
    async open(epochId, day, quota = QUOTA) {
      if (withTicks) await put(topics.epochTicks, { dataMarket }, tick('OPEN', epochId, day, { dailyQuota: quota }))
    },
    async close(epochId, day, counts, daysEnded = 0, rule = 'on') {
      const closing = tick('CLOSE', epochId, day, { daysEnded })
      if (withTicks) await put(topics.epochTicks, { dataMarket }, closing)
      const listed = (what: (of: Votes) => number) =>
        Object.entries(counts).flatMap(([slotId, of]) => new Array<number>(what(of)).fill(Number(slotId)))
      const tally = { counted: listed((of) => of.counted), uncounted: listed((of) => of.accepted - of.counted) }
      await put(topics.tallies, { dataMarket }, { talliedEpoch: epochId, ...tally })
      const rows = slots.get(day) ?? new Map<number, SlotDay>()
      slots.set(day, rows)
      let after = withEpoch(days.get(day), closing)
      for (const [slotId, of] of Object.entries(counts).map(([id, of]) => [Number(id), of] as const)) {
        const row = slotWith(rows.get(slotId), of, epochId)
        after = withSlot(after, rows.get(slotId), row)
        rows.set(slotId, row)
        await put(topics.slotDays, { dataMarket, slotId, day }, row)
      }
      days.set(day, after)
      for (const [one, row] of days) {
        const others = [...days].filter(([other]) => other !== one).map(([, other]) => other)
        const isEnding = !row.ended && one <= daysEnded
        if (one !== day && !isEnding) continue
        days.set(one, { ...row, ended: row.ended || isEnding, whole: isWhole(row, others) })
        if (isEnding && days.get(one)!.whole && rule === 'on') await run(one, epochId, 'CLOSING')
        await write(one)
      }
    },
    async epoch(epochId, day, counts, daysEnded, rule) {
      await story.open(epochId, day)
      await story.close(epochId, day, counts, daysEnded, rule)
    },
    async tell(day, epochId) {
      await run(day, epochId, 'COUNTS')
      await write(day)
    },
    async pay(day, epochId, number, fields) {
      const { offset, ...of } = offsets.get(`${day}/${epochId}/${number}`)!
      const mined = { transactionHash: `0xpaid${number}`, blockNumber: 99, blockHash: HASH, nonce: 7, attempts: 1 }
      const told = { sent: of.slots, present: 0, leftOut: [], eligibleNodes: 0, quota: 0, error: '', reorgs: 0 }
      const payment: Payment = { paymentState: 'FINAL', payoutOffset: offset, ...of, ...told, ...mined, ...fields }
      await put(topics.payments, { dataMarket, day, epochId, number }, payment)
    },
    async forget(day) {
      const appender = await log.appender()
      const gone = async <K>(topic: Pick<KafkaTopic<K, unknown>, 'name' | 'partitions' | 'key'>, key: K) => {
        const bytes = topic.key.encode(key)
        const partition = partitionFor(bytes, topic.partitions)
        await appender.append([{ topic: topic.name, partition, timestamp: 0, key: bytes, value: null }])
      }
      for (const slotId of slots.get(day)!.keys()) await gone(topics.slotDays, { dataMarket, slotId, day })
      await gone(topics.days, { dataMarket, day })
    },
    day: (day) => days.get(day)!,
  }
  return story
}
