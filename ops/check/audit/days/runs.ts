/** How the slots of a day are cut into calls, reckoned a second time. */
import type { PayoutPurpose } from '../../../../schemas/types.ts'
import type { MarketRules } from '../../../../topology/rules.ts'

/** Payouts that a CLOSE should have made of one day. */
export interface ExpectedRun {
  readonly day: number
  readonly purpose: PayoutPurpose
  readonly closeBlock: number
  /** The day’s, as of the CLOSE. */
  readonly quota: number
  /** Lowest release block of the day's epochs, as of the CLOSE. */
  readonly firstBlock: number
  readonly calls: readonly Call[]
}

/** Slots ascending, and what each has counted. */
export type Call = readonly (readonly [slotId: number, counted: number])[]

/** Measured: gas of the call itself, of a slot whose count is set, and of one that is paid with it. */
const [CALL_GAS, COUNT_GAS, PAY_GAS] = [100_000, 60_000, 200_000]
/** However much gas there is. */
const SLOTS_MAX = 1_000

export function cutIntoCalls(
  told: readonly (readonly [slotId: number, counted: number])[],
  purpose: PayoutPurpose,
  { payoutGasMax }: Pick<MarketRules, 'payoutGasMax'>,
): readonly Call[] {
  const ascending = [...told].sort(([a], [b]) => a - b)
  const perSlot = purpose === 'CLOSING' ? PAY_GAS : COUNT_GAS
  const calls: (readonly [number, number])[][] = []
  for (const slot of ascending) {
    const last = calls.at(-1)
    const fits = last !== undefined && last.length < SLOTS_MAX && CALL_GAS + (last.length + 1) * perSlot <= payoutGasMax
    if (fits) last.push(slot)
    else calls.push([slot])
  }
  return calls
}
