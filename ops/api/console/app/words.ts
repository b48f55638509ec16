/** The meaning of a state and the remedy, for a reader who has not read the code. Pure. */

import { isEnding } from '../../../../schemas/anchor-keys.ts'
import { type EpochOutcome, type EpochPhase, isLost, type PhaseUnderWay } from '../../../reading/epoch-phases.ts'
import type { DaySummary, PaymentItem, SlotDayItem } from '../../days-schema.ts'
import type { AnchorItem, EpochSummary, Gap, Market } from '../../schema.ts'

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'muted'

/** The thing that an epoch waits for in a phase, and the place to look when that does not come. */
export const PHASE_HELP = {
  OPEN: {
    waits: 'for the first block past its submission window',
    stuck: 'no block past its submission window was seen',
    advice: 'Check that the chain node answers and makes blocks, and that the role clock runs.',
  },
  COUNTING: {
    waits: 'for its votes to be counted and its batches to be cut',
    stuck: 'its votes are not counted yet',
    advice: 'Check that a process runs each of the roles tick-fanout, validate, admit, consensus and batch.',
  },
  STORING: {
    waits: 'for its batches to be stored on IPFS',
    stuck: 'its batches are not stored on IPFS yet',
    advice: 'Check that the IPFS node answers and has disk space, and that the roles anchor and anchor-effects run.',
  },
  MINING: {
    waits: 'for its transactions to be mined',
    stuck: 'its transactions are not in a block yet',
    advice: 'Check the balance of the signer, the gas price and the chain node; `sequencer doctor` checks all three.',
  },
  CONFIRMING: {
    waits: 'for enough blocks on top of its transactions, and for the call that ends it',
    stuck: 'its transactions are mined but not final',
    advice: 'Check that the chain node goes on making blocks.',
  },
} as const satisfies Record<PhaseUnderWay, { waits: string; stuck: string; advice: string }>

/** The name of each phase, and what it means that a later epoch has overtaken one in this phase. */
export const EPOCH_PHASES = {
  UNKNOWN: {
    name: 'Not released',
    tone: 'muted',
    gap: 'was never released',
    advice: 'The contract skipped it, or its release was not seen. Compare with the contract: `sequencer audit`.',
  },
  SKIPPED: {
    name: 'Skipped by the owner',
    tone: 'muted',
    gap: 'was skipped by the market’s owner',
    advice: 'Nothing to be done: the contract has no such epoch, and no vote counts for it.',
  },
  ORPHANED: {
    name: 'Release left the chain',
    tone: 'warn',
    gap: 'was not released again after its release left the chain',
    advice: 'The contract releases it again, or its owner skips it. Compare with the contract: `sequencer audit`.',
  },
  REFUSED: {
    name: 'Refused',
    tone: 'bad',
    gap: 'was released with a number that cannot be',
    advice: 'No vote for it counts. The market’s owner has to set the number right; later releases open epochs again.',
  },
  OPEN: { name: 'Window open', tone: 'busy', gap: 'is not closed', advice: PHASE_HELP.OPEN.advice },
  COUNTING: { name: 'Counting', tone: 'busy', gap: 'has no batches', advice: PHASE_HELP.COUNTING.advice },
  STORING: { name: 'Storing', tone: 'busy', gap: 'is not on IPFS', advice: PHASE_HELP.STORING.advice },
  MINING: { name: 'Mining', tone: 'busy', gap: 'is in no block', advice: PHASE_HELP.MINING.advice },
  CONFIRMING: { name: 'Confirming', tone: 'busy', gap: 'is not final', advice: PHASE_HELP.CONFIRMING.advice },
  ANCHORED: { name: 'Anchored', tone: 'good', gap: 'is on the chain', advice: '' },
  ATTESTED: { name: 'Attested', tone: 'good', gap: 'is on the chain', advice: '' },
} as const satisfies Record<EpochPhase, { name: string; tone: Tone; gap: string; advice: string }>

export const EPOCH_OUTCOMES = {
  LATE: {
    name: 'Late',
    tone: 'bad',
    gap: 'came too late for the contract',
    advice: 'Its window for batches was over, so the contract kept nothing. Find out what held it up.',
  },
  FAILED: {
    name: 'Failed',
    tone: 'bad',
    gap: 'failed',
    advice: 'The contract will never take the batch as it is: see its error on the page of the epoch.',
  },
  NO_QUORUM: {
    name: 'No quorum',
    tone: 'warn',
    gap: 'has no batch',
    advice: 'No project had enough votes for one CID: see its projects.',
  },
  EMPTY: { name: 'Empty', tone: 'muted', gap: 'has no batch', advice: 'Nobody’s vote was counted: see its verdicts.' },
} as const satisfies Record<EpochOutcome, { name: string; tone: Tone; gap: string; advice: string }>

/** The fault of an epoch, or the thing that it waits for. */
export const gapWords = ({ phase, outcome }: Pick<Gap, 'phase' | 'outcome'>) =>
  outcome === null ? EPOCH_PHASES[phase] : EPOCH_OUTCOMES[outcome]

/** The standing of an epoch, as its tag says. @param held it is slow or stuck */
export function standingOf(epoch: Pick<EpochSummary, 'phase' | 'outcome'>, held = false): { name: string; tone: Tone } {
  return held && !isLost(epoch.outcome) ? { name: 'Held up', tone: 'warn' } : gapWords(epoch)
}

export const BATCH_STATES = {
  UNKNOWN: { name: 'Unknown', tone: 'muted', help: 'A state that this console does not know.' },
  PLANNED: { name: 'Planned', tone: 'busy', help: 'The batch is cut; next it is stored on IPFS.' },
  STORED: { name: 'Stored', tone: 'busy', help: 'The batch is on IPFS; next its transaction is prepared.' },
  READY: { name: 'Ready', tone: 'busy', help: 'The transaction is prepared; next it is signed and sent.' },
  SENT: { name: 'Sent', tone: 'busy', help: 'The transaction is with the chain node; next a block takes it.' },
  MINED: { name: 'Mined', tone: 'busy', help: 'A block has the transaction; next enough blocks come on top.' },
  FINAL: { name: 'Final', tone: 'good', help: 'The transaction is deep enough to stay.' },
  REORGED: { name: 'Left the chain', tone: 'warn', help: 'It was final or late, and the chain went back behind it.' },
  LATE: { name: 'Late', tone: 'bad', help: 'The window of the contract was over; it kept nothing.' },
  FAILED: { name: 'Failed', tone: 'bad', help: 'It cannot be anchored any more; see the error.' },
} as const satisfies Record<AnchorItem['state'], { name: string; tone: Tone; help: string }>

export const callName = (batchIndex: number): string =>
  isEnding({ batchIndex }) ? 'Ending call' : `Batch ${batchIndex}`

/** Reasons as words in lists and legends: `BAD_SIGNATURE` is `bad signature`. */
export const reasonWords = (reason: string): string => reason.toLowerCase().replaceAll('_', ' ')

export const REWARDS_HELP = {
  off: 'Days of this market are not counted (rule `rewards`: off).',
  counts: 'Days of this market are counted, and the contract is told nothing (rule `rewards`: counts).',
  on: 'Days of this market are counted, the contract is told, and closes them (rule `rewards`: on).',
} as const satisfies Record<Market['rewards'], string>

export const DAY_STANDINGS = {
  COUNTING: { name: 'Under way', tone: 'busy', help: 'The day goes on, or not all of its epochs have closed.' },
  COUNTED: { name: 'Counted', tone: 'muted', help: 'The day has ended, and nothing is sent of it.' },
  NOT_WHOLE: {
    name: 'Not whole',
    tone: 'warn',
    help: 'The day has ended, but the log lacks a part of it, so nothing is sent: usual for the day in which a log begins.',
  },
  CLOSING: { name: 'Closing', tone: 'busy', help: 'The day has ended, and the calls that close it are on their way.' },
  CLOSED: { name: 'Closed', tone: 'good', help: 'The contract has all counts of the day.' },
  UNPAID: { name: 'Unpaid', tone: 'bad', help: 'A call of the day can never be sent; its error says why.' },
} as const satisfies Record<DaySummary['standing'], { name: string; tone: Tone; help: string }>

export const SLOT_STANDINGS = {
  COUNTING: { name: 'Under way', tone: 'busy', help: 'The day goes on.' },
  COUNTED: { name: 'Counted', tone: 'muted', help: 'Nothing is sent of it.' },
  NOT_WHOLE: DAY_STANDINGS.NOT_WHOLE,
  TELLING: { name: 'On its way', tone: 'busy', help: 'The call that has the slot is on its way.' },
  TOLD: { name: 'Told', tone: 'muted', help: 'The contract has the count, which is below the quota.' },
  PAID: { name: 'Paid', tone: 'good', help: 'The contract has the count, and has paid the slot.' },
  LEFT_OUT: { name: 'Left out', tone: 'warn', help: 'The call does not have the slot.' },
  UNPAID: { name: 'Unpaid', tone: 'bad', help: 'The call that has the slot can never be sent.' },
} as const satisfies Record<SlotDayItem['standing'], { name: string; tone: Tone; help: string }>

export const PAYMENT_STATES = {
  UNKNOWN: { name: 'Unknown', tone: 'muted' },
  PLANNED: { name: 'Planned', tone: 'busy' },
  READY: { name: 'Ready', tone: 'busy' },
  SENT: { name: 'Sent', tone: 'busy' },
  MINED: { name: 'Mined', tone: 'busy' },
  FINAL: { name: 'Final', tone: 'good' },
  REORGED: { name: 'Left the chain', tone: 'warn' },
  SUPERSEDED: { name: 'Overtaken', tone: 'muted' },
  UNPAID: { name: 'Unpaid', tone: 'bad' },
} as const satisfies Record<PaymentItem['state'], { name: string; tone: Tone }>
