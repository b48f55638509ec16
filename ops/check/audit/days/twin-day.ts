/** One day of a market, recomputed, and held against what the ledger keeps of it. */
import { isNone } from '../../../../schemas/none.ts'
import type { Day, EpochTick, SlotDay } from '../../../../schemas/types.ts'
import type { Findings } from '../report.ts'
import type { Contribution } from './contribution.ts'
import { EpochRanges, textOf } from './epoch-ranges.ts'
import type { FoundDay } from './rows.ts'

/**
 * The row of a live log may be of an earlier state than the newest one. It is compared when what is recomputed is at the same
 * state; and one that is older than what the ledger has committed is out of date.
 */
interface Standing {
  /** The row was met at the state that it is of. */
  isMet: boolean
  /** The ledger has committed a later state. */
  isOwed: boolean
}

interface Slot extends Standing {
  accepted: number
  counted: number
  lastEpoch: number
  /** The count in the newest payout with the slot; and in the newest one that the ledger has committed. */
  inPayout: number
  inPayoutDue: number
}

export class TwinDay implements Standing {
  readonly day: number
  readonly epochs = new EpochRanges()
  readonly slots = new Map<number, Slot>()
  ended = false
  whole = false
  closed = 0
  late = 0
  lastEpoch = 0
  payouts = 0
  paidUpTo = 0
  isMet = false
  isOwed = false
  /** Some of its epochs cannot be recomputed: what they add is unknown. */
  isPartial = false
  quota = 0
  /** Lowest release block; 0 when an epoch does not say it. */
  firstBlock = 0
  private newestEpoch = 0
  private closeBlock = 0
  private readonly where: string
  private readonly found: FoundDay
  private readonly findings: Findings

  constructor(dataMarket: string, day: number, found: FoundDay | undefined, findings: Findings) {
    this.day = day
    this.where = `day ${day} of ${dataMarket}`
    this.found = found ?? { day: undefined, slots: new Map() }
    this.findings = findings
  }

  count(
    { epochId, skippedFrom, refusedFrom, dailyQuota, blockNumber, releaseBlock }: EpochTick,
    votes: Contribution | undefined,
  ): void {
    const without = [refusedFrom, skippedFrom].find((first) => first > 0)
    this.epochs.add(without ?? epochId, epochId)
    if (epochId > this.newestEpoch) {
      this.newestEpoch = epochId
      this.quota = dailyQuota
    }
    this.firstBlock = this.closed === 0 ? releaseBlock : Math.min(this.firstBlock, releaseBlock)
    this.closed++
    if (this.ended) this.late++
    this.lastEpoch = epochId
    this.closeBlock = blockNumber
    if (!votes) this.isPartial = true
    for (const [slotId, { accepted, counted }] of votes ?? []) {
      const slot = this.slots.get(slotId) ?? blankSlot()
      this.slots.set(slotId, slot)
      slot.accepted += accepted
      slot.counted += counted
      slot.lastEpoch = epochId
    }
  }

  /** Slots whose count is to be told: all that have one, or those below the quota of which another one was told last. */
  untold(isClosing: boolean): (readonly [slotId: number, counted: number])[] {
    const told = [...this.slots].filter(
      ([, { counted, inPayout }]) => counted > 0 && (isClosing || (counted < this.quota && counted !== inPayout)),
    )
    return told.map(([slotId, { counted }]) => [slotId, counted] as const)
  }

  tell(slotIds: Iterable<number>, isDue: boolean): void {
    for (const slotId of slotIds) {
      const slot = this.slots.get(slotId)!
      slot.inPayout = slot.counted
      if (isDue) slot.inPayoutDue = slot.counted
    }
  }

  /**
   * The row in the log is of a later time of the day: the market's owner has set the counter back to it when the ledger had let it go.
   * Then nothing is left of this time, and nothing can be compared.
   */
  get isReplaced(): boolean {
    const first = this.found.day?.epochs[0]?.first
    return first !== undefined && first > this.lastEpoch
  }

  /** Notes whether the row in the log is of this new state of the day. */
  meetRow(isDue: boolean): void {
    const row = this.found.day
    const isThis = row?.closed === this.closed && row.ended === this.ended && !this.isReplaced
    stand(this, isThis, isDue)
    if (isThis && !this.isPartial) this.compareRow(row)
  }

  /** Likewise of the rows of some slots, that an epoch has changed. */
  meetSlots(slotIds: Iterable<number>, isDue: boolean): void {
    for (const slotId of slotIds) {
      const slot = this.slots.get(slotId)!
      const row = this.found.slots.get(slotId)
      const isThis = row?.lastEpoch === slot.lastEpoch
      stand(slot, isThis, isDue)
      if (isThis && !this.isPartial) this.compareVotes(slotId, slot, row)
    }
  }

  /** Compares the rows that were never met; a day that cannot be recomputed is left alone. */
  finish(): void {
    if (this.isPartial) return
    const { day: row, slots } = this.found
    if (!row && this.isOwed) this.findings.add('skipped', this.where, 'it is not in days')
    else if (row && (this.isOwed || !this.isMet)) this.compareRow(row)
    for (const [slotId, slot] of this.slots) this.finishSlot(slotId, slot)
    for (const [slotId, { accepted, counted }] of slots)
      if (!this.slots.has(slotId))
        this.findings.add(
          'mismatches',
          this.placeOf(slotId),
          `a row with ${accepted} accepted, ${counted} counted; recomputed none`,
        )
  }

  /** The ledger has let it go. */
  expectNone(): void {
    const { day: row, slots } = this.found
    const left = [...(row ? ['the row of the day'] : []), ...(slots.size > 0 ? [`rows of ${slots.size} slots`] : [])]
    if (left.length > 0)
      this.findings.add('mismatches', this.where, `it is kept no longer; found ${left.join(' and ')}`)
  }

  private finishSlot(slotId: number, slot: Slot): void {
    const row = this.found.slots.get(slotId)
    if (!row && slot.isOwed)
      this.findings.add(
        'mismatches',
        this.placeOf(slotId),
        `no row; recomputed ${slot.accepted} accepted, ${slot.counted} counted`,
      )
    if (!row) return
    if (slot.isOwed || !slot.isMet) {
      this.findings.same(this.placeOf(slotId), 'last epoch', slot.lastEpoch, row.lastEpoch)
      this.compareVotes(slotId, slot, row)
    }
    if (row.inPayout < slot.inPayoutDue || row.inPayout > slot.inPayout)
      this.findings.same(this.placeOf(slotId), 'count in the newest payout', slot.inPayout, row.inPayout)
  }

  private compareVotes(slotId: number, slot: Slot, row: SlotDay): void {
    this.findings.same(this.placeOf(slotId), 'accepted', slot.accepted, row.accepted)
    this.findings.same(this.placeOf(slotId), 'counted', slot.counted, row.counted)
  }

  private compareRow(row: Day): void {
    const { slots, quota } = this
    const all = [...slots.values()]
    const sum = (of: 'accepted' | 'counted') => all.reduce((total, slot) => total + slot[of], 0)
    const same = (what: string, recomputed: unknown, found: unknown): void =>
      this.findings.same(this.where, what, recomputed, found)
    same('ended', this.ended, row.ended)
    same('whole', this.whole, row.whole)
    same('quota', quota, row.quota)
    same('epochs', `${this.epochs}`, textOf(row.epochs))
    same('merged', this.epochs.merged, row.merged)
    same('closed epochs', this.closed, row.closed)
    same('late epochs', this.late, row.late)
    same('slots', slots.size, row.slots)
    same('accepted', sum('accepted'), row.accepted)
    same('counted', sum('counted'), row.counted)
    same('slots at the quota', all.filter(({ counted }) => counted >= quota).length, row.eligibleSlots)
    same('last epoch', this.lastEpoch, row.lastEpoch)
    same('closing block', this.closeBlock, row.closeBlock)
    if (!isNone(row.firstBlock)) same('first block', this.firstBlock, row.firstBlock) // NONE: of an older ledger
    same('payouts', this.payouts, row.payouts)
    same('epochs told', this.paidUpTo, row.paidUpTo)
  }

  private placeOf(slotId: number): string {
    return `${this.where}, slot ${slotId}`
  }
}

const blankSlot = (): Slot => ({
  accepted: 0,
  counted: 0,
  lastEpoch: 0,
  inPayout: 0,
  inPayoutDue: 0,
  isMet: false,
  isOwed: false,
})

function stand(of: Standing, isThis: boolean, isDue: boolean): void {
  if (isThis) {
    of.isMet = true
    of.isOwed = false
  } else if (isDue) of.isOwed = true
}
