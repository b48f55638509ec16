/** What a contract makes of the payouts of the scenario, and the connector that calls it. */
import { Transaction, Wallet } from 'ethers'
import { answerOf, dayOver } from '../../../../connectors/evm/anchor-effects/payout-answer.ts'
import { hasBit, rewardCall } from '../../../../connectors/evm/anchor-effects/payout-call.ts'
import type { DayFacts } from '../../../../ops/check/audit/days/settlement.ts'
import type { AnchorIntent, AnchorKey, AnchorResult, Payout } from '../../../../schemas/types.ts'
import { resultOf } from '../../../topology/anchor/anchor-harness.ts'

const PROTOCOL_STATE = `0x${'c3'.repeat(20)}`
const QUOTA = 2
const wallet = new Wallet(`0x${'11'.repeat(32)}`)
/** Of every transaction. */
export const MINED_IN = { blockNumber: 40, blockHash: `0x${'66'.repeat(32)}` }

interface RewardDay {
  eligibleNodes: number
  remaining: number
  readonly counts: Map<number, number>
  readonly paid: Set<number>
}

export class RewardsContract {
  readonly days = new Map<string, RewardDay>()
  /** Nothing of these days is taken any more. */
  readonly daysOver: readonly number[]
  /** Slots that are burned. */
  readonly burned = new Set<number>()
  /** Slots that are marked as paid, and were paid nothing. */
  readonly inVain = new Set<number>()

  constructor(daysOver: readonly number[]) {
    this.daysOver = daysOver
  }

  day(dataMarket: string, day: number): RewardDay {
    const name = `${dataMarket}/${day}`
    const found = this.days.get(name) ?? { eligibleNodes: 0, remaining: 0, counts: new Map(), paid: new Set() }
    this.days.set(name, found)
    return found
  }

  async read(dataMarket: string, day: number, slotIds: readonly number[]): Promise<DayFacts> {
    const { eligibleNodes, remaining, counts, paid } = this.day(dataMarket, day)
    const slots = slotIds.map((slotId) => {
      const marked = paid.has(slotId)
      return { count: counts.get(slotId) ?? 0, marked, paid: marked && !this.inVain.has(slotId) }
    })
    return { eligibleNodes, remaining, share: 100n, slots }
  }

  async answersTo(
    { dataMarket }: AnchorKey,
    intent: AnchorIntent,
    payout: Payout,
    all: readonly Payout[],
  ): Promise<AnchorResult[]> {
    const { step, attempt } = intent
    const result = (fields: Partial<AnchorResult> & Pick<AnchorResult, 'outcome'>): AnchorResult =>
      resultOf({ step, attempt, ...fields })
    const run = all.filter(({ epochId, payoutOf, purpose }) =>
      [epochId, payoutOf, purpose].every((part, at) => part === [payout.epochId, payout.payoutOf, payout.purpose][at]),
    )
    if (step === 'PREPARE') {
      const facts = this.facts(dataMarket, payout, run)
      if (this.daysOver.includes(payout.payoutOf))
        return [result({ outcome: 'REVERTED', error: 'E38', payout: dayOver(payout, facts) })]
      const answer = answerOf(payout, facts, intent.payout!.quota)
      const isNothing = answer.slots.every((bits) => bits === 0)
      const ready = { signer: PROTOCOL_STATE, nonce: 0, gasLimit: 1, maxFeePerGas: '1', payout: answer }
      return [
        isNothing ? result({ outcome: 'ALREADY_ANCHORED', payout: answer }) : result({ outcome: 'READY', ...ready }),
      ]
    }
    if (step === 'SIGN') {
      const { to, data } = rewardCall({ dataMarket }, intent.payout!, payout, PROTOCOL_STATE)
      const { nonce } = intent
      const rawTransaction = await wallet.signTransaction({ to, data, nonce, chainId: 1, gasLimit: 1, gasPrice: 1 })
      return [result({ outcome: 'SIGNED', rawTransaction, transactionHash: Transaction.from(rawTransaction).hash! })]
    }
    this.updateRewards(dataMarket, intent, payout)
    const { hash: transactionHash } = Transaction.from(intent.rawTransactions.at(-1)!)
    const mined = { transactionHash: transactionHash!, ...MINED_IN }
    return [result({ outcome: 'MINED', ...mined }), result({ outcome: 'FINAL', ...mined })]
  }

  private facts(dataMarket: string, { payoutOf, slotIds, purpose }: Payout, run: readonly Payout[]) {
    const { eligibleNodes, remaining, counts, paid } = this.day(dataMarket, payoutOf)
    const slots = slotIds.map((slotId) => ({
      count: counts.get(slotId) ?? 0,
      isMarked: paid.has(slotId),
      isPaid: paid.has(slotId) && !this.inVain.has(slotId),
      isAvailable: !this.burned.has(slotId),
    }))
    const atQuota = run.flatMap(({ slotIds, submissions }) =>
      slotIds.filter((slotId, at) => submissions[at]! >= QUOTA && !this.burned.has(slotId)),
    )
    const eligibleLeft = purpose === 'CLOSING' && eligibleNodes === 0 ? atQuota.length : 0
    return { quota: QUOTA, eligibleNodes, remaining, slots, eligibleLeft }
  }

  private updateRewards(dataMarket: string, { payout: order }: AnchorIntent, payout: Payout): void {
    const at = this.day(dataMarket, payout.payoutOf)
    const { slots, eligibleNodes } = order!
    if (eligibleNodes > 0 && at.eligibleNodes === 0) Object.assign(at, { eligibleNodes, remaining: eligibleNodes })
    for (const [i, slotId] of payout.slotIds.entries()) {
      if (!hasBit(slots, i) || this.burned.has(slotId)) continue
      at.counts.set(slotId, payout.submissions[i]!)
      if (payout.submissions[i]! < QUOTA || at.eligibleNodes === 0) continue
      at.paid.add(slotId)
      at.remaining--
    }
  }
}
