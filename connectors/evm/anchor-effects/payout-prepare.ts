/** The dry run of a payout: the part that the contract lacks, whether it can be sent now, and its gas. */
import { isNone } from '../../../schemas/none.ts'
import type { AnchorIntent, AnchorKey, AnchorResult, PayoutAnswer } from '../../../schemas/types.ts'
import type { Ask } from '../nodes/ask.ts'
import { cappedQuantity } from '../nodes/rpc-values.ts'
import { dryRun, type Head, headerOf, readContract } from './anchor-chain.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { withGas } from './anchor-prepare.ts'
import { NotForLong, NotYet, resultOf } from './anchor-result.ts'
import { deepBlock, needSame } from './depth.ts'
import { answerOf, dayOver, waitsForQuota } from './payout-answer.ts'
import { rewardCall } from './payout-call.ts'
import { dayCounterOf, type PayoutQuestion, readFacts } from './payout-facts.ts'

export interface PayoutInput extends PayoutQuestion {
  readonly key: AnchorKey
  readonly intent: AnchorIntent
  readonly signer: string
}

/** The contract's day counter is below the payout's day: its owner put it back, or the day left the chain. Other days can go meanwhile. */
const DAY_AHEAD = 'DAY_AHEAD'
/** Slots that have earned the day are below a quota that was raised behind it, and there is time to put it back. Other days can go meanwhile. */
const QUOTA_RAISED = 'QUOTA_RAISED'
/** Share of the day behind it up to which such a payout waits; the rest is for its calls. */
const WAITS_UNTIL = 3 / 4

/**
 * READY with what is to be sent, ALREADY_ANCHORED when nothing is, REVERTED with E38 when the contract takes nothing of the day
 * any more, with DAY_AHEAD when it does not take it yet, with QUOTA_RAISED while slots wait for a lower quota, or with the code with which it
 * refuses the call now. All reads go to one node.
 * @throws NotYet when what the node says may still change by a reorg, or when the node is behind
 */
export async function preparePayout(ask: Ask, input: PayoutInput, settings: AnchorSettings): Promise<AnchorResult> {
  const { key, intent, payout, signer } = input
  const order = intent.payout!
  const head = (await headerOf(ask, 'latest', settings.contractBlock))!
  await needBlock(ask, order.afterBlock, order.afterHash, head, settings)
  const counter = await dayCounterOf(ask, input, head.number)
  if (counter < payout.payoutOf) return resultOf(intent, 'REVERTED', { error: DAY_AHEAD })
  const facts = await readFacts(ask, input, head.number)
  if (isOver(counter, payout.payoutOf)) return refusedForGood(ask, input, dayOver(payout, facts), head, settings)
  const answer = answerOf(payout, facts, order.quota)
  if (waitsForQuota(facts, answer) && (await hasTime(ask, input, counter, head)))
    return resultOf(intent, 'REVERTED', { error: QUOTA_RAISED })
  await needSame(ask, head, settings)
  if (isNothing(answer)) return nothingToSend(ask, input, answer, head, settings)
  const call = rewardCall(key, answer, payout, input.protocolState)
  const code = await dryRun(ask, signer, call, head.number)
  if (code === 'E38') throw new NotYet('a day has begun since the contract was asked')
  if (code !== undefined) {
    settings.observer?.reverted?.(code, key)
    return resultOf(intent, 'REVERTED', { error: code })
  }
  const result = await withGas(ask, { key, intent, call, signer }, head, settings)
  return result.outcome === 'READY' ? { ...result, payout: answer } : result
}

const isOver = (counter: number, day: number): boolean => counter > day + 1

const isNothing = ({ slots }: PayoutAnswer): boolean => slots.every((bits) => bits === 0)

/** The contract takes calls of the day until the day behind the next one begins. */
async function hasTime(
  ask: Ask,
  { protocolState, dataMarket, payout }: PayoutInput,
  counter: number,
  { number }: Head,
): Promise<boolean> {
  if (counter <= payout.payoutOf) return true
  const read = (name: string) => readContract(ask, protocolState, name, [dataMarket], number)
  const [perDay] = await read('epochsInADay')
  const [, , epochId] = await read('currentEpoch')
  return isEarly(cappedQuantity(epochId, 'epochId'), cappedQuantity(perDay, 'epochsInADay'))
}

/** By the newest epoch; a day begins with each that is 1 modulo `perDay`. A contract with one epoch a day counts no days on. */
export const isEarly = (epochId: number, perDay: number): boolean =>
  perDay > 1 && ((epochId - 1) % perDay) + 1 < Math.ceil(perDay * WAITS_UNTIL)

/** An answer from before the newest call of ours would send what that one has sent. */
async function needBlock(ask: Ask, number: number, hash: string, head: Head, settings: AnchorSettings): Promise<void> {
  if (isNone(number)) return
  const block = number <= head.number ? await headerOf(ask, number, settings.contractBlock) : undefined
  if (block?.hash !== hash) throw new NotYet(`the node does not have block ${number} ${hash}, with the call before`)
}

async function refusedForGood(
  ask: Ask,
  { intent, key, payout, ...question }: PayoutInput,
  answer: PayoutAnswer,
  head: Head,
  settings: AnchorSettings,
): Promise<AnchorResult> {
  const block = deepBlock(head, settings)
  if (block === undefined || !isOver(await dayCounterOf(ask, question, block), payout.payoutOf))
    throw new NotYet(`day ${payout.payoutOf} is over, but may not be after a reorg`)
  await needSame(ask, head, settings)
  if (answer.leftOut.length === 0) return resultOf(intent, 'ALREADY_ANCHORED', { payout: answer })
  settings.observer?.reverted?.('E38', key)
  return resultOf(intent, 'REVERTED', { error: 'E38', payout: answer })
}

/** Nothing is lacking, and nothing was at the depth. */
async function nothingToSend(
  ask: Ask,
  input: PayoutInput,
  answer: PayoutAnswer,
  head: Head,
  settings: AnchorSettings,
): Promise<AnchorResult> {
  const { intent, payout } = input
  const block = deepBlock(head, settings)
  const then =
    block === undefined ? undefined : answerOf(payout, await readFacts(ask, input, block), intent.payout!.quota)
  if (!then || !isNothing(then)) throw new NotForLong('the contract has it, but not deep enough')
  return resultOf(intent, 'ALREADY_ANCHORED', { payout: answer })
}
