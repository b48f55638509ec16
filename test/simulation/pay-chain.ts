/**
 * Payouts as the anchor's effects and the contract meet them in a simulated run: dry runs, calls that are made or refused, a chain
 * that goes back behind them, and another sequencer that tells and pays as well. What may never be, it throws.
 */
import { answerOf, dayOver, outcomeOf, waitsForQuota } from '../../connectors/evm/anchor-effects/payout-answer.ts'
import { hasBit, type SentCall, whyClosingNot } from '../../connectors/evm/anchor-effects/payout-call.ts'
import type { PayoutFacts } from '../../connectors/evm/anchor-effects/payout-facts.ts'
import { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import type { AnchorIntent, AnchorKey, AnchorResult, Payout, PayoutAnswer } from '../../schemas/types.ts'
import { type ContractNow, type RewardCall, RewardsContract, UNDERFLOW } from './rewards-contract.ts'

/** What the chain says of the days of the market, at the moment. */
export interface ContractDays {
  now(): ContractNow
  /** The day counter as of a block that stays. */
  settledDay(): number
}

export interface PayoutGiven {
  readonly payout: Payout
  /** All payouts of its run. */
  readonly run: readonly Payout[]
}

export interface PayoutIntent {
  readonly key: AnchorKey
  readonly intent: AnchorIntent
  readonly given: PayoutGiven
}

/** A call that was made. */
interface Made {
  readonly call: RewardCall
  readonly now: ContractNow
  /** Undefined: by the other sequencer. */
  readonly nonce: number | undefined
  /** The run of ours, and the quota that it was held to. */
  readonly run?: string
  readonly quota?: number
}

type Answered = Pick<AnchorResult, 'outcome'> & Partial<AnchorResult>

const RIVAL_CHANCE = 0.4
const RIVAL_CALLS_MAX = 3
const OWNER_CHANCE = 0.4
/** So often a payout is looked at again for a quota that was raised; then there is no time left. */
const WAITS_MAX = 3
const BACK_CHANCE = 0.3
/** What a call meets only when somebody else was faster: never of its own making. */
const DARK: readonly (string | undefined)[] = ['E47', 'E48', UNDERFLOW]

export class PayChain {
  private contract = new RewardsContract()
  private made: Made[] = []
  readonly days: ContractDays
  private readonly rival: SeededRandom | undefined
  /** The other sequencer fixes the number in a call of its own, and leaves it out of all others. */
  private readonly forgetsNumber: boolean
  private readonly owner: SeededRandom | undefined
  /** The quota that the owner of the market has set between two calls of a run. */
  private quota: number | undefined
  /** What somebody else may have changed, as of the newest look before each call: by its key. */
  private readonly seen = new Map<string, string>()
  /** The same as of the dry run. */
  private readonly looked = new Map<string, string>()
  /** Why the newest look said that the call must not be made: by its key. */
  private readonly forbidden = new Map<string, string>()
  /** How often a payout has waited for a quota: by its key. */
  private readonly waited = new Map<string, number>()
  private reorgs = 0
  /** How often each of what may happen was met. */
  readonly met = { races: 0, lost: 0, rival: 0, ahead: 0, waited: 0 }

  constructor(seed: number, days: ContractDays, hasRival: boolean) {
    this.days = days
    if (hasRival) this.rival = new SeededRandom(seed ^ 0x9a71)
    this.forgetsNumber = this.rival?.chance(0.4) ?? false
    const owner = new SeededRandom(seed ^ 0x9007a)
    if (owner.chance(OWNER_CHANCE)) this.owner = owner
  }

  get hasNewQuota(): boolean {
    return this.quota !== undefined
  }

  private now(): ContractNow {
    const now = this.days.now()
    return { ...now, quota: this.quota ?? now.quota }
  }

  rewards = (dataMarket: string, day: number) => this.contract.of(dataMarket, day)

  hasRivalIn = (dataMarket: string, day: number): boolean =>
    this.made.some(({ call, nonce }) => nonce === undefined && call.dataMarket === dataMarket && call.day === day)

  /**
   * The dry run. @param knows whether a block is on the chain @param firstLoose nonces from here on may leave the chain
   * @returns undefined when nothing definite can be said yet
   */
  prepare(
    { key, intent, given }: PayoutIntent,
    knows: (blockHash: string) => boolean,
    firstLoose: number,
  ): Answered | undefined {
    const { payoutOf: day } = given.payout
    const { afterBlock, afterHash, quota: heldTo } = intent.payout!
    if (afterBlock >= 0 && !knows(afterHash)) return undefined
    this.perhapsByRival(key.dataMarket, given)
    const now = this.now()
    if (now.dayCounter < day) {
      this.met.ahead++
      return { outcome: 'REVERTED', error: 'DAY_AHEAD' }
    }
    const facts = factsOf(this.contract, key, given, now)
    if (now.dayCounter > day + 1) {
      if (this.days.settledDay() <= day + 1) return undefined
      const answer = dayOver(given.payout, facts)
      if (answer.leftOut.length === 0) return { outcome: 'ALREADY_ANCHORED', payout: answer }
      return { outcome: 'REVERTED', error: 'E38', payout: answer }
    }
    const answer = answerOf(given.payout, facts, heldTo)
    if (this.hasTime(key) && waitsForQuota(facts, answer)) return this.waitFor(key)
    if (this.hasTime(key)) expectNoneGivenUp(given.payout, answer, facts)
    if (isNothing(answer)) {
      const settled = contractOf(this.made.filter(({ nonce }) => nonce === undefined || nonce < firstLoose))
      const then = answerOf(given.payout, factsOf(settled, key, given, now), heldTo)
      return isNothing(then) ? { outcome: 'ALREADY_ANCHORED', payout: answer } : undefined
    }
    const error = this.refusalOf(key, answer, given.payout)
    if (error !== undefined) return { outcome: 'REVERTED', error }
    this.looked.set(textOf(key), this.others())
    this.perhapsByRival(key.dataMarket, given)
    return { outcome: 'READY', payout: answer }
  }

  private hasTime(key: AnchorKey): boolean {
    return (this.waited.get(textOf(key)) ?? 0) < WAITS_MAX
  }

  /** Meanwhile the owner may put the quota back. */
  private waitFor(key: AnchorKey): Answered {
    this.waited.set(textOf(key), (this.waited.get(textOf(key)) ?? 0) + 1)
    this.met.waited++
    if (this.quota !== undefined && this.owner!.chance(BACK_CHANCE)) this.quota = this.days.now().quota
    return { outcome: 'REVERTED', error: 'QUOTA_RAISED' }
  }

  /** Why the call cannot be made now; undefined when it can. */
  refusal({ key, intent, given }: PayoutIntent): string | undefined {
    const refusal = this.refusalOf(key, intent.payout!, given.payout)
    if (refusal === undefined) {
      this.seen.set(textOf(key), this.others())
      this.forbidden.delete(textOf(key))
    } else this.forbidden.set(textOf(key), refusal)
    return refusal
  }

  /** The same of a transaction that is not mined: meanwhile somebody else may have called. */
  refusalOfStuck(stuck: PayoutIntent): string | undefined {
    this.perhapsByRival(stuck.key.dataMarket, stuck.given)
    return this.refusal(stuck)
  }

  /** Makes the call, in the transaction of this nonce. @returns why it was refused, or what became of its slots */
  make(
    { key, intent, given }: PayoutIntent,
    nonce: number,
  ): { readonly error: string } | { readonly payout: PayoutAnswer } {
    const { payout } = given
    const call = callOf(key, intent.payout!, payout)
    const why = this.forbidden.get(textOf(key))
    if (why !== undefined)
      throw new Error(`payout ${textOf(key)} was sent, though it was said that it must not: ${why}`)
    this.perhapsByRival(key.dataMarket, given) // in the same block, before it
    this.perhapsBack(intent.payout!)
    const now = this.now()
    const before = this.contract.of(call.dataMarket, call.day)
    const made = { call, now, run: runOf(key.dataMarket, payout), quota: intent.payout!.quota }
    const error = this.contract.updateRewards(call, now)
    const isAsSeen = this.seen.get(textOf(key)) === this.others()
    if (error !== undefined) {
      this.met.races++
      if (DARK.includes(error) && isAsSeen) throw new Error(`payout ${textOf(key)} met ${error} in the dark`)
      return { error }
    }
    if (this.looked.get(textOf(key)) === this.others()) this.expectDue(call, now, before, made)
    this.made.push({ ...made, nonce })
    this.perhapsByOwner(payout, call)
    const { paid, credited } = this.contract.of(call.dataMarket, call.day)
    const inVain = call.slotIds.find((slotId) => paid.has(slotId) && !credited.has(slotId))
    const isOfOwner = this.seen.get(textOf(key)) === this.others(intent.payout!.contractQuota) // whatever the quota has become, no slot is marked in vain
    if (inVain !== undefined && isOfOwner)
      throw new Error(`slot ${inVain} of day ${call.day} was marked as paid, and gets nothing`)
    const facts = factsOf(this.contract, key, given, now)
    return { payout: outcomeOf(payout, intent.payout!, facts) }
  }

  /** What may not be of a call since whose dry run nobody has done anything. */
  private expectDue(
    { slotIds, submissions, eligibleNodes, day }: RewardCall,
    { quota: now }: ContractNow,
    { counts }: Pick<ReturnType<RewardsContract['of']>, 'counts'>,
    { run, quota }: Required<Pick<Made, 'run' | 'quota'>>,
  ): void {
    const isPaying = eligibleNodes > 0
    for (const [i, slotId] of slotIds.entries()) {
      const count = submissions[i]!
      const isPaid = isPaying && count >= now
      if (isPaid && count < quota)
        throw new Error(`slot ${slotId} of day ${day} is paid for ${count}, and not for ${quota}`)
      if (!isPaid && count < (counts.get(slotId) ?? 0))
        throw new Error(`the count of slot ${slotId} of day ${day} goes down`)
    }
    const other = this.made.find(
      (one) => one.run === run && one.call.eligibleNodes > 0 && one.quota && one.quota !== quota,
    )
    if (isPaying && quota > 0 && other) throw new Error(`${run} is paid by the quotas ${other.quota} and ${quota}`)
  }

  /** The owner of the market changes the quota in the midst of a run, once. */
  private perhapsByOwner({ purpose, part, parts }: Payout, { eligibleNodes }: RewardCall): void {
    const { owner } = this
    if (!owner || this.hasNewQuota || purpose !== 'CLOSING' || part + 1 === parts) return
    if (eligibleNodes === 0 && !owner.chance(0.5)) return
    this.quota = Math.max(1, this.now().quota + owner.pick([-1, 1, 1000])!)
  }

  /** The owner puts the quota back ahead of a call of ours, in the same block. */
  private perhapsBack({ contractQuota }: Pick<PayoutAnswer, 'contractQuota'>): void {
    if (this.quota === undefined || this.quota !== contractQuota || !this.owner!.chance(0.5)) return
    this.quota = this.days.now().quota
  }

  /** The chain went back behind our transactions from this nonce on; those of the other sequencer are in the new blocks. */
  loseFrom(nonce: number): void {
    this.reorgs++
    const kept = this.made.filter((one) => one.nonce === undefined || one.nonce < nonce)
    this.met.lost += this.made.length - kept.length
    this.made = kept
    this.contract = contractOf(kept)
  }

  private refusalOf(key: AnchorKey, sent: SentCall, payout: Payout): string | undefined {
    const call = callOf(key, sent, payout)
    const { eligibleNodes, remaining } = this.contract.of(call.dataMarket, call.day)
    const now = this.now()
    const refusal = contractOf(this.made).updateRewards(call, now)
    if (refusal !== undefined) return refusal
    if (payout.purpose === 'COUNTS') return eligibleNodes > 0 ? 'DAY_CLOSED' : undefined
    return whyClosingNot(sent, { quota: now.quota, eligibleNodes, remaining })
  }

  /** All that is not our own doing. */
  private others(quota = this.now().quota): string {
    const { dayCounter, burned } = this.now()
    return [this.reorgs, this.met.rival, dayCounter, quota, ...burned].join()
  }

  /**
   * Another sequencer of the market has counted as well: the same, or less, or more, or other slots. It pays in several calls, of which one
   * may have the number alone, and another lack it.
   */
  private perhapsByRival(dataMarket: string, { run, payout }: PayoutGiven): void {
    const { rival } = this
    if (!rival || this.met.rival >= RIVAL_CALLS_MAX || !rival.chance(RIVAL_CHANCE)) return
    const now = this.now()
    const kept = run.flatMap(({ slotIds, submissions }) =>
      slotIds.map((slotId, i) => [slotId, submissions[i]! + (rival.chance(0.25) ? rival.below(3) - 1 : 0)] as const),
    )
    const { paid, eligibleNodes: there } = this.contract.of(dataMarket, payout.payoutOf)
    const left = kept.filter(([slotId]) => !paid.has(slotId))
    const isForgetful = this.forgetsNumber
    const share = isForgetful ? (there > 0 ? 0.8 : 0) : rival.pick([0, 0.6, 0.6, 1, 1])! // the number alone, some of them, all
    const told = left.filter(() => rival.chance(share))
    const reaching = (isForgetful || rival.chance(0.5) ? left : told).filter(
      ([slotId, count]) => count >= now.quota && !now.burned.has(slotId),
    ).length
    const call = {
      dataMarket,
      slotIds: told.map(([slotId]) => slotId),
      submissions: told.map(([, count]) => Math.max(0, count)),
      day: payout.payoutOf,
      eligibleNodes: (isForgetful ? there === 0 : rival.chance(0.7)) ? reaching + rival.pick([0, 0, 1, 4])! : 0,
    }
    if (this.contract.updateRewards(call, now) !== undefined) return
    this.met.rival++
    this.made.push({ call, now, nonce: undefined })
  }
}

/** While the quota may still come back, nobody loses the day for it. */
function expectNoneGivenUp(
  { purpose, slotIds, submissions, quota }: Payout,
  { leftOut }: PayoutAnswer,
  { eligibleNodes, remaining, slots, quota: now }: PayoutFacts,
): void {
  if (purpose !== 'CLOSING' || (eligibleNodes > 0 && remaining === 0)) return
  const lost = slotIds.find(
    (slotId, at) =>
      submissions[at]! >= quota &&
      submissions[at]! < now &&
      slots[at]!.isAvailable &&
      !slots[at]!.isMarked &&
      leftOut.some((one) => one.slotId === slotId && one.reason === 'QUOTA_RAISED'),
  )
  if (lost !== undefined) throw new Error(`slot ${lost} is given up for a quota that may be put back`)
}

function contractOf(made: readonly Made[]): RewardsContract {
  const contract = new RewardsContract()
  for (const { call, now } of made) contract.updateRewards(call, now)
  return contract
}

function factsOf(
  contract: RewardsContract,
  { dataMarket }: AnchorKey,
  { payout, run }: PayoutGiven,
  { quota, burned }: ContractNow,
): PayoutFacts {
  const { eligibleNodes, remaining, counts, paid, credited } = contract.of(dataMarket, payout.payoutOf)
  const slots = payout.slotIds.map((slotId) => ({
    count: counts.get(slotId) ?? 0,
    isMarked: paid.has(slotId),
    isPaid: credited.has(slotId),
    isAvailable: !burned.has(slotId),
  }))
  const atQuota = run.slice(payout.part).flatMap((one) => one.slotIds.filter((_, i) => one.submissions[i]! >= quota))
  const isNeeded = payout.purpose === 'CLOSING' && eligibleNodes === 0
  const eligibleLeft = isNeeded ? atQuota.filter((slotId) => !burned.has(slotId)).length : 0
  return { quota, eligibleNodes, remaining, slots, eligibleLeft }
}

function callOf(
  { dataMarket }: AnchorKey,
  { slots, eligibleNodes }: Pick<PayoutAnswer, 'slots' | 'eligibleNodes'>,
  { payoutOf: day, slotIds, submissions }: Payout,
): RewardCall {
  const isIn = (_: number, at: number): boolean => hasBit(slots, at)
  return { dataMarket, slotIds: slotIds.filter(isIn), submissions: submissions.filter(isIn), day, eligibleNodes }
}

const runOf = (dataMarket: string, { epochId, payoutOf, purpose }: Payout): string =>
  `${purpose} of day ${payoutOf} at epoch ${epochId} of ${dataMarket}`

const isNothing = ({ slots }: PayoutAnswer): boolean => slots.every((bits) => bits === 0)
const textOf = ({ dataMarket, epochId, batchIndex }: AnchorKey): string => `${dataMarket}/${epochId}/${batchIndex}`
