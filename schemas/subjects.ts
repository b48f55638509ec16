/**
 * Which record types each topic carries, for key and value. A value that names several types is an Avro union; `branch`
 * tells a value's place in it by a field that only that type has.
 */
import type * as T from './types.ts'

const isMarker = (value: object): value is T.EpochMarker => 'tick' in value

export interface Subject {
  readonly types: readonly string[]
  readonly branch?: (value: object) => number
}

/** Logical topic → subjects. The deployed topic has a prefix; its subjects are `<topic>-key` and `<topic>-value`. */
export const SUBJECTS = {
  'submissions-key': { types: ['SubmissionKey'] },
  'submissions-value': { types: ['Submission', 'EpochMarker'], branch: (v) => (isMarker(v) ? 1 : 0) },
  'epoch-ticks-key': { types: ['MarketKey'] },
  'epoch-ticks-value': { types: ['EpochTick'] },
  'tick-requests-key': { types: ['MarketKey'] },
  'tick-requests-value': { types: ['TickRequest'] },
  'market-requests-key': { types: ['MarketKey'] },
  'market-requests-value': { types: ['MarketRequest'] },
  'markets-key': { types: ['MarketKey'] },
  'markets-value': { types: ['ServedMarket'] },
  'peer-bans-key': { types: ['PeerBanKey'] },
  'peer-bans-value': { types: ['PeerBan'] },
  'intake-reports-key': { types: ['IntakeKey'] },
  'intake-reports-value': { types: ['IntakeReport'] },
  'processes-key': { types: ['ProcessKey'] },
  'processes-value': { types: ['ProcessReport'] },
  'slots-key': { types: ['SlotKey'] },
  'slots-value': { types: ['SlotOwner'] },
  'validated-key': { types: ['SlotEpochKey'] },
  'validated-value': { types: ['Submission', 'EpochMarker'], branch: (v) => (isMarker(v) ? 1 : 0) },
  'admitted-key': { types: ['SubmissionKey'] },
  'admitted-value': {
    types: ['Submission', 'EpochMarker', 'Withdrawal'],
    branch: (v) => (isMarker(v) ? 1 : 'withdrawnDigest' in v ? 2 : 0),
  },
  'finalizations-key': { types: ['EpochKey'] },
  'finalizations-value': { types: ['ProjectFinalization', 'EpochMarker'], branch: (v) => (isMarker(v) ? 1 : 0) },
  'batches-key': { types: ['MarketKey'] },
  'batches-value': { types: ['Batch', 'EpochSummary'], branch: (v) => ('summaryOf' in v ? 1 : 0) },
  'anchor-intents-key': { types: ['AnchorKey'] },
  'anchor-intents-value': { types: ['AnchorIntent'] },
  'anchor-results-key': { types: ['AnchorKey'] },
  'anchor-results-value': { types: ['AnchorResult'] },
  'anchors-key': { types: ['AnchorKey'] },
  'anchors-value': { types: ['Anchor'] },
  'tallies-key': { types: ['MarketKey'] },
  'tallies-value': { types: ['EpochTally', 'EpochMarker'], branch: (v) => (isMarker(v) ? 1 : 0) },
  'slot-days-key': { types: ['SlotDayKey'] },
  'slot-days-value': { types: ['SlotDay'] },
  'days-key': { types: ['DayKey'] },
  'days-value': { types: ['Day'] },
  'payouts-key': { types: ['MarketKey'] },
  'payouts-value': { types: ['Payout'] },
  'payments-key': { types: ['PaymentKey'] },
  'payments-value': { types: ['Payment'] },
  'verdicts-key': { types: ['SlotEpochKey'] },
  'verdicts-value': { types: ['Verdict'] },
  // Values of the state stores (topology/stores.ts); their keys are plain strings.
  'chain-heads-changelog-value': { types: ['StoredHead'] },
  'chain-epochs-changelog-value': { types: ['EpochWindow'] },
  'tick-gap-changelog-value': { types: ['EpochTick'] },
  'heads-changelog-value': { types: ['StoredHead'] },
  'epochs-changelog-value': { types: ['EpochWindow'] },
  'markets-changelog-value': { types: ['MarketEpochs'] },
  'parked-changelog-value': { types: ['ParkedSubmission'] },
  'slot-quota-changelog-value': { types: ['SlotQuota'] },
  'votes-changelog-value': { types: ['Submission'] },
  'projects-changelog-value': { types: ['ProjectFinalization'] },
  'epoch-tallies-changelog-value': { types: ['EpochTally'] },
  'slot-days-changelog-value': { types: ['SlotDay'] },
  'days-changelog-value': { types: ['Day'] },
  'anchor-progress-changelog-value': { types: ['AnchorProgress'] },
  'anchor-nonces-changelog-value': { types: ['SignerNonce'] },
  'anchor-window-changelog-value': { types: ['NonceWindow'] },
  'anchor-queue-changelog-value': { types: ['AnchorKey'] },
  'payment-rows-changelog-value': { types: ['PaymentKey'] },
} as const satisfies Record<string, Subject>

export type SubjectName = keyof typeof SUBJECTS
