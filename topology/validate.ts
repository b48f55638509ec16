/**
 * Is it a submission of a served market, signed by the owner of its slot, for an epoch that is open, against a block of it?
 * Checks in this order: market, form, signature, slot, flagged, epoch, deadline, header. What comes before its epoch waits.
 */
import type { EpochMarker, SlotEpochKey, Submission, SubmissionKey, VerdictReason } from '../schemas/types.ts'
import { type ChainView, createChainView } from './chain-view.ts'
import { isContested } from './contested.ts'
import { excerpt, formFault } from './form.ts'
import { accept, type Decision, passOn, type StageSupplier, settle } from './gate.ts'
import { type Candidate, createJudge, type Judge, type Judgement } from './judge.ts'
import { asBuffer } from './keccak.ts'
import { createParking, type Parking, type Place } from './parking.ts'
import { overQuota, quotaOf } from './quota.ts'
import { type MarketRules, marketRulesLookup, type ProtocolRules } from './rules.ts'
import { prepareSubmissions, type Recovered } from './signature.ts'
import type { Stores } from './stores.ts'
import type { SubmissionEvent, Topics } from './topics.ts'
import { duplicateOf, type Evidence } from './verdict.ts'

const STAGE = 'validate'
type Outcome = Decision<SlotEpochKey, SubmissionEvent>

export const validateSubmission =
  (
    rules: ProtocolRules,
    topics: Pick<Topics, 'slots' | 'submissions'>,
    stores: Pick<Stores, 'heads' | 'epochs' | 'markets' | 'parked'>,
  ): StageSupplier<SubmissionKey, SubmissionEvent, SlotEpochKey, SubmissionEvent> =>
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
      parking: createParking(context.store(stores.parked)),
      rulesOf: marketRulesLookup(rules),
      owns: (dataMarket, { epochId, projectId }) =>
        context.owns(topics.submissions.key.encode({ dataMarket, epochId, projectId })),
    }
    const recover = prepareSubmissions(rules)
    return {
      decide(_, value) {
        const { partition, offset } = context.origin
        const received = { ...(value as Submission), position: { partition, offset }, contested: false }
        // The runtime recovers the signers of a whole fetched batch ahead of the task; where it does not, it is done here.
        return decide(state, received, (context.prepared as Recovered | undefined) ?? recover([received])[0]!)
      },
      onMarker: (marker) => followMarker(state, marker as EpochMarker),
    }
  }

interface State {
  readonly rules: ProtocolRules
  readonly rulesOf: (dataMarket: string) => MarketRules
  readonly chain: ChainView
  readonly judge: Judge
  readonly parking: Parking
  /** Whether it lies in the partition of its own key. */
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
  return park(state, { submission, signer })
}

/** The first copy in the log waits; what an owner signs beyond its places is over its quota. */
function park({ parking, chain, rules, rulesOf }: State, candidate: Candidate): Outcome[] {
  const { submission, signer } = candidate
  const market = rulesFor({ rulesOf }, submission)
  const { dataMarket } = market
  const copy = parking.copyOf(dataMarket, candidate)
  if (copy) {
    if (isContested(copy.submission, submission)) parking.contest(dataMarket, copy)
    return [refuse({ chain }, submission, 'DUPLICATE', duplicateOf(copy.submission))]
  }
  const isJudged = chain.head() !== undefined
  const quota = quotaOf(market, market.fullNodes.includes(signer))
  const room = {
    // Before the first block nobody's slot can be looked up: until then all share one room.
    total: isJudged ? Number.POSITIVE_INFINITY : rules.parkedMax,
    // One more than count: with it `admit` sees that the owner has signed too many.
    perEpoch: quota.signedMax + 1,
    // Which epochs may come is known once one has: until then nobody waits for more of them than could.
    epochs: chain.market(dataMarket)?.newest ? Number.POSITIVE_INFINITY : market.epochsAhead + 1,
  }
  switch (parking.park(dataMarket, candidate, room)) {
    case 'parked':
      return []
    case 'over-quota':
      return [refuse({ chain }, submission, 'RATE_LIMITED', overQuota(quota))]
    case 'no-room':
      return [
        refuse({ chain }, submission, 'EPOCH_NOT_OPEN', noRoom(isJudged ? room.epochs : rules.parkedMax, isJudged)),
      ]
  }
}

/** The chain moves; what was waiting for that is judged, in the order of the log. */
function followMarker(state: State, marker: EpochMarker): Outcome[] {
  const { chain } = state
  const { kind, dataMarket, epochId } = marker.tick
  if (kind === 'CLOSE') {
    chain.apply(marker.tick)
    return [passOn<SubmissionEvent>(marker)]
  }
  const isFirst = chain.head() === undefined
  chain.apply(marker.tick)
  // An OPEN lets its own epoch's in, and tells those of earlier epochs, and those too far ahead, that they wait in vain. The
  // others wait on, whatever else is true now: in the midst of a reorganisation the newest block is not one to judge them by.
  if (kind === 'OPEN') {
    const lastAwaited = epochId + state.rulesOf(dataMarket).epochsAhead
    return judgeAgain(
      state,
      { dataMarket },
      ({ submission: { epochId: theirs } }) => theirs <= epochId || theirs > lastAwaited,
      state.judge.judgeWaiting,
    )
  }
  if (kind === 'ORPHAN') return []
  return [...turnAway(state, marker), ...(isFirst ? judgeAgain(state, {}, everyone, state.judge.judge) : [])]
}

/** No further epoch of a market that is removed is opened: who waits for one waits in vain. */
function turnAway(state: State, { tick }: EpochMarker): Outcome[] {
  const outcomes: Outcome[] = []
  for (const { dataMarket, served } of tick.markets) {
    if (served) continue
    state.parking.release({ dataMarket }, ({ submission }) => {
      const window = state.chain.epoch(dataMarket, submission.epochId)
      if (window?.state === 'OPEN' || window?.state === 'AWAITED') return false // that one still closes
      outcomes.push(refuse(state, submission, 'UNKNOWN_MARKET', removed(tick.blockNumber)))
      return true
    })
  }
  return outcomes
}

function judgeAgain(
  state: State,
  where: Place,
  concerns: (candidate: Candidate) => boolean,
  judge: Judge['judge'],
): Outcome[] {
  const outcomes: Outcome[] = []
  state.parking.release(where, (candidate) => {
    if (!concerns(candidate)) return false
    const judgement = judge(candidate, rulesFor(state, candidate.submission))
    if (judgement.kind === 'wait') return false
    outcomes.push(outcomeOf(state, candidate, judgement))
    return true
  })
  return outcomes
}

const everyone = (_: Candidate): boolean => true

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

/** The one rule by which submissions of other epochs decide about one: before a first block, or a first epoch, is known. */
export const NO_ROOM_RULE = 'not more submissions wait than there is room for'

/** Which of two copies is first would be chance if they lay in two partitions. */
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
  expected: isJudged
    ? `at most ${max} epochs of one owner before the first release`
    : `at most ${max} before the first block`,
  actual: 'one more',
})
