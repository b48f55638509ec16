import { describe, expect, it } from 'vitest'
import { isPayout, nonceKey, payoutKey, payoutNumberOf } from '../../../schemas/anchor-keys.ts'
import type { AnchorKey, PaymentState } from '../../../schemas/types.ts'
import { NONCES_PER_PAYOUT } from '../../../topology/anchor/anchor-queue.ts'
import {
  ANSWER,
  type AnchorStage,
  advanceTo,
  anchorStage,
  BLOCK,
  fieldsOf,
  LEFT_OUT,
  MARKET,
  type Outcome,
  type Phase,
  READY,
  READY_TO_PAY,
  SIGNER,
} from './anchor-harness.ts'

const OTHER_MARKET = '0x00000000000000000000000000000000000000bb'

function payoutIn(phase: Phase, rules = {}) {
  const stage = anchorStage(rules)
  const key = stage.payout(1, 0)
  advanceTo(stage, key, phase)
  return { stage, key }
}

const statesOf = (stage: AnchorStage, key: AnchorKey): PaymentState[] =>
  stage.payments
    .filter(({ key: { epochId, number } }) => epochId === key.epochId && number === payoutNumberOf(key))
    .map(({ row }) => row.paymentState)

const stepOf = (stage: AnchorStage, key: AnchorKey): string | undefined => stage.intent(key)?.step

const scopesIn = (stage: AnchorStage): number => stage.stores.get('anchor-progress')!.size

describe('a payout', () => {
  it('default: passes every step, each with its own intent, to FINAL', () => {
    const { stage, key } = payoutIn('FINAL')
    stage.answer(key, 'SETTLED')
    expect(stage.intents.map(({ intent: { step, call, attempt } }) => `${step} ${call} ${attempt}`)).toEqual([
      'PREPARE REWARD 1',
      'SIGN REWARD 2',
      'SEND REWARD 3',
      'KEEP REWARD 4',
      'DONE REWARD 5',
    ])
    expect(stage.intents[1]!.intent.payout).toMatchObject({ slots: ANSWER.slots, eligibleNodes: 2, quota: 9 })
    expect(statesOf(stage, key)).toEqual(['PLANNED', 'PLANNED', 'READY', 'READY', 'SENT', 'MINED', 'FINAL'])
    expect(stage.payment(key)).toMatchObject({
      ...{ sent: 2, present: 0, leftOut: [LEFT_OUT], eligibleNodes: 2, quota: 9, nonce: 7, ...BLOCK, error: '' },
      ...{ purpose: 'CLOSING', slots: 3, part: 0, parts: 1, payoutOffset: 0, reorgs: 0 },
    })
    expect(scopesIn(stage)).toBe(0)
  })

  it('behavior: nothing of it goes to anchors, and nothing of a batch to payments', () => {
    const { stage } = payoutIn('FINAL')
    expect(stage.rows).toEqual([])
    stage.batch(2, 0)
    expect(stage.rows).toHaveLength(1)
    expect(stage.payments.every(({ key }) => key.epochId === 1)).toBe(true)
  })

  it('behavior: the state of its epoch is dropped without it, and its own without the epoch', () => {
    const stage = anchorStage()
    const end = stage.summary(1, 0)
    const key = stage.payout(1, 0)
    advanceTo(stage, key, 'FINAL')
    advanceTo(stage, end, 'FINAL')
    stage.answer(end, 'SETTLED')
    expect(scopesIn(stage)).toBe(1)
    stage.answer(key, 'SETTLED')
    expect(scopesIn(stage)).toBe(0)
  })

  it('behavior: one that comes again is not planned again', () => {
    const { stage } = payoutIn('SIGNING')
    const sent = stage.intents.length
    stage.payout(1, 0)
    expect(stage.intents).toHaveLength(sent)
  })

  it('behavior: a run is kept until all of it has come and is done', () => {
    const stage = anchorStage()
    const key = stage.payout(1, 0, { parts: 2 })
    stage.answer(key, 'ALREADY_ANCHORED', { payout: { ...ANSWER, slots: Buffer.of(0) } })
    expect(scopesIn(stage)).toBe(1)
    const second = stage.payout(1, 1, { part: 1, parts: 2 })
    expect(stage.intent(second)!.payout).toMatchObject({ firstOffset: 0 })
    stage.answer(second, 'ALREADY_ANCHORED', { payout: ANSWER })
    expect(scopesIn(stage)).toBe(0)
  })
})

describe('transitions', () => {
  // phase, outcome, error → step and state that follow
  const table: [Phase, Outcome, string, string, PaymentState][] = [
    ['PREPARING', 'READY', '', 'SIGN', 'READY'],
    ['PREPARING', 'ALREADY_ANCHORED', '', 'DONE', 'FINAL'],
    ['PREPARING', 'REVERTED', 'E38', 'DONE', 'UNPAID'],
    ['PREPARING', 'REVERTED', 'E04', 'PREPARE', 'PLANNED'],
    ['PREPARING', 'REVERTED', 'E48', 'PREPARE', 'PLANNED'],
    ['PREPARING', 'FAILED', 'the payout is gone', 'PREPARE', 'PLANNED'],
    ['SIGNING', 'SIGNED', '', 'SEND', 'SENT'],
    ['SIGNING', 'FAILED', 'DAY_CLOSED', 'SIGN', 'READY'],
    ['SENDING', 'MINED', '', 'SEND', 'MINED'],
    ['SENDING', 'FINAL', '', 'KEEP', 'FINAL'],
    ['SENDING', 'REVERTED', 'E47', 'PREPARE', 'PLANNED'],
    ['SENDING', 'REVERTED', 'E38', 'PREPARE', 'PLANNED'],
    ['SENDING', 'FILLED', '', 'PREPARE', 'PLANNED'],
    ['SENDING', 'NONCE_TAKEN', '', 'PREPARE', 'PLANNED'],
    ['SENDING', 'STUCK', '', 'SIGN', 'SENT'],
    ['SENDING', 'REJECTED', 'E48', 'SIGN', 'SENT'],
    ['SENDING', 'REORGED', '', 'SEND', 'SENT'],
    ['MINED', 'REORGED', '', 'SEND', 'SENT'],
    ['MINED', 'FINAL', '', 'KEEP', 'FINAL'],
    ['MINED', 'REVERTED', 'REVERTED', 'PREPARE', 'PLANNED'],
    ['FINAL', 'SETTLED', '', 'DONE', 'FINAL'],
    ['FINAL', 'REORGED', '', 'SEND', 'SENT'],
    ['FINAL', 'REORGED', 'E48', 'PREPARE', 'PLANNED'],
  ]
  it.each(table)('behavior: %s, %s %s → %s, %s', (phase, outcome, error, step, state) => {
    const { stage, key } = payoutIn(phase)
    stage.answer(key, outcome, { ...fieldsOf(key, outcome), error })
    expect([stepOf(stage, key), stage.payment(key)!.paymentState]).toEqual([step, state])
  })

  it('behavior: what fails is tried again without end, ever more slowly, and only the day ends it', () => {
    const { stage, key } = payoutIn('PREPARING', { retryDelayMs: 100, retryDelayMsMax: 1_000, retriesMax: 2 })
    const delays = Array.from({ length: 40 }, () => {
      stage.answer(key, 'FAILED', { error: 'needs more gas than a transaction has' })
      return stage.intent(key)!.delayMs
    })
    expect(delays.slice(0, 5)).toEqual([100, 200, 400, 800, 1_000])
    expect(delays.at(-1)).toBe(1_000)
    stage.answer(key, 'REVERTED', { error: 'E38', payout: { ...ANSWER, slots: Buffer.alloc(0), eligibleNodes: 0 } })
    expect(stage.payment(key)).toMatchObject({ paymentState: 'UNPAID', error: 'E38', sent: 0, leftOut: [LEFT_OUT] })
    expect(scopesIn(stage)).toBe(0)
  })

  it('behavior: a signer that is no sequencer is asked for at a fixed pace', () => {
    const { stage, key } = payoutIn('PREPARING', { notSequencerDelayMs: 7_000 })
    for (let i = 0; i < 9; i++) stage.answer(key, 'REVERTED', { error: 'E04' })
    expect(stage.intent(key)!.delayMs).toBe(7_000)
  })

  it('behavior: a call that must not be made gives its nonce to a filler, whatever the reason', () => {
    const { stage, key } = payoutIn('SENDING')
    stage.answer(key, 'STUCK', { error: 'DAY_CLOSED', maxFeePerGas: '3000', maxPriorityFeePerGas: '200' })
    expect(stage.intent(key)).toMatchObject({ step: 'SIGN', call: 'FILL', nonce: 7 })
    stage.answer(key, 'SIGNED', { rawTransaction: '0xfill', transactionHash: '0xf' })
    stage.answer(key, 'FILLED', { ...BLOCK, transactionHash: '0xf' })
    expect(stage.intent(key)).toMatchObject({ step: 'PREPARE', call: 'REWARD', nonce: -1 })
    expect(stage.intent(nonceKey(SIGNER, 7))).toMatchObject({ step: 'KEEP', blockHash: '0xb' })
    expect(stage.payment(key)).toMatchObject({ paymentState: 'PLANNED', sent: 0, error: 'DAY_CLOSED' })
  })

  it('behavior: more gas is asked for after a call that ran out of it', () => {
    const { stage, key } = payoutIn('SENDING')
    stage.answer(key, 'REVERTED', { error: 'OUT_OF_GAS', ...BLOCK })
    expect(stage.intent(key)).toMatchObject({ step: 'PREPARE', gasLimit: 500_000 })
  })

  it('behavior: the chain went back behind it: the row says so, and the nonce is used again', () => {
    const { stage, key } = payoutIn('FINAL')
    stage.answer(key, 'REORGED')
    expect(statesOf(stage, key).slice(-2)).toEqual(['REORGED', 'SENT'])
    expect(stage.intent(key)).toMatchObject({ step: 'SEND', nonce: 7, rawTransactions: ['0xraw'] })
    expect(stage.payment(key)).toMatchObject({ reorgs: 1, sent: 2, eligibleNodes: 2 })
  })

  it('behavior: what was found out about slots once it was mined is told, beside what was known', () => {
    const { stage, key } = payoutIn('MINED')
    const lost = { slotId: 2, counted: 10, onChain: 0, reason: 'UNAVAILABLE' } as const
    stage.answer(key, 'FINAL', { ...BLOCK, payout: { ...ANSWER, leftOut: [lost, { ...LEFT_OUT, onChain: 99 }] } })
    expect(stage.payment(key)).toMatchObject({ sent: 2, leftOut: [lost, LEFT_OUT] })
  })

  it('behavior: a slot that was left out of the pay, and has got it after all, is not called unpaid', () => {
    const raised = { slotId: 1, counted: 10, onChain: 0, reason: 'QUOTA_RAISED' } as const
    const stage = anchorStage()
    const key = stage.payout(1, 0)
    stage.answer(key, 'READY', { ...READY, payout: { ...ANSWER, leftOut: [raised, LEFT_OUT] } })
    for (const outcome of ['SIGNED', 'MINED'] as const) stage.answer(key, outcome, fieldsOf(key, outcome))
    stage.answer(key, 'FINAL', { ...BLOCK, payout: { ...ANSWER, leftOut: [], paidBefore: [1, 3] } })
    expect(stage.payment(key)).toMatchObject({ leftOut: [LEFT_OUT], paidBefore: [] })
  })

  it('behavior: how many are paid is told when the look at the final call says so, and with what number', () => {
    const { stage, key } = payoutIn('MINED')
    expect(stage.payment(key)).toMatchObject({ eligibleNodes: 2, numberFound: false, paid: -1 })
    const outcome = { ...ANSWER, leftOut: [], paid: 1, eligibleNodes: 8, numberFound: true }
    stage.answer(key, 'FINAL', { ...BLOCK, payout: outcome })
    expect(stage.payment(key)).toMatchObject({ eligibleNodes: 8, numberFound: true, paid: 1 })
    stage.answer(key, 'REORGED')
    expect(stage.payment(key)).toMatchObject({ paymentState: 'SENT', paid: -1 })
    expect(stage.intent(key)!.payout).toMatchObject({ numberFound: true })
  })

  it('behavior: nor is it told when the state of its block was gone', () => {
    const { stage, key } = payoutIn('MINED')
    stage.answer(key, 'FINAL', BLOCK)
    expect(stage.payment(key)).toMatchObject({ eligibleNodes: 2, paid: -1 })
  })

  it('behavior: a stale result changes nothing', () => {
    const { stage, key } = payoutIn('SENDING')
    const before = stage.intents.length
    stage.result(key, { ...stage.intents.at(-1)!.intent, outcome: 'FINAL', attempt: 2 } as never)
    expect(stage.intents).toHaveLength(before)
  })
})

describe('the order of payouts', () => {
  it('behavior: the next of a market is prepared when the one before is mined, on top of its block', () => {
    const stage = anchorStage()
    const [first, second] = [stage.payout(1, 0, { parts: 2 }), stage.payout(1, 1, { part: 1, parts: 2 })]
    expect(stage.intent(second)).toBeUndefined()
    advanceTo(stage, first, 'SENDING')
    expect(stage.intent(second)).toBeUndefined()
    stage.answer(first, 'MINED', BLOCK)
    const { payout } = stage.intent(second)!
    expect(payout).toMatchObject({ afterBlock: 50, afterHash: '0xb', quota: 9, firstOffset: 0 })
  })

  it.each([
    ['no number', { eligibleNodes: 0 }],
    ['the number of somebody else, and is to pay nobody', { eligibleNodes: 5, quota: 0 }],
  ])(
    'behavior: the quota of a run is that of a call that pays and is mined, not of one that carries %s',
    (_, first) => {
      const stage = anchorStage()
      const keys = [0, 1, 2].map((part) => stage.payout(1, part, { part, parts: 3 }))
      stage.answer(keys[0]!, 'READY', { ...READY, payout: { ...ANSWER, ...first } })
      for (const outcome of ['SIGNED', 'MINED'] as const) stage.answer(keys[0]!, outcome, fieldsOf(keys[0]!, outcome))
      expect(stage.intent(keys[1]!)!.payout!.quota).toBe(0)
      advanceTo(stage, keys[1]!, 'MINED')
      expect(stage.intent(keys[2]!)!.payout!.quota).toBe(9)
    },
  )

  it('behavior: a day that the contract does not take yet, or refuses, holds up no other day, and keeps its order', () => {
    const stage = anchorStage({ retryDelayMs: 100, retryDelayMsMax: 1_000 })
    const [ahead, behindIt] = [0, 1].map((part) => stage.payout(1, part, { payoutOf: 5, part, parts: 2 })) as [
      AnchorKey,
      AnchorKey,
    ]
    const other = stage.payout(2, 0, { payoutOf: 2 })
    stage.answer(ahead, 'REVERTED', { error: 'DAY_AHEAD' })
    expect([ahead, behindIt, other].map((key) => stepOf(stage, key))).toEqual(['DONE', undefined, 'PREPARE'])
    expect(stage.payment(ahead)).toMatchObject({ paymentState: 'PLANNED', error: 'DAY_AHEAD' })
    advanceTo(stage, other, 'MINED')
    expect(stage.intent(ahead)).toMatchObject({ step: 'PREPARE', delayMs: 100, payout: { afterBlock: 50 } })
    advanceTo(stage, ahead, 'MINED')
    expect(stepOf(stage, behindIt)).toBe('PREPARE')
  })

  it('behavior: of days that all wait, the one is asked for that was put off least often', () => {
    const stage = anchorStage()
    const keys = [3, 4, 5].map((payoutOf) => stage.payout(payoutOf, 0, { payoutOf }))
    const asked = Array.from({ length: 6 }, () => {
      const at = keys.findIndex((key) => stepOf(stage, key) === 'PREPARE')
      stage.answer(keys[at]!, 'REVERTED', { error: 'DAY_AHEAD' })
      return at
    })
    expect(asked).toEqual([0, 1, 2, 0, 1, 2])
  })

  it('behavior: markets do not wait for each other', () => {
    const stage = anchorStage()
    stage.payout(1, 0)
    const other = stage.payout(1, 0, {}, OTHER_MARKET)
    expect(stepOf(stage, other)).toBe('PREPARE')
  })

  it('behavior: what was asked on top of a call that left the chain is asked again on top of its new block', () => {
    const stage = anchorStage()
    const [first, second] = [stage.payout(1, 0), stage.payout(2, 0, { payoutOf: 2 })]
    advanceTo(stage, first, 'MINED')
    const before = stage.intent(second)!
    stage.answer(first, 'REORGED')
    expect(stage.intent(second)).toMatchObject({ step: 'DONE' })
    stage.result(second, { ...READY_TO_PAY, step: 'PREPARE', attempt: before.attempt, outcome: 'READY' } as never)
    expect(stepOf(stage, second)).toBe('DONE')
    stage.answer(first, 'MINED', { ...BLOCK, blockNumber: 52, blockHash: '0xc' })
    expect(stage.intent(second)).toMatchObject({ step: 'PREPARE', payout: { afterBlock: 52, afterHash: '0xc' } })
  })

  it('behavior: an offer that is held back before it has a nonce is no limit that was not enough', () => {
    const stage = anchorStage({ noncesInFlightMax: 1 })
    const [first, second] = [stage.payout(1, 0), stage.payout(2, 0, { payoutOf: 2 })]
    advanceTo(stage, first, 'MINED')
    const ending = stage.summary(7, 0)
    stage.answer(ending, 'READY', READY) // has the only place
    stage.answer(second, 'READY', READY_TO_PAY)
    expect(stage.payment(second)!.paymentState).toBe('READY')
    stage.answer(first, 'REORGED')
    stage.answer(first, 'MINED', { ...BLOCK, blockNumber: 52, blockHash: '0xc' })
    expect(stage.intent(second)).toMatchObject({ step: 'PREPARE', gasLimit: 0, payout: { afterHash: '0xc' } })
  })

  it.each([
    ['FAILED', 'an outage'],
    ['REVERTED', 'E04'],
    ['REVERTED', 'E48'],
  ] as const)('behavior: nor is one whose dry run is repeated: %s, %s', (outcome, error) => {
    const stage = anchorStage({ noncesInFlightMax: 1 })
    stage.answer(stage.summary(7, 0), 'READY', READY)
    const key = stage.payout(1, 0)
    stage.answer(key, 'READY', READY_TO_PAY)
    stage.answer(key, outcome, { error })
    expect(stage.intent(key)).toMatchObject({ step: 'PREPARE', gasLimit: 0 })
  })

  it('behavior: one that is held back keeps the limit that was not enough', () => {
    const stage = anchorStage()
    const [first, second] = [stage.payout(1, 0), stage.payout(2, 0, { payoutOf: 2 })]
    advanceTo(stage, first, 'MINED')
    advanceTo(stage, second, 'SENDING')
    stage.answer(second, 'REVERTED', { ...BLOCK, error: 'OUT_OF_GAS' })
    stage.answer(first, 'REORGED')
    stage.answer(first, 'MINED', { ...BLOCK, blockNumber: 52, blockHash: '0xc' })
    expect(stage.intent(second)).toMatchObject({ step: 'PREPARE', gasLimit: 500_000, payout: { afterHash: '0xc' } })
  })

  it('behavior: one that lost its nonce waits for the one behind it that has one', () => {
    const stage = anchorStage()
    const [first, second] = [stage.payout(1, 0), stage.payout(2, 0, { payoutOf: 2 })]
    advanceTo(stage, first, 'MINED')
    advanceTo(stage, second, 'SENDING')
    stage.answer(first, 'REORGED')
    stage.answer(first, 'REVERTED', { error: 'E48', ...BLOCK })
    expect(stage.intent(first)).toMatchObject({ step: 'DONE', nonce: -1 })
    stage.answer(second, 'MINED', { ...BLOCK, blockNumber: 53, blockHash: '0xd' })
    expect(stage.intent(first)).toMatchObject({ step: 'PREPARE', payout: { afterHash: '0xd' } })
  })
})

describe('counts that a newer run has', () => {
  const COUNTS = { purpose: 'COUNTS' } as const

  it.each(['COUNTS', 'CLOSING'] as const)(
    'behavior: those without a nonce are superseded by a run of %s',
    (purpose) => {
      const stage = anchorStage()
      const old = [0, 1].map((part) => stage.payout(1, part, { ...COUNTS, part, parts: 2 }))
      const newer = stage.payout(2, 0, { purpose })
      expect(old.map((key) => stage.payment(key)!.paymentState)).toEqual(['SUPERSEDED', 'SUPERSEDED'])
      expect(stepOf(stage, newer)).toBe('PREPARE')
      expect(scopesIn(stage)).toBe(1)
    },
  )

  it('behavior: one with a nonce goes on, until it has none', () => {
    const stage = anchorStage()
    const old = stage.payout(1, 0, COUNTS)
    advanceTo(stage, old, 'SENDING')
    const newer = stage.payout(2, 0, COUNTS)
    expect(stepOf(stage, old)).toBe('SEND')
    expect(stage.intent(newer)).toBeUndefined()
    stage.answer(old, 'REVERTED', { error: 'E48', ...BLOCK })
    expect(stage.payment(old)!.paymentState).toBe('SUPERSEDED')
    expect(stepOf(stage, newer)).toBe('PREPARE')
  })

  it('behavior: other days, other markets and closings are not touched', () => {
    const stage = anchorStage()
    const kept = [stage.payout(1, 0, { payoutOf: 1 }), stage.payout(1, 1, { ...COUNTS, payoutOf: 2 })]
    stage.payout(2, 0, { ...COUNTS, payoutOf: 3 })
    stage.payout(2, 0, { ...COUNTS, payoutOf: 2 }, OTHER_MARKET)
    expect(kept.map((key) => stage.payment(key)!.paymentState)).toEqual(['PLANNED', 'PLANNED'])
  })

  it('behavior: a late result does not bring it back', () => {
    const stage = anchorStage()
    const old = stage.payout(1, 0, { ...COUNTS, parts: 2 })
    stage.payout(2, 0, COUNTS)
    stage.result(old, { ...READY_TO_PAY, step: 'PREPARE', attempt: 1, outcome: 'READY' } as never)
    expect(stage.payment(old)!.paymentState).toBe('SUPERSEDED')
  })
})

describe('rows of days that are gone', () => {
  const isDone = (stage: AnchorStage, key: AnchorKey): AnchorKey => {
    stage.answer(key, 'ALREADY_ANCHORED', { payout: ANSWER })
    return key
  }
  const goneFrom = (stage: AnchorStage) => stage.tombstones.map(({ day, epochId, number }) => [day, epochId, number])

  it('args: with the first call of a day those go that had one longest ago, down to daysKept', () => {
    const stage = anchorStage({ daysKept: 2 })
    for (const number of [0, 1]) isDone(stage, stage.payout(1, number, { payoutOf: 1, part: number, parts: 2 }))
    isDone(stage, stage.payout(2, 0, { payoutOf: 2 }))
    expect(goneFrom(stage)).toEqual([])
    isDone(stage, stage.payout(3, 0, { payoutOf: 3, purpose: 'COUNTS' }))
    expect(goneFrom(stage)).toEqual([
      [1, 1, 0],
      [1, 1, 1],
    ])
    isDone(stage, stage.payout(4, 0, { payoutOf: 3 }))
    expect(goneFrom(stage)).toHaveLength(2)
    isDone(stage, stage.payout(5, 0, { payoutOf: 4 }))
    expect(goneFrom(stage).slice(2)).toEqual([[2, 2, 0]])
  })

  it('behavior: one of which a call is under way stays until another day begins: a row would come behind', () => {
    const stage = anchorStage({ daysKept: 1 })
    const key = stage.payout(1, 0, { payoutOf: 1 })
    stage.payout(2, 0, { payoutOf: 2, parts: 2 })
    expect(goneFrom(stage)).toEqual([])
    isDone(stage, key)
    stage.payout(2, 1, { payoutOf: 2, part: 1, parts: 2 })
    expect(goneFrom(stage)).toEqual([])
    stage.payout(3, 0, { payoutOf: 3 })
    expect(goneFrom(stage)).toEqual([[1, 1, 0]])
  })

  it('behavior: an old day that comes again is told, and goes again', () => {
    const stage = anchorStage({ daysKept: 1 })
    isDone(stage, stage.payout(5, 0, { payoutOf: 5 }))
    const again = stage.payout(1, 0, { payoutOf: 1 })
    expect([stage.payment(again)!.paymentState, goneFrom(stage)]).toEqual(['PLANNED', []])
    isDone(stage, again)
    isDone(stage, stage.payout(6, 0, { payoutOf: 6 }))
    expect(goneFrom(stage)).toEqual([
      [5, 5, 0],
      [1, 1, 0],
    ])
  })

  it('behavior: where the counter was put back, the day goes that had a call longest ago, whatever its number', () => {
    const stage = anchorStage({ daysKept: 2 })
    for (const [epochId, payoutOf] of [
      [1, 5],
      [2, 1],
      [3, 2],
    ] as const)
      isDone(stage, stage.payout(epochId, 0, { payoutOf }))
    expect(goneFrom(stage)).toEqual([[5, 1, 0]])
  })

  it('behavior: each market has days of its own', () => {
    const stage = anchorStage({ daysKept: 1 })
    isDone(stage, stage.payout(1, 0, { payoutOf: 1 }))
    isDone(stage, stage.payout(2, 0, { payoutOf: 2 }, OTHER_MARKET))
    expect(stage.tombstones).toEqual([])
  })
})

describe('nonces', () => {
  /** Batches of one epoch, ready for a nonce. */
  const readyBatches = (stage: AnchorStage, count: number): AnchorKey[] =>
    Array.from({ length: count }, (_, index) => {
      const key = stage.batch(7, index)
      stage.answer(key, 'STORED', { cid: 'bafy' })
      stage.answer(key, 'READY', READY)
      return key
    })

  const finishOne = (stage: AnchorStage): AnchorKey => {
    const { key } = stage.intents.findLast(({ intent, key }) => intent.step === 'SIGN' && stage.intent(key) === intent)!
    for (const outcome of ['SIGNED', 'MINED'] as const) stage.answer(key, outcome, fieldsOf(key, outcome))
    return key
  }

  it(`behavior: batches go first, and of ${NONCES_PER_PAYOUT} nonces that they get the next is the payout's`, () => {
    const stage = anchorStage({ noncesInFlightMax: 1 })
    readyBatches(stage, 2 * NONCES_PER_PAYOUT)
    const key = stage.payout(1, 0)
    stage.answer(key, 'READY', READY_TO_PAY)
    const order = Array.from({ length: 2 * NONCES_PER_PAYOUT }, () => isPayout(finishOne(stage)))
    expect(order.indexOf(true)).toBe(1 + NONCES_PER_PAYOUT) // the first had its nonce before the payout waited
    expect(order.filter(Boolean)).toHaveLength(1)
  })

  it('behavior: without batches a payout has its nonce at once', () => {
    const { stage, key } = payoutIn('SIGNING')
    expect(stage.intent(key)).toMatchObject({ step: 'SIGN', nonce: 7 })
  })

  it('behavior: one that does not wait any more holds up nobody', () => {
    const stage = anchorStage({ noncesInFlightMax: 1 })
    const [batch] = readyBatches(stage, 2)
    const old = stage.payout(1, 0, { purpose: 'COUNTS' })
    stage.answer(old, 'READY', READY_TO_PAY)
    const newer = stage.payout(2, 0)
    expect(stage.payment(old)!.paymentState).toBe('SUPERSEDED')
    expect(finishOne(stage)).toEqual(batch)
    finishOne(stage)
    stage.answer(newer, 'READY', READY_TO_PAY)
    expect(stage.intent(newer)).toMatchObject({ step: 'SIGN' })
    expect(stage.stores.get('anchor-window')!.get('window')).toMatchObject({ payouts: [], passed: 0 })
  })
})

it('behavior: the keys of payouts are their own, and lie below those of batches', () => {
  const keys = [0, 1, 500].map((number) => payoutKey(MARKET, 9, number))
  expect(keys.map(({ batchIndex }) => batchIndex)).toEqual([-3, -4, -503])
  expect(keys.map(payoutNumberOf)).toEqual([0, 1, 500])
  expect([-2, -1, 0, 4].some((batchIndex) => isPayout({ dataMarket: MARKET, epochId: 1, batchIndex }))).toBe(false)
})
