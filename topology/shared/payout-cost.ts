/** The cost of a call of updateRewards, as reckoned before it is made: the slots of a day are cut into calls by it. */
import type { PayoutPurpose } from '../../schemas/types.ts'

/** Gas of the call itself, with its transaction, and with the number of eligible nodes set for the first time. */
const CALL_GAS = 100_000
/** Gas of a slot that is paid for the first time: five words of storage from zero, two events, five calls between contracts. */
const PAID_SLOT_GAS = 200_000
/** Gas of a slot whose count alone is set, from zero, with the event that it has reached the quota. */
const COUNTED_SLOT_GAS = 60_000

/** With it a payout is far below RECORD_BYTES_MAX, and its dry run asks some thousand questions. */
const SLOTS_MAX = 1_000

/** Slots of one payout; 0 when not even one fits. */
export const slotsPerPayout = (
  { payoutGasMax }: { readonly payoutGasMax: number },
  purpose: PayoutPurpose = 'CLOSING',
): number =>
  Math.min(SLOTS_MAX, Math.floor((payoutGasMax - CALL_GAS) / (purpose === 'COUNTS' ? COUNTED_SLOT_GAS : PAID_SLOT_GAS)))
