import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isPayout, payoutNumberOf } from '../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey, AnchorResult, NonceWindow, PaymentState } from '../../../schemas/types.ts'
import { type AnchorStage, anchorStage, READY } from './anchor-harness.ts'

const OUTCOMES = [
  ...(['READY', 'ALREADY_ANCHORED', 'SIGNED', 'MINED', 'FINAL', 'FILLED', 'REVERTED', 'STUCK'] as const),
  ...(['REORGED', 'NONCE_TAKEN', 'REJECTED', 'FAILED', 'SETTLED'] as const),
]
const ENDED: readonly (PaymentState | undefined)[] = ['FINAL', 'SUPERSEDED', 'UNPAID']
const GOOD = { PREPARE: 'READY', SIGN: 'SIGNED', KEEP: 'SETTLED' } as const
const ANSWER = {
  slots: Buffer.of(7),
  eligibleNodes: 2,
  quota: 9,
  contractQuota: 9,
  numberFound: false,
  paid: 0,
  present: 0,
  paidBefore: [],
  leftOut: [],
}

/** A run of so many payouts; or an answer to the payout of this number, well or not. */
const run = fc.record({
  day: fc.integer({ min: 1, max: 3 }),
  purpose: fc.constantFrom('COUNTS' as const, 'CLOSING' as const),
  parts: fc.integer({ min: 1, max: 3 }),
})
const event = fc.record({
  at: fc.nat(30),
  outcome: fc.constantFrom(...OUTCOMES),
  error: fc.constantFrom('', 'E04', 'E38', 'E48', 'DAY_AHEAD', 'DAY_CLOSED', 'OUT_OF_GAS'),
  block: fc.integer({ min: 1, max: 9 }),
})
const step = fc.oneof(
  { weight: 1, arbitrary: run },
  { weight: 3, arbitrary: event },
  { weight: 5, arbitrary: fc.nat(30) },
)

/** The answer of a well world to the intent in force; false when there is none. */
function help(stage: AnchorStage, key: AnchorKey): boolean {
  const intent = stage.intent(key)
  if (!intent || intent.step === 'DONE') return false
  const state = stage.payment(key)?.paymentState
  const isFiller = !isPayout(key) || intent.call === 'FILL'
  if (intent.step === 'PREPARE' && state === 'READY') return false // waits for its nonce
  const outcome =
    intent.step === 'SEND'
      ? isFiller
        ? 'FILLED'
        : state === 'MINED'
          ? 'FINAL'
          : 'MINED'
      : GOOD[intent.step as keyof typeof GOOD]
  const block = { blockNumber: intent.nonce + 10, blockHash: `0x${intent.nonce}` }
  const signed = { rawTransaction: `${intent.call} ${intent.nonce}`, transactionHash: '0xt' }
  stage.answer(key, outcome, { ...READY, nonce: 0, payout: outcome === 'READY' ? ANSWER : null, ...block, ...signed })
  return true
}

const isUnderWay = (stage: AnchorStage, key: AnchorKey): boolean => {
  const { step } = stage.intent(key) ?? {}
  return step === 'PREPARE' || step === 'SIGN' || (step === 'SEND' && stage.payment(key)?.paymentState !== 'MINED')
}

/** Asked again while another is on its way, a payout would be sent of what that one has sent. */
function checkOneAtATime(stage: AnchorStage, keys: readonly AnchorKey[]): void {
  const underWay = keys.filter((key) => isUnderWay(stage, key))
  const asking = underWay.filter((key) => stage.intent(key)!.step === 'PREPARE')
  expect(asking.length === 0 || underWay.length === 1, JSON.stringify(underWay)).toBe(true)
}

/** Whatever is put off: none of a day is asked for while an earlier one of that day waits. */
function checkOrderOfDays(stage: AnchorStage, keys: readonly AnchorKey[], dayOf: ReadonlyMap<AnchorKey, number>): void {
  for (const [at, key] of keys.entries()) {
    if (stage.intent(key)?.step !== 'PREPARE' || stage.payment(key)!.paymentState !== 'PLANNED') continue
    const waiting = keys
      .slice(0, at)
      .filter((one) => dayOf.get(one) === dayOf.get(key) && stage.payment(one)!.paymentState === 'PLANNED')
    expect(waiting, `${key.epochId}/${payoutNumberOf(key)} of day ${dayOf.get(key)}`).toEqual([])
  }
}

function checkNonces(stage: AnchorStage): void {
  const calls = new Map<number, string>()
  for (const { key, intent } of stage.intents) {
    if (intent.call === 'FILL' || intent.nonce < 0 || !isPayout(key)) continue
    const call = textOf(key, intent)
    expect(calls.get(intent.nonce) ?? call).toBe(call)
    calls.set(intent.nonce, call)
  }
}
const textOf = (key: AnchorKey, { payout }: AnchorIntent): string =>
  `${key.epochId}/${payoutNumberOf(key)} ${payout!.slots.toString()} ${payout!.eligibleNodes}`

it('behavior: one of a market is asked for at a time, one call has a nonce, and all of them end', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const stage = anchorStage({ noncesInFlightMax: 2 })
      const keys: AnchorKey[] = []
      const dayOf = new Map<AnchorKey, number>()
      let epochId = 0
      for (const one of steps) {
        if (typeof one === 'number') {
          const key = keys[one % Math.max(1, keys.length)]
          if (key) help(stage, key)
        } else if ('parts' in one) {
          const { day: payoutOf, purpose, parts } = one
          epochId++
          for (let part = 0; part < parts; part++) {
            const key = stage.payout(epochId, part, { payoutOf, purpose, part, parts })
            keys.push(key)
            dayOf.set(key, payoutOf)
          }
        } else answerWith(stage, keys[one.at % Math.max(1, keys.length)], one)
        checkOneAtATime(stage, keys)
        checkOrderOfDays(stage, keys, dayOf)
      }
      for (let turn = 0; turn < 2_000; turn++) {
        const all = [...keys, ...stage.intents.map(({ key }) => key).filter((key) => !isPayout(key))]
        if (!all.some((key) => help(stage, key))) break
      }
      checkNonces(stage)
      expect(keys.map((key) => stage.payment(key)?.paymentState).filter((state) => !ENDED.includes(state))).toEqual([])
      expect(stage.stores.get('anchor-progress')!.size).toBe(0)
      const window = stage.stores.get('anchor-window')!.get('window') as NonceWindow | undefined
      expect([window?.inFlight ?? [], window?.payouts ?? []]).toEqual([[], []])
    }),
    { numRuns: 300 },
  )
})

function answerWith(
  stage: AnchorStage,
  key: AnchorKey | undefined,
  { outcome, error, block }: { outcome: AnchorResult['outcome']; error: string; block: number },
): void {
  if (!key || !stage.intent(key)) return
  const signed = {
    rawTransaction: `raw ${block}`,
    transactionHash: '0xt',
    blockNumber: block,
    blockHash: `0xb${block}`,
  }
  stage.answer(key, outcome, { ...READY, error, payout: outcome === 'READY' ? ANSWER : null, ...signed })
}
