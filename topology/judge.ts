/** The rules that depend on the chain: whose slot it is, whether the epoch takes submissions, which block was signed against. */
import type { SlotKey, SlotOwner, SlotOwnership, Submission, VerdictReason } from '../schemas/types.ts'
import type { GlobalTable } from '../streams/global-table.ts'
import type { ChainView } from './chain-view.ts'
import { excerpt } from './form.ts'
import type { MarketRules } from './rules.ts'
import type { Evidence } from './verdict.ts'

/** `wait`: nothing can be said before the first head, or before the epoch opens. */
export type Judgement =
  /** `headerBlock`: number of the block that the header names, -1 while no such block is known (`consensus` looks again). */
  | { readonly kind: 'valid'; readonly headerBlock: number }
  | { readonly kind: 'wait' }
  | { readonly kind: 'final'; readonly reason: VerdictReason; readonly evidence: Evidence }

export interface Candidate {
  readonly submission: Submission
  /** Recovered address, lower case. */
  readonly signer: string
}

export interface Judge {
  /** As of the newest head: who owns the slot, is the signer flagged, is it a simulation, and the rules of the epoch. */
  judge(candidate: Candidate, market: MarketRules): Judgement
  /**
   * The same for one that waits for its epoch. Its deadline was judged when it came. What is left to judge is the same for
   * all that an owner has waiting, so that all of them reach the quota, or none.
   */
  judgeWaiting(candidate: Candidate, market: MarketRules): Judgement
}

/** The clock says so of a slot whose owner changed too often (connectors/evm/slot-table.ts). */
const SUSPENDED = ''

const BLOCK_HASH = /^0x[0-9a-f]{64}$/

export function createJudge(chain: ChainView, slots: GlobalTable<SlotKey, SlotOwner>): Judge {
  const judgeSigner = ({ submission, signer }: Candidate, market: MarketRules, head: number): Judgement | undefined => {
    const ownership = judgeOwner(submission.slotId, signer, head, slots)
    if (ownership) return ownership
    if (market.flagged.includes(signer))
      return final('FLAGGED', 'the signer is not flagged', 'a signer that is not flagged', signer)
    return submission.epochId === 0 ? SIMULATION : undefined
  }

  return {
    judge(candidate, market) {
      const head = chain.head()
      const { submission } = candidate
      if (!head) return judgeHeaderForm(submission) ?? WAIT
      const signer = judgeSigner(candidate, market, head.number)
      if (signer) return signer
      const epoch = judgeEpoch(submission, market, chain)
      if (epoch?.kind === 'final') return epoch
      return (
        judgeDeadline(submission, head.number) ??
        judgeHeaderForm(submission) ??
        epoch ??
        judgeHeader(submission, market, chain)
      )
    },

    judgeWaiting(candidate, market) {
      const head = chain.head()
      if (!head) return WAIT
      const { submission } = candidate
      return (
        judgeSigner(candidate, market, head.number) ??
        judgeEpoch(submission, market, chain) ?? {
          kind: 'valid',
          headerBlock: chain.blockOf(submission.header)?.number ?? -1,
        }
      )
    },
  }
}

/** "The recovered address must own the slot": known, the owner's, active, as of the block. */
function judgeOwner(
  slotId: number,
  signer: string,
  blockNumber: number,
  slots: GlobalTable<SlotKey, SlotOwner>,
): Judgement | undefined {
  const slot = ownerAsOf(slots.get({ slotId }), blockNumber)
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

/** The newest ownership at or before the block. */
const ownerAsOf = (slot: SlotOwner | undefined, blockNumber: number): SlotOwnership | undefined =>
  slot?.history.findLast(({ sinceBlock }) => sinceBlock <= blockNumber)

/** An epoch takes submissions from its release to its close; up to `epochsAhead` early ones wait for it. */
function judgeEpoch({ epochId }: Submission, market: MarketRules, chain: ChainView): Judgement | undefined {
  const window = chain.epoch(market.dataMarket, epochId)
  if (window?.state === 'OPEN') return undefined
  if (window?.state === 'CLOSED')
    return final('EPOCH_CLOSED', 'the epoch is open', `before block ${window.closeBlock} in the log`, 'after it')
  const { newest, forgotten } = chain.market(market.dataMarket) ?? { newest: 0, forgotten: 0 }
  if (epochId <= forgotten)
    return final('EPOCH_CLOSED', 'the epoch is open', `epochs after ${forgotten}`, `epoch ${epochId}`)
  if (newest > 0 && epochId > newest + market.epochsAhead)
    return final(
      'EPOCH_TOO_FAR',
      `at most ${market.epochsAhead} epochs ahead of the newest`,
      `at most ${newest + market.epochsAhead}`,
      `${epochId}`,
    )
  const rule = 'the epoch is released'
  // Epochs are released in order: one that is not known and lies before the newest cannot come any more.
  if (!window && epochId < newest)
    return final('EPOCH_NOT_OPEN', rule, `epoch ${newest} or later`, `epoch ${epochId}, never seen released`)
  return WAIT
}

/** "The deadline is the last block at which it may be taken." */
function judgeDeadline({ deadline }: Submission, headNumber: number): Judgement | undefined {
  if (deadline >= headNumber) return undefined
  return final('DEADLINE_PASSED', 'the deadline is not over', `at least ${headNumber}`, `${deadline}`)
}

function judgeHeaderForm({ header }: Submission): Judgement | undefined {
  if (BLOCK_HASH.test(header)) return undefined
  return final('UNKNOWN_HEADER', 'the header is a block hash', '0x and 64 lower-case hex digits', excerpt(header))
}

/**
 * The header is a canonical block between the release of the epoch and now. One that is not known yet, which with a clock
 * some blocks behind the head is nearly every one, is looked at when the epoch closes: nothing waits here for a block.
 */
function judgeHeader({ header, epochId, contested }: Submission, market: MarketRules, chain: ChainView): Judgement {
  const block = chain.blockOf(header)
  if (contested) return { kind: 'valid', headerBlock: block?.number ?? -1 }
  if (!block) return { kind: 'valid', headerBlock: -1 }
  if (!block.canonical)
    return final('ORPHANED_HEADER', 'the header is on the chain', 'a canonical block', `${block.number}, orphaned`)
  const { releaseBlock } = chain.epoch(market.dataMarket, epochId)!
  if (block.number < releaseBlock)
    return final(
      'STALE_HEADER',
      'the header is not older than the release of the epoch',
      `block ${releaseBlock} or later`,
      `block ${block.number}`,
    )
  return { kind: 'valid', headerBlock: block.number }
}

const final = (reason: VerdictReason, rule: string, expected: string, actual: string): Judgement => ({
  kind: 'final',
  reason,
  evidence: { rule, expected, actual },
})

const WAIT: Judgement = { kind: 'wait' }
const SIMULATION = final('SIMULATION', 'epoch 0 is a simulation: checked, not counted', '0', '0')
