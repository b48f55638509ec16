/**
 * Is it a submission of a served market, signed by the owner of its slot, for an epoch that is open? Checks in this order:
 * market, form, signature, form of the header, slot, flagged, epoch. A submission that comes before its epoch waits.
 */

import { NO_TIME } from '../../schemas/none.ts'
import type {
  EpochMarker,
  ParkedSubmission,
  SlotEpochKey,
  Submission,
  SubmissionKey,
  VerdictReason,
} from '../../schemas/types.ts'
import { accept, type Decision, passOn, type StageSupplier, settle } from '../gate.ts'
import { type MarketRules, marketRulesLookup, type ProtocolRules } from '../rules.ts'
import { isContested } from '../shared/contested.ts'
import { asBuffer } from '../shared/keccak.ts'
import { overQuota, quotaOf } from '../shared/quota.ts'
import { prepareSubmissions, type Recovered } from '../shared/signature.ts'
import type { Stores } from '../stores.ts'
import type { Topics } from '../topics.ts'
import { duplicateOf, type Evidence } from '../verdict.ts'
import { type ChainView, createChainView } from './chain-view.ts'
import { arrivalOf, cameTooEarly, epochsAwaited } from './early.ts'
import { excerpt, formFault } from './form.ts'
import { type Candidate, createJudge, type Judge, type Judgement, tooEarly } from './judge.ts'
import { createWaitingRoom, type WaitingRoom, type Why } from './waiting-room.ts'

const STAGE = 'validate'
type Outcome = Decision<SlotEpochKey, Submission>

export const validateSubmission =
  (
    rules: ProtocolRules,
    topics: Pick<Topics, 'slots' | 'submissions'>,
    stores: Pick<Stores, 'heads' | 'epochs' | 'markets' | 'parked'>,
  ): StageSupplier<SubmissionKey, SlotEpochKey, Submission, Recovered> =>
  (context) => {
    const [heads, epochs, markets] = [stores.heads, stores.epochs, stores.markets] as const
    const configured = new Set(rules.markets.map(({ dataMarket }) => dataMarket))
    const chain = createChainView(context.store(heads), context.store(epochs), context.store(markets), {
      headsKept: rules.headsKept,
      configured,
    })
    const state: State = {
      rules,
      chain,
      judge: createJudge(chain, context.globalTable(topics.slots)),
      waitingRoom: createWaitingRoom(context.store(stores.parked)),
      rulesOf: marketRulesLookup(rules),
      owns: (dataMarket, { epochId, projectId }) =>
        context.owns(topics.submissions.key.encode({ dataMarket, epochId, projectId })),
    }
    const recover = prepareSubmissions(rules)
    return {
      decide(_, submission, recovered) {
        const { partition, offset } = context.origin
        const received = { ...submission, position: { partition, offset }, contested: false }
        // Signers are recovered for a whole fetch ahead of the task (recoveredSigners); where they are not, one is here.
        return decide(state, received, recovered ?? recover([received])[0]!)
      },
      onMarker: (marker) => followMarker(state, marker),
    }
  }

interface State {
  readonly rules: ProtocolRules
  readonly rulesOf: (dataMarket: string) => MarketRules
  readonly chain: ChainView
  readonly judge: Judge
  readonly waitingRoom: WaitingRoom
  /** True when the submission lies in the partition of its own key. */
  readonly owns: (dataMarket: string, submission: Submission) => boolean
}

function decide(state: State, received: Submission, recovered: Recovered): Outcome[] {
  const { signer, problem } = recovered
  const digest = asBuffer(recovered.digest)
  const dataMarket = received.dataMarket.toLowerCase()
  if (!state.chain.isServed(dataMarket)) return [refuse(state, received, 'UNKNOWN_MARKET', unserved(received))]
  if (!state.owns(dataMarket, received)) return [refuse(state, received, 'MALFORMED', MISPLACED)]
  const market = state.rulesOf(dataMarket)
  const fault = formFault(received, market)
  if (fault) return [refuse(state, { ...received, digest }, fault.reason, fault.evidence)]
  if (problem) return [refuse(state, { ...received, digest }, 'BAD_SIGNATURE', problem)]
  const submission = { ...received, digest }
  const judgement = state.judge.judge({ submission, signer }, market)
  if (judgement.kind !== 'wait') return [outcomeOf(state, { submission, signer }, judgement)]
  return wait(state, { submission, signer })
}

/** The first copy in the log waits; what an owner signs beyond its places is over its quota, or for too many epochs. */
function wait({ waitingRoom, chain, judge, rules, rulesOf }: State, candidate: Candidate): Outcome[] {
  const { submission, signer } = candidate
  const market = rulesFor({ rulesOf }, submission)
  const { dataMarket } = market
  const head = chain.head()
  const arrivedAt = arrivalOf(submission.receivedAt, head)
  const first = waitingRoom.copyOf(dataMarket, candidate)
  if (first) {
    waitingRoom.hearAgain(dataMarket, first, { arrivedAt, contests: isContested(first.submission, submission) })
    return [refuse({ chain }, submission, 'DUPLICATE', duplicateOf(first.submission))]
  }
  const quota = quotaOf(market, market.fullNodes.includes(signer))
  const room = {
    strangers: rules.parkedMax,
    total: rules.waitingMax,
    // One more than count: it shows `admit` that the owner has signed too many.
    perEpoch: quota.signedMax + 1,
    epochs: (newest: number) => epochsAwaited(newest, head, market),
  }
  const outcomes: Outcome[] = []
  const waiting = { ...candidate, arrivedAt, stranger: judge.isStranger(candidate) }
  const gaveWay = ({ submission: other }: Candidate, why: Why): void => {
    const { reason, evidence } = tooEarly(other, other.epochId - 1)
    outcomes.push(refuse({ chain }, other, reason, why === 'share' ? noShare(rules.waitingMax) : evidence))
  }
  switch (waitingRoom.enter(dataMarket, waiting, room, gaveWay)) {
    case 'waits':
      return outcomes
    case 'over-quota':
      return [refuse({ chain }, submission, 'RATE_LIMITED', overQuota(quota))]
    case 'no-room':
      outcomes.push(
        waiting.stranger
          ? refuse({ chain }, submission, 'EPOCH_NOT_OPEN', noRoom(rules.parkedMax, head !== undefined))
          : refuse({ chain }, submission, 'EPOCH_TOO_FAR', noShare(rules.waitingMax)),
      )
      return outcomes
    case 'no-place': {
      const { reason, evidence } = tooEarly(submission, submission.epochId - 1)
      return [refuse({ chain }, submission, reason, evidence)]
    }
  }
}

/** The chain moves; what was waiting for that is judged, in the order of the log. */
function followMarker(state: State, marker: EpochMarker): Outcome[] {
  const { chain } = state
  const { kind, dataMarket, epochId } = marker.tick
  if (kind === 'CLOSE') {
    chain.apply(marker.tick)
    return [passOn({ ...marker, blockTimes: timesOf(chain, marker.tick.acceptedHeaders) })]
  }
  const isFirst = chain.head() === undefined
  chain.apply(marker.tick)
  // An OPEN lets the submissions of its own epoch in, and tells submissions of earlier epochs, and those that came too early,
  // that they wait in vain. The others wait on, whatever else is true now: in the midst of a reorganisation the newest block is
  // not one to judge by.
  if (kind === 'OPEN') {
    const market = state.rulesOf(dataMarket)
    return judgeAgain(
      state,
      (theirs, awaited, arrivedFrom) =>
        theirs === dataMarket && (awaited <= epochId || cameTooEarly(awaited, arrivedFrom, marker.tick, market)),
      (waiting) => state.judge.judgeWaiting(waiting, market, marker.tick),
    )
  }
  if (kind === 'ORPHAN') return []
  const first = isFirst
    ? judgeAgain(
        state,
        () => true,
        (waiting) => state.judge.judge(waiting, rulesFor(state, waiting.submission)),
      )
    : []
  return [...turnAway(state, marker), ...first]
}

/** Seconds; 0 of a block that is not known any more. */
const timesOf = (chain: ChainView, hashes: readonly string[]): number[] =>
  hashes.map((hash) => chain.blockOf(hash)?.timestamp ?? NO_TIME)

/** No further epoch of a market that is removed is opened: who waits for one waits in vain. */
function turnAway(state: State, { tick }: EpochMarker): Outcome[] {
  const outcomes: Outcome[] = []
  for (const { dataMarket, served } of tick.markets) {
    if (served) continue
    const isTheirs = (market: string): boolean => market === dataMarket
    state.waitingRoom.release(isTheirs, ({ submission }) => {
      const window = state.chain.epoch(dataMarket, submission.epochId)
      if (window?.state === 'OPEN' || window?.state === 'AWAITED') return false // that epoch still closes
      outcomes.push(refuse(state, submission, 'UNKNOWN_MARKET', removed(tick.blockNumber)))
      return true
    })
  }
  return outcomes
}

function judgeAgain(
  state: State,
  isMeant: Parameters<WaitingRoom['release']>[0],
  judge: (waiting: ParkedSubmission) => Judgement,
): Outcome[] {
  const outcomes: Outcome[] = []
  state.waitingRoom.release(isMeant, (waiting) => {
    const judgement = judge(waiting)
    if (judgement.kind === 'wait') return false
    outcomes.push(outcomeOf(state, waiting, judgement))
    return true
  })
  return outcomes
}

function outcomeOf(
  state: State,
  { submission, signer }: Candidate,
  judgement: Exclude<Judgement, { kind: 'wait' }>,
): Outcome {
  if (judgement.kind === 'final') return refuse(state, submission, judgement.reason, judgement.evidence)
  const { epochId, slotId } = submission
  const { dataMarket, fullNodes } = rulesFor(state, submission)
  const { headerBlock } = judgement
  return accept(
    { dataMarket, epochId, slotId },
    { ...submission, signer, headerBlock, fullNode: fullNodes.includes(signer) },
  )
}

const refuse = (
  { chain }: Pick<State, 'chain'>,
  submission: Submission,
  reason: VerdictReason,
  evidence: Evidence,
): Outcome =>
  settle(submission.dataMarket.toLowerCase(), submission, reason, STAGE, chain.head()?.number ?? 0, evidence)

const rulesFor = ({ rulesOf }: Pick<State, 'rulesOf'>, { dataMarket }: Submission): MarketRules =>
  rulesOf(dataMarket.toLowerCase())

const unserved = ({ dataMarket }: Submission): Evidence => ({
  rule: 'the data market is served here',
  expected: 'a served data market',
  actual: excerpt(dataMarket),
})

/** The one rule by which submissions of others decide about one: who does not have its slot, as far as the log knows. */
export const NO_ROOM_RULE = 'not more submissions wait than there is room for'

/** Copies in two partitions would have no order, so a submission counts only in the partition of its key. */
const MISPLACED: Evidence = {
  rule: 'the record lies in the partition of its market, epoch and project',
  expected: 'that partition',
  actual: 'another',
}

const removed = (blockNumber: number): Evidence => ({
  rule: 'the data market is served until the epoch is released',
  expected: 'a served data market',
  actual: `removed at block ${blockNumber}`,
})

const noRoom = (max: number, isJudged: boolean): Evidence => ({
  rule: NO_ROOM_RULE,
  expected: isJudged ? `at most ${max} of signers who do not have the slot` : `at most ${max} before the first block`,
  actual: 'one more',
})

const noShare = (max: number): Evidence => ({
  rule: NO_ROOM_RULE,
  expected: `a fair share of the ${max} places of the task`,
  actual: 'more than others have',
})
