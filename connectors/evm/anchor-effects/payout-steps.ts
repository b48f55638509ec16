/** The steps of a payout that differ from the steps of a batch. */
import type { AnchorIntent, AnchorKey, AnchorResult, Payout } from '../../../schemas/types.ts'
import type { Clock } from '../../../streams/ports.ts'
import { agreedPrepare } from '../agreed-readings.ts'
import { EvmError } from '../errors.ts'
import type { Rpc } from '../nodes/rpc.ts'
import type { Receipt } from './anchor-chain.ts'
import type { AnchorSettings } from './anchor-options.ts'
import type { PayoutReader } from './anchor-payouts.ts'
import { NotYet, resultOf } from './anchor-result.ts'
import { rewardsOf } from './day-rewards.ts'
import { outcomeOf } from './payout-answer.ts'
import { type PayoutQuestion, readFacts } from './payout-facts.ts'
import { preparePayout } from './payout-prepare.ts'

export interface PayoutStepPorts {
  readonly rpc: Pick<Rpc, 'read' | 'agreeing' | 'doubt'>
  readonly payouts: PayoutReader
  readonly clock: Pick<Clock, 'now'>
}

/** So long a dry run is made again for what other days may not meet; then these have their turn. */
const WAIT_MS_MAX = 60_000

const NONE_PAID: ReadonlySet<number> = new Set()

/** True of failures that are not definite yet, or that a node refuses, as events of a day that it does not keep. An outage is of all days. */
const mayBeOfThisDay = (error: unknown): boolean =>
  error instanceof NotYet || (error instanceof EvmError && !OF_ALL_DAYS.includes(error.code))
const OF_ALL_DAYS: readonly EvmError['code'][] = ['UNREACHABLE', 'FENCED', 'SIGNER_KEY']

export type PayoutSteps = ReturnType<typeof createPayoutSteps>

export function createPayoutSteps(
  { protocolStateOf, ...settings }: AnchorSettings,
  { rpc, payouts, clock }: PayoutStepPorts,
) {
  const begun = new WeakMap<AnchorIntent, number>()
  const questionOf = (
    key: AnchorKey,
    intent: AnchorIntent,
    payout: Payout,
    until: AbortSignal,
  ): Omit<PayoutQuestion, 'paidFrom' | 'paid'> => {
    const { dataMarket } = key
    const run = () => payouts.run(dataMarket, intent.payout!.firstOffset, until)
    return { protocolState: protocolStateOf(dataMarket).toLowerCase(), dataMarket, payout, run }
  }
  return {
    async prepare(key: AnchorKey, intent: AnchorIntent, signer: string, until: AbortSignal): Promise<AnchorResult> {
      const payout = await payouts.one(key.dataMarket, intent.batchOffset, until)
      const input = {
        ...questionOf(key, intent, payout, until),
        paidFrom: payout.firstBlock,
        paid: NONE_PAID,
        key,
        intent,
        signer,
      }
      const since = begun.get(intent) ?? clock.now()
      begun.set(intent, since)
      try {
        return await agreedPrepare(rpc, (ask) => preparePayout(ask, input, { ...settings, protocolStateOf }))
      } catch (error) {
        if (!mayBeOfThisDay(error) || clock.now() - since < WAIT_MS_MAX) throw error
        return resultOf(intent, 'FAILED', { error: (error as Error).message })
      }
    },

    /** The outcome for each slot, as of the block of the call. Nothing where its state is gone. */
    async outcome(
      key: AnchorKey,
      intent: AnchorIntent,
      { blockNumber, logs }: Receipt,
      until: AbortSignal,
    ): Promise<Partial<AnchorResult>> {
      const sent = intent.payout!
      try {
        const payout = await payouts.one(key.dataMarket, intent.batchOffset, until)
        const of = questionOf(key, intent, payout, until)
        const rewards = rewardsOf(logs, of).filter(({ day }) => day === payout.payoutOf)
        const paid = new Set(rewards.map(({ slotId }) => slotId))
        // A slot of the call was paid by it, or behind it in its block, or never; and nobody asks for the number.
        const question = { ...of, paid, paidFrom: blockNumber, run: async () => [] }
        const facts = await rpc.read((ask) => readFacts(ask, question, blockNumber))
        return { payout: outcomeOf(payout, sent, facts) }
      } catch (error) {
        if (error instanceof EvmError && error.code === 'STATE_MISSING') return {}
        throw error
      }
    },
  }
}
