/** What a state means and what to do about it, for someone who has not read the code. Pure. */
import type { AnchorItem, Gap } from '../../schema.ts'
import type { PhaseId } from './phases.ts'

/** What an epoch waits for in a phase, and where to look when that does not come. */
export const PHASE_HELP = {
  window: {
    waits: 'for the first block past its submission window',
    stuck: 'no block past its submission window was seen',
    advice: 'Check that the chain node answers and makes blocks, and that the role clock runs.',
  },
  count: {
    waits: 'for its votes to be counted and its batches to be cut',
    stuck: 'its votes are not counted yet',
    advice: 'Check that a process runs each of the roles tick-fanout, validate, admit, consensus and batch.',
  },
  store: {
    waits: 'for its batches to be stored on IPFS',
    stuck: 'its batches are not stored on IPFS yet',
    advice: 'Check that the IPFS node answers and has disk space, and that the roles anchor and anchor-effects run.',
  },
  mine: {
    waits: 'for its transactions to be mined',
    stuck: 'its transactions are not in a block yet',
    advice: 'Check the balance of the signer, the gas price and the chain node; `sequencer doctor` checks all three.',
  },
  confirm: {
    waits: 'for enough blocks on top of its transactions, and for the call that ends it',
    stuck: 'its transactions are mined but not final',
    advice: 'Check that the chain node goes on making blocks.',
  },
} as const satisfies Record<PhaseId, { waits: string; stuck: string; advice: string }>

export const GAP_HELP = {
  NOT_RELEASED: {
    title: 'was never released',
    advice: 'The contract skipped it, or its release was not seen. Compare with the contract: `sequencer audit`.',
  },
  SKIPPED_BY_OWNER: {
    title: 'was skipped by the market’s owner',
    advice: 'Nothing to be done: the contract has no such epoch, and no vote counts for it.',
  },
  NOT_CLOSED: { title: 'is not closed', advice: PHASE_HELP.window.advice },
  NOT_BATCHED: { title: 'has no batches', advice: PHASE_HELP.count.advice },
  NOT_ANCHORED: {
    title: 'is not on the chain',
    advice:
      'Check IPFS, the balance of the signer and the chain node (`sequencer doctor`), and that the roles anchor and anchor-effects run.',
  },
  LATE: {
    title: 'came too late for the contract',
    advice: 'Its window for batches was over, so the contract kept nothing. Find out what held it up.',
  },
  FAILED: {
    title: 'failed',
    advice: 'The contract will never take the batch as it is: see its error on the page of the epoch.',
  },
} as const satisfies Record<Gap['cause'], { title: string; advice: string }>

export const ANCHOR_STATES = {
  UNKNOWN: { name: 'Unknown', tone: 'muted', help: 'A state that this console does not know.' },
  PLANNED: { name: 'Planned', tone: 'busy', help: 'The batch is cut; next it is stored on IPFS.' },
  STORED: { name: 'Stored', tone: 'busy', help: 'The batch is on IPFS; next its transaction is prepared.' },
  READY: { name: 'Ready', tone: 'busy', help: 'The transaction is prepared; next it is signed and sent.' },
  SENT: { name: 'Sent', tone: 'busy', help: 'The transaction is with the chain node; next a block takes it.' },
  MINED: { name: 'Mined', tone: 'busy', help: 'A block has the transaction; next enough blocks come on top.' },
  FINAL: { name: 'Final', tone: 'good', help: 'The transaction is deep enough to stay.' },
  REORGED: { name: 'Left the chain', tone: 'warn', help: 'It was final, and the chain went back behind it.' },
  LATE: { name: 'Late', tone: 'bad', help: 'The window of the contract was over; it kept nothing.' },
  FAILED: { name: 'Failed', tone: 'bad', help: 'It cannot be anchored any more; see the error.' },
} as const satisfies Record<AnchorItem['state'], { name: string; tone: Tone; help: string }>

export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'muted'

export const EPOCH_PHASES = {
  UNKNOWN: { name: 'Not released', tone: 'muted' },
  SKIPPED: { name: 'Skipped by the owner', tone: 'muted' },
  OPEN: { name: 'Window open', tone: 'busy' },
  CLOSED: { name: 'Counting votes', tone: 'busy' },
  ANCHORING: { name: 'Anchoring', tone: 'busy' },
  ANCHORED: { name: 'Anchored', tone: 'good' },
  ATTESTED: { name: 'Attested', tone: 'good' },
  FAILED: { name: 'Failed', tone: 'bad' },
} as const satisfies Record<string, { name: string; tone: Tone }>

/** The batch index −1 is the call that ends an epoch. */
export const callName = (batchIndex: number): string => (batchIndex < 0 ? 'Ending call' : `Batch ${batchIndex}`)

/** Reasons as words in lists and legends: `BAD_SIGNATURE` is `bad signature`. */
export const reasonWords = (reason: string): string => reason.toLowerCase().replaceAll('_', ' ')
