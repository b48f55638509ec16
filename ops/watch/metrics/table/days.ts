import type { Role } from '../../../base/roles.ts'
import { LEFT_OUT_REASONS } from '../../../reading/day.ts'
import { type Definition, MARKET } from '../definition.ts'

const roles = ['api'] as const satisfies readonly Role[]

/**
 * Why slots are not paid by calls of ours: the ledger lacks a part of the day, a call can never be sent, or it was sent without them
 * for another reason than that they are burned; somebody else has marked them as paid, and they get nothing; or they have reached the quota by epochs that came when the closing was written.
 */
export const UNPAID_CAUSES = ['not_whole', 'unsent', 'left_out', 'marked', 'late'] as const

/** By why a call left slots out; `OTHER_NUMBER`: somebody else has fixed a number of eligible nodes that is larger than all slots to be paid. */
export const DRIFT_REASONS = [...LEFT_OUT_REASONS, 'OTHER_NUMBER'] as const

/** Days of each market that these tell of, the newest ones. */
export const DAYS_LOOKED_AT = 4

/** From the view of the role `api`; several processes of it have the same, so take the maximum over them. */
export const DAYS = {
  day: {
    type: 'gauge',
    name: 'seq_day',
    help: 'Day of the contract, by the newest release.',
    unit: 'day',
    roles,
    labels: { market: MARKET },
  },
  dayEpochs: {
    type: 'gauge',
    name: 'seq_day_epochs',
    help: 'Epochs of it that were counted.',
    unit: 'epochs',
    roles,
    labels: { market: MARKET },
  },
  daySlots: {
    type: 'gauge',
    name: 'seq_day_slots',
    help: 'Slots with an accepted submission in it.',
    unit: 'slots',
    roles,
    labels: { market: MARKET },
  },
  daySlotsEligible: {
    type: 'gauge',
    name: 'seq_day_slots_eligible',
    help: 'Slots that have its quota.',
    unit: 'slots',
    roles,
    labels: { market: MARKET },
  },
  dayUnclosed: {
    type: 'gauge',
    name: 'seq_day_unclosed_days',
    help: 'How much of the days behind it is over for the oldest day that has to be closed on the contract and is not; 0 when none has. Only where the rule `rewards` is `on`.',
    unit: 'days',
    roles,
    labels: { market: MARKET },
    use: 'From 1 on the contract takes nothing of that day any more (E38).',
  },
  dayCallsPending: {
    type: 'gauge',
    name: 'seq_day_calls_pending',
    help: `Calls that are on their way: calls that close the newest ${DAYS_LOOKED_AT} days, and the newest telling in the course of each.`,
    unit: 'calls',
    roles,
    labels: { market: MARKET },
  },
  dayDrift: {
    type: 'gauge',
    name: 'seq_day_drift_slots',
    help: `Slots for which the contract has something else than the ledger, in the newest ${DAYS_LOOKED_AT} days, by why the call left them out. OTHER_NUMBER: by so many slots the number of eligible nodes, which somebody else has fixed, is too large.`,
    unit: 'slots',
    roles,
    labels: { market: MARKET, reason: DRIFT_REASONS },
    use: '`sequencer rewards --reconcile` names them. UNAVAILABLE: the slot is burned, and the contract passes it over.',
  },
  dayUnpaid: {
    type: 'gauge',
    name: 'seq_day_unpaid_slots',
    help: `Slots that are not paid by calls of ours, in the newest ${DAYS_LOOKED_AT} days. Only where the rule \`rewards\` is \`on\`. \`not_whole\`: the ledger lacks a part of the day. \`unsent\`: a call can never be sent. \`left_out\`: it was sent without them. \`marked\`: somebody else has marked them as paid, and they get nothing. \`late\`: they have reached the quota by epochs that closed after the day.`,
    unit: 'slots',
    roles,
    labels: { market: MARKET, cause: UNPAID_CAUSES },
  },
} as const satisfies Record<string, Definition>
