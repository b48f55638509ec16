/**
 * The rules that depend on the chain: whose slot it is, whether the epoch takes submissions, which data source is the slot's.
 * Deadline and header are looked at when the epoch closes (`consensus`): by then the log has told the blocks and their times,
 * however late.
 */

import { NONE } from '../../schemas/none.ts'
import type {
  EpochTick,
  ParkedSubmission,
  SlotKey,
  SlotOwner,
  SlotOwnership,
  Submission,
  VerdictReason,
} from '../../schemas/types.ts'
import type { GlobalTable } from '../../streams/global-table.ts'
import type { MarketRules } from '../rules.ts'
import type { Evidence } from '../verdict.ts'
import type { ChainView } from './chain-view.ts'
import { wrongSource } from './data-source.ts'
import { cameTooEarly } from './early.ts'
import { excerpt } from './form.ts'
import { ownerAsOf } from './ownership.ts'

/** `wait`: nothing can be said before the first head, or before the epoch opens. */
export type Judgement =
  /** `headerBlock`: number of the block that the header names, NONE while no such block is known. */
  | { readonly kind: 'valid'; readonly headerBlock: number }
  | { readonly kind: 'wait' }
  | { readonly kind: 'final'; readonly reason: VerdictReason; readonly evidence: Evidence }

export interface Candidate {
  readonly submission: Submission
  /** Recovered address, lower case. */
  readonly signer: string
}

export interface Judge {
  /**
   * Checks the owner of the slot as of the release of the epoch, whether the signer is flagged, whether it is a simulation, and
   * the rules of the epoch. So it is the same wherever it lies behind the release in the log, and when it waited for that.
   */
  judge(candidate: Candidate, market: MarketRules): Judgement
  /**
   * The same for one that waits, when an epoch opens. It is the same for all that an owner has waiting for the epoch, so that
   * all of them reach the quota, or none.
   */
  judgeWaiting(waiting: ParkedSubmission, market: MarketRules, opened: EpochTick): Judgement
  /** True when the slot is another owner's, or nobody's, as of the newest block. That may still be so when the epoch opens. */
  isStranger(candidate: Candidate): boolean
}

/** `expected` names the epoch up to which one could wait. */
const TOO_EARLY_RULE = 'the epoch is among the next to be released when the submission comes'

/** The clock says so of a slot whose owner changed too often (connectors/evm/clock/slot-table.ts). */
const SUSPENDED = ''

const BLOCK_HASH = /^0x[0-9a-f]{64}$/

export function createJudge(chain: ChainView, slots: GlobalTable<SlotKey, SlotOwner>): Judge {
  // The table may be ahead: whatever it holds of forks that no marker has told yet does not count here.
  const judgeOwner = (slotId: number, signer: string, blockNumber: number): Judgement | undefined => {
    const history = slots.get({ slotId })?.history ?? []
    const slot = ownerAsOf(history, blockNumber, chain.head()?.forks ?? 0)
    return refuseOwner(slot, { slotId, signer, blockNumber })
  }

  const judgeSigner = ({ submission, signer }: Candidate, market: MarketRules, head: number): Judgement | undefined => {
    const { releaseBlock } = chain.epoch(market.dataMarket, submission.epochId) ?? { releaseBlock: head }
    const ownership = judgeOwner(submission.slotId, signer, releaseBlock)
    if (ownership) return ownership
    if (market.flagged.includes(signer))
      return final('FLAGGED', 'the signer is not flagged', 'a signer that is not flagged', signer)
    return submission.epochId === 0 ? SIMULATION : undefined
  }

  /** Before the quota: who is refused here has taken no seat of it. */
  const judgeSource = ({ submission, signer }: Candidate, market: MarketRules): Judgement | undefined => {
    const { dataMarket, dataSources, fullNodes } = market
    if (dataSources.length === 0 || fullNodes.includes(signer)) return undefined
    const day = chain.epoch(dataMarket, submission.epochId)?.day ?? 0
    const evidence = wrongSource(submission, signer, day, dataSources)
    return evidence && { kind: 'final', reason: 'WRONG_DATA_SOURCE', evidence }
  }

  const valid = (candidate: Candidate, market: MarketRules): Judgement =>
    judgeSource(candidate, market) ?? {
      kind: 'valid',
      headerBlock: chain.blockOf(candidate.submission.header)?.number ?? NONE,
    }

  return {
    judge(candidate, market) {
      const { submission } = candidate
      const { epochId } = submission
      const form = epochId === 0 ? undefined : judgeHeaderForm(submission)
      if (form) return form
      const head = chain.head()
      if (!head) return WAIT
      const epoch = epochId === 0 ? undefined : judgeEpoch(submission, market, chain)
      // Whose slot it is counts when the epoch opens: until then it may change hands, which a late clock has not told yet.
      if (epoch === WAIT) return WAIT
      return judgeSigner(candidate, market, head.number) ?? epoch ?? valid(candidate, market)
    },

    judgeWaiting(waiting, market, opened) {
      const { submission, arrivedAt } = waiting
      const epoch = judgeEpoch(submission, market, chain)
      const isTooEarly = epoch === WAIT && cameTooEarly(submission.epochId, arrivedAt, opened, market)
      if (epoch === WAIT && !isTooEarly) return WAIT
      return (
        judgeSigner(waiting, market, opened.blockNumber) ??
        (isTooEarly ? tooEarly(submission, opened.epochId + market.epochsAhead) : epoch) ??
        valid(waiting, market)
      )
    },

    isStranger({ submission: { slotId }, signer }) {
      const head = chain.head()
      return !head || judgeOwner(slotId, signer, head.number) !== undefined
    },
  }
}

/** "The recovered address must own the slot": known, the owner's, active, as of the block. */
function refuseOwner(
  slot: SlotOwnership | undefined,
  { slotId, signer, blockNumber }: { readonly slotId: number; readonly signer: string; readonly blockNumber: number },
): Judgement | undefined {
  const asOf = `block ${blockNumber}`
  if (!slot) return final('UNKNOWN_SLOT', `the slot exists at ${asOf}`, 'an assigned slot', `slot ${slotId}`)
  if (slot.owner === SUSPENDED)
    return final(
      'SLOT_INACTIVE',
      `the slot is not suspended at ${asOf}`,
      'fewer changes of its owner',
      `since ${slot.sinceBlock}`,
    )
  if (slot.owner !== signer)
    return final('SLOT_MISMATCH', `the signer owns slot ${slotId} at ${asOf}`, slot.owner, signer)
  if (!slot.active) return final('SLOT_INACTIVE', `the slot is active at ${asOf}`, 'active', 'inactive')
  return undefined
}

/** An epoch takes submissions from its release to its close; early ones wait for it. */
function judgeEpoch({ epochId }: Submission, market: MarketRules, chain: ChainView): Judgement | undefined {
  const window = chain.epoch(market.dataMarket, epochId)
  if (window?.state === 'OPEN') return undefined
  if (window?.state === 'CLOSED')
    return final('EPOCH_CLOSED', 'the epoch is open', `before block ${window.closeBlock} in the log`, 'after it')
  const { newest, forgotten } = chain.market(market.dataMarket) ?? { newest: 0, forgotten: 0 }
  if (epochId <= forgotten)
    return final('EPOCH_CLOSED', 'the epoch is open', `epochs after ${forgotten}`, `epoch ${epochId}`)
  const rule = 'the epoch is released'
  // Epochs are released in order: one that is not known and lies before the newest cannot come any more.
  if (!window && epochId < newest)
    return final('EPOCH_NOT_OPEN', rule, `epoch ${newest} or later`, `epoch ${epochId}, never seen released`)
  return WAIT
}

export const tooEarly = ({ epochId }: Submission, last: number): Extract<Judgement, { kind: 'final' }> => ({
  kind: 'final',
  reason: 'EPOCH_TOO_FAR',
  evidence: { rule: TOO_EARLY_RULE, expected: `at most ${last}`, actual: `${epochId}` },
})

function judgeHeaderForm({ header }: Submission): Judgement | undefined {
  if (BLOCK_HASH.test(header)) return undefined
  return final('UNKNOWN_HEADER', 'the header is a block hash', '0x and 64 lower-case hex digits', excerpt(header))
}

const final = (reason: VerdictReason, rule: string, expected: string, actual: string): Judgement => ({
  kind: 'final',
  reason,
  evidence: { rule, expected, actual },
})

const WAIT: Judgement = { kind: 'wait' }
const SIMULATION = final('SIMULATION', 'epoch 0 is a simulation: checked, not counted', '0', '0')
