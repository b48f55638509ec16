/** The effects of one intent on a scripted node, with a batch and a payout in the log. */

import { BatchGone } from '../../../../connectors/evm/anchor-effects/anchor-batches.ts'
import { callOf, headerOf } from '../../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { createEffects } from '../../../../connectors/evm/anchor-effects/anchor-effects.ts'
import {
  ANCHOR_DEFAULTS,
  type AnchorSettings,
  type IntentRefused,
} from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import type { EffectsPorts } from '../../../../connectors/evm/anchor-effects/effects-ports.ts'
import { rewardCall } from '../../../../connectors/evm/anchor-effects/payout-call.ts'
import { dataMarketInterface } from '../../../../connectors/evm/contract/abi.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { payoutKey } from '../../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey, AnchorResult, Batch, Payout } from '../../../../schemas/types.ts'
import { eventLog, intentOf, KEY, LIMITS, MARKET, STATE, scripted, signer } from './scripted-send.ts'

export const BATCH = {
  projectIds: ['one'],
  snapshotCids: ['bafone'],
  finalizedCidsRootHash: `0x${'44'.repeat(32)}`,
} as unknown as Batch
const payout = { payoutOf: 1, purpose: 'COUNTS', slotIds: [1, 2], submissions: [3, 4] } as unknown as Payout

export const BATCH_CALL = callOf(KEY, intentOf([]), BATCH, STATE)
export const REWARD_KEY = payoutKey(MARKET, 5, 0)
export const REWARD_ORDER = {
  ...{ firstOffset: 0, quota: 1, afterBlock: -1, afterHash: '', eligibleNodes: 0, contractQuota: 1 },
  numberFound: false,
  slots: Buffer.from([3]),
}
const reward = rewardCall(REWARD_KEY, REWARD_ORDER, payout, STATE)
export const REWARD_CALL = { to: reward.to, data: reward.data }

/** Waits for heads after which an intent without an answer is left alone. */
const TURNS = 12

/** Carries out one intent on its own: what was answered, what nodes were sent, what was told of, and whether the process failed. */
export async function carriedOut(
  key: AnchorKey,
  intent: AnchorIntent,
  { offset = 0, transactionGasMax = 0, batchIsLost = false, mined = '', heldBatch = BATCH, showsHeads = false } = {},
) {
  const { node, ask: askNode } = scripted()
  node.noncePending = 8 // what is sent lies in its pool
  if (mined !== '')
    node.receipts.set(mined, { block: 5, status: 1, gasUsed: 1, logs: [eventLog('SnapshotBatchSubmitted')] })
  const eligible = dataMarketInterface.getFunction('eligibleNodesForDay')!
  const ask: Ask = async (method, params, ...more) => {
    const [call] = params as [{ data?: string }]
    if (method === 'eth_call' && call.data?.startsWith(eligible.selector))
      return dataMarketInterface.encodeFunctionResult(eligible, [0])
    return askNode(method, params, ...more)
  }
  const results: AnchorResult[] = []
  const refused: [AnchorKey, IntentRefused][] = []
  const failures: unknown[] = []
  let signatures = 0
  let turns = 0
  let time = 0
  const stop = new AbortController()
  const settings = {
    ...{ ...ANCHOR_DEFAULTS, chainId: 1, confirmations: 3, limits: LIMITS, transactionGasMax },
    protocolStateOf: () => STATE,
    observer: {
      intentRefused: (of: AnchorKey, told: IntentRefused) => void refused.push([of, told]),
      signed: () => void signatures++,
    },
  } as unknown as AnchorSettings
  let done = (): void => {}
  const answered = new Promise<void>((resolve) => {
    done = resolve
  })
  const ports = {
    rpc: {
      read: (reading: (ask: Ask) => unknown) => reading(ask),
      agree: (reading: (ask: Ask) => unknown) => reading(ask),
      agreeing: async (reading: (ask: Ask) => unknown) => [{ node: 0, value: await reading(ask) }],
      each: (reading: (ask: Ask) => unknown) => [reading(ask)],
      doubt: () => {},
    },
    heads: {
      head: undefined,
      done: Promise.resolve(),
      changed: async (_seen: unknown, _ms: number, until: AbortSignal) => {
        await new Promise((resolve) => setImmediate(resolve))
        node.head++
        time += 1_000
        if (++turns > TURNS || until.aborted) done()
        return showsHeads ? headerOf(ask, node.head, 'number') : undefined
      },
    },
    clock: { now: () => time, sleep: async () => {} },
    answers: {
      write: async (_: AnchorKey, result: AnchorResult) => {
        results.push(result)
        if (result.outcome !== 'MINED') done()
      },
      close: async () => {},
    },
    signers: [signer],
    batches: {
      summary: async () => {
        if (batchIsLost) throw new BatchGone('gone')
        return heldBatch
      },
    },
    payouts: { one: async () => payout },
    signal: stop.signal,
    fail(error: unknown) {
      if (!stop.signal.aborted) failures.push(error)
      done()
    },
  } as unknown as EffectsPorts
  const effects = createEffects(settings, ports)
  effects.take({ key, intent, offset })
  await answered
  stop.abort()
  await effects.ended()
  return { results, refused, failures, signatures, sent: node.sent }
}
