/** `updateRewards` in memory, as the contract has it (decision 0039; `DevProtocolState.sol` is the same for a chain). */

export interface RewardCall {
  readonly dataMarket: string
  readonly slotIds: readonly number[]
  readonly submissions: readonly number[]
  readonly day: number
  /** 0: the call pays nobody. */
  readonly eligibleNodes: number
}

/** What the contract knows beside. */
export interface ContractNow {
  readonly dayCounter: number
  readonly quota: number
  /** Slots that are not available. */
  readonly burned: ReadonlySet<number>
}

/** Of a day. */
interface Rewards {
  eligibleNodes: number
  remaining: number
  readonly counts: Map<number, number>
  readonly paid: Set<number>
  /** Of the slots that were paid, those that can claim it. */
  readonly credited: Set<number>
}

export const UNDERFLOW = 'PANIC 0x11'

export class RewardsContract {
  private readonly days = new Map<string, Rewards>()

  /** @returns the code with which the call is refused, and nothing of it done; undefined when all of it is done */
  updateRewards(call: RewardCall, now: ContractNow): string | undefined {
    const { eligibleNodes, remaining, counts, paid, credited } = this.of(call.dataMarket, call.day)
    const day = { eligibleNodes, remaining, counts: new Map(counts), paid: new Set(paid), credited: new Set(credited) }
    const refusal = change(day, call, now)
    if (refusal === undefined) this.days.set(`${call.dataMarket}/${call.day}`, day)
    return refusal
  }

  of(dataMarket: string, day: number): Readonly<Rewards> {
    const none = {
      eligibleNodes: 0,
      remaining: 0,
      counts: new Map(),
      paid: new Set<number>(),
      credited: new Set<number>(),
    }
    return this.days.get(`${dataMarket}/${day}`) ?? none
  }
}

function change(at: Rewards, call: RewardCall, { dayCounter, quota, burned }: ContractNow): string | undefined {
  if (call.eligibleNodes > 0) {
    if (at.eligibleNodes === 0) {
      at.eligibleNodes = call.eligibleNodes
      at.remaining = call.eligibleNodes
    } else if (at.remaining === 0) return 'E47'
  }
  for (const [i, slotId] of call.slotIds.entries()) {
    if (call.day !== dayCounter && call.day !== dayCounter - 1) return 'E38'
    if (burned.has(slotId)) continue
    if (at.paid.has(slotId)) return 'E48'
    const count = call.submissions[i]!
    at.counts.set(slotId, count)
    if (count < quota || at.eligibleNodes === 0) continue
    if (at.remaining === 0) return UNDERFLOW
    at.remaining--
    at.paid.add(slotId)
    if (call.eligibleNodes > 0) at.credited.add(slotId)
  }
  return undefined
}
