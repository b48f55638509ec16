import { describe, expect, it } from 'vitest'
import type { AnchorKey, AnchorState, AnchorStep } from '../../../schemas/types.ts'
import {
  advanceTo,
  anchorStage,
  BLOCK,
  fieldsOf,
  MARKET,
  type Outcome,
  type Phase,
  READY,
  resultOf,
  SIGNER,
  WAY,
} from './anchor-harness.ts'

function batchIn(phase: Phase, rules = {}) {
  const stage = anchorStage(rules)
  const key = stage.batch(1, 0)
  advanceTo(stage, key, phase)
  return { stage, key }
}

describe('planAnchor', () => {
  it('behavior: a batch is planned by its first record, and by no other', () => {
    const stage = anchorStage()
    const key = stage.batch(1, 0)
    stage.batch(1, 0, key.dataMarket, 1)
    stage.batch(2, 0, key.dataMarket, 1)
    expect(stage.intents.map(({ key: { epochId }, intent }) => [epochId, intent.batchOffset])).toEqual([[1, 0]])
  })

  it('default: a batch passes every step, each with its own intent, to FINAL and attested', () => {
    const stage = anchorStage()
    const key = stage.batch(1, 0)
    const end = stage.summary(1, 1)
    advanceTo(stage, key, 'FINAL')
    advanceTo(stage, end, 'FINAL')
    const attestation = { validator: '0xv', matches: true, blockNumber: 60, finalized: true }
    stage.answer(key, 'ATTESTED', { attestation })
    stage.answer(key, 'SETTLED')
    const ofBatch = stage.intents.filter((sent) => sent.key.batchIndex === 0).map(({ intent }) => intent)
    expect(ofBatch.map(({ step, attempt }) => `${step} ${attempt}`)).toEqual([
      'STORE 1',
      'PREPARE 2',
      'SIGN 3',
      'SEND 4',
      'WATCH 5',
      'KEEP 6',
      'DONE 7',
    ])
    expect(ofBatch[3]).toMatchObject({ signer: SIGNER, nonce: 7, rawTransactions: ['0xraw'], call: 'SUBMIT' })
    expect(ofBatch[4]).toMatchObject({ blockNumber: 50, finalizedCidsRootHash: '0xcids1.0' })
    expect(stage.rows.filter(({ key: { batchIndex } }) => batchIndex === 0).map(({ row }) => row.state)).toEqual([
      'PLANNED',
      'STORED',
      'READY', // queued
      'READY', // with its nonce
      'SENT',
      'MINED',
      'FINAL',
      'FINAL',
    ])
    expect(stage.row(key)).toMatchObject({ cid: 'bafy', nonce: 7, attested: true, attestations: [attestation] })
    expect(stage.row(end)).toMatchObject({ state: 'FINAL', nonce: 8 })
  })

  it('behavior: nothing is kept of an epoch that is done', () => {
    const { stage, key } = batchIn('FINAL')
    const end = stage.summary(1, 1)
    advanceTo(stage, end, 'FINAL')
    stage.answer(key, 'ATTESTED')
    stage.answer(end, 'SETTLED')
    expect(stage.stores.get('anchor-progress')!.size).toBe(1)
    stage.answer(key, 'SETTLED')
    expect(stage.stores.get('anchor-progress')!.size).toBe(0)
    expect(stage.stores.get('anchor-queue')!.size).toBe(0)
    expect(stage.stores.get('anchor-window')!.get('window')).toMatchObject({ inFlight: [] })
    const sent = stage.intents.length
    stage.result(key, resultOf({ step: 'WATCH', attempt: 5, outcome: 'ATTESTED' }))
    expect(stage.intents).toHaveLength(sent)
  })

  it('behavior: a batch that comes again is not planned again', () => {
    const stage = anchorStage()
    stage.batch(1, 0)
    stage.batch(1, 0)
    expect(stage.intents).toHaveLength(1)
    stage.summary(2, 0)
    stage.summary(2, 0)
    expect(stage.intents).toHaveLength(2)
  })
})

describe('transitions', () => {
  // phase, outcome, error → step and state that follow
  const table: [Phase, Outcome, string, AnchorStep, AnchorState][] = [
    ['STORING', 'STORED', '', 'PREPARE', 'STORED'],
    ['STORING', 'FAILED', 'CID_MISMATCH', 'STORE', 'PLANNED'],
    ['STORING', 'LATE', '', 'DONE', 'LATE'],
    ['STORING', 'REJECTED', 'the log has lost it', 'DONE', 'FAILED'],
    ['PREPARING', 'READY', '', 'SIGN', 'READY'],
    ['PREPARING', 'ALREADY_ANCHORED', '', 'WATCH', 'FINAL'],
    ['PREPARING', 'LATE', '', 'DONE', 'LATE'],
    ['PREPARING', 'REVERTED', 'E25', 'DONE', 'FAILED'],
    ['PREPARING', 'REVERTED', 'E43', 'DONE', 'FAILED'],
    ['PREPARING', 'REVERTED', 'E23', 'DONE', 'FAILED'],
    ['PREPARING', 'REVERTED', 'E24', 'DONE', 'FAILED'],
    ['PREPARING', 'REVERTED', 'E04', 'PREPARE', 'STORED'],
    ['PREPARING', 'REVERTED', 'E99', 'PREPARE', 'STORED'],
    ['PREPARING', 'FAILED', 'above the gas limit of a block', 'PREPARE', 'STORED'],
    ['SIGNING', 'SIGNED', '', 'SEND', 'SENT'],
    ['SIGNING', 'FAILED', 'the batch is gone', 'SIGN', 'READY'],
    ['SENDING', 'MINED', '', 'SEND', 'MINED'],
    ['SENDING', 'FINAL', '', 'WATCH', 'FINAL'],
    ['SENDING', 'LATE', '', 'DONE', 'LATE'],
    ['SENDING', 'REVERTED', 'E25', 'PREPARE', 'STORED'],
    ['SENDING', 'STUCK', '', 'SIGN', 'SENT'],
    ['SENDING', 'NONCE_TAKEN', '', 'PREPARE', 'STORED'],
    ['SENDING', 'FILLED', '', 'PREPARE', 'STORED'],
    ['SENDING', 'REJECTED', 'intrinsic gas too low', 'SIGN', 'SENT'],
    ['SENDING', 'REORGED', '', 'SEND', 'SENT'],
    ['MINED', 'REORGED', '', 'SEND', 'SENT'],
    ['MINED', 'FINAL', '', 'WATCH', 'FINAL'],
    ['MINED', 'LATE', '', 'DONE', 'LATE'],
    ['MINED', 'REVERTED', 'E25', 'PREPARE', 'STORED'],
    ['MINED', 'NONCE_TAKEN', '', 'PREPARE', 'STORED'],
    ['MINED', 'STUCK', '', 'SIGN', 'SENT'],
    ['MINED', 'REJECTED', 'intrinsic gas too low', 'SIGN', 'SENT'],
    ['FINAL', 'ATTESTED', '', 'KEEP', 'FINAL'],
    ['FINAL', 'REORGED', '', 'SEND', 'SENT'],
    ['FINAL', 'REORGED', 'the window is over', 'PREPARE', 'STORED'],
    ['FINAL', 'DIVERGED', '', 'WATCH', 'FINAL'],
    ['FINAL', 'UNKNOWN', '', 'WATCH', 'FINAL'],
  ]
  it.each(table)('behavior: %s + %s %s → %s, %s', (phase, outcome, error, step, state) => {
    const { stage, key } = batchIn(phase)
    const fields = outcome === 'FAILED' || outcome === 'REVERTED' ? { error } : { ...fieldsOf(key, outcome), error }
    stage.answer(key, outcome, fields)
    expect([stage.intent(key)?.step, stage.row(key)?.state]).toEqual([step, state])
  })

  it.each(Object.keys(WAY) as Phase[])('behavior: in %s a stale or a foreign result changes nothing', (phase) => {
    const { stage, key } = batchIn(phase)
    const { step, attempt } = stage.intent(key)!
    const sent = [stage.intents.length, stage.rows.length]
    const wrongStep = step === 'SEND' ? 'PREPARE' : 'SEND'
    for (const outcome of ['STORED', 'READY', 'MINED', 'FINAL', 'REVERTED', 'FAILED', 'STUCK', 'LATE'] as const) {
      stage.result(key, resultOf({ step, attempt: attempt - 1, outcome }))
      stage.result(key, resultOf({ step: wrongStep, attempt, outcome }))
    }
    expect([stage.intents.length, stage.rows.length]).toEqual(sent)
  })

  it('behavior: the same result again changes nothing', () => {
    for (const phase of Object.keys(WAY) as Phase[]) {
      const { stage, key } = batchIn(phase)
      const results = WAY[phase].map((outcome, i) => {
        const steps: AnchorStep[] = ['STORE', 'PREPARE', 'SIGN', 'SEND', 'SEND']
        return resultOf({ step: steps[i]!, attempt: Math.min(i + 1, 4), outcome, ...fieldsOf(key, outcome) })
      })
      const sent = [stage.intents.length, stage.rows.length]
      for (const result of results) stage.result(key, result)
      expect([stage.intents.length, stage.rows.length]).toEqual(sent)
    }
  })
})

describe('failures', () => {
  it('behavior: retries wait longer each time, and end', () => {
    const { stage, key } = batchIn('PREPARING', { retriesMax: 3, retryDelayMs: 100, retryDelayMsMax: 250 })
    const delays: (number | undefined)[] = []
    for (let i = 0; i < 4; i++) {
      stage.answer(key, 'REVERTED', { error: 'E99' })
      delays.push(stage.intent(key)?.delayMs)
    }
    expect(delays).toEqual([100, 200, 250, 0])
    expect(stage.row(key)).toMatchObject({ state: 'FAILED', error: 'E99' })
  })

  it('behavior: stores are tried for ever and at once, and none of it counts as a failure of the batch', () => {
    const { stage, key } = batchIn('STORING', { retriesMax: 1 })
    for (let i = 0; i < 50; i++) stage.answer(key, 'FAILED', { error: 'kubo answers 403' })
    expect(stage.intent(key)).toMatchObject({ step: 'STORE', delayMs: 0, attempt: 51 })
    expect(stage.row(key)).toMatchObject({ state: 'PLANNED', error: 'kubo answers 403' })
    stage.answer(key, 'STORED', { cid: 'bafy' })
    expect(stage.row(key)).toMatchObject({ state: 'STORED', error: '' })
    stage.answer(key, 'FAILED', { error: 'a dry run' })
    expect(stage.intent(key)).toMatchObject({ step: 'PREPARE', delayMs: expect.any(Number) })
  })

  it('behavior: E04 is tried again slowly and for ever', () => {
    const { stage, key } = batchIn('PREPARING', { retriesMax: 1, notSequencerDelayMs: 9_000 })
    for (let i = 0; i < 20; i++) stage.answer(key, 'REVERTED', { error: 'E04' })
    expect(stage.intent(key)).toMatchObject({ step: 'PREPARE', delayMs: 9_000, attempt: 22 })
    expect(stage.row(key)).toMatchObject({ state: 'STORED', error: 'E04' })
    stage.answer(key, 'READY', READY)
    expect(stage.row(key)).toMatchObject({ state: 'READY', error: '' })
  })

  it('behavior: a limit that was not enough goes to the next dry run', () => {
    const { stage, key } = batchIn('SENDING')
    stage.answer(key, 'REVERTED', { error: 'OUT_OF_GAS' })
    expect(stage.intent(key)).toMatchObject({ step: 'PREPARE', gasLimit: 500_000, nonce: -1, rawTransactions: [] })
  })

  it.each(['FAILED', 'REVERTED'] as const)(
    'behavior: a dry run that is %s keeps the limit that was not enough',
    (outcome) => {
      const { stage, key } = batchIn('SENDING')
      stage.answer(key, 'REVERTED', { error: 'OUT_OF_GAS' })
      stage.answer(key, outcome, { error: 'E04' })
      expect(stage.intent(key)).toMatchObject({ step: 'PREPARE', gasLimit: 500_000 })
    },
  )

  it.each([
    ['FAILED', 'an outage'],
    ['REVERTED', 'E04'],
    ['REVERTED', 'E99'],
  ] as const)('behavior: an offer that has no nonce yet is no limit that was not enough: %s, %s', (outcome, error) => {
    const stage = anchorStage({ noncesInFlightMax: 1 })
    advanceTo(stage, stage.batch(1, 0), 'SENDING')
    const [batch, ending] = [stage.batch(2, 0), stage.summary(3, 0)]
    advanceTo(stage, batch, 'PREPARING')
    for (const key of [batch, ending]) {
      stage.answer(key, 'READY', READY)
      stage.answer(key, outcome, { error })
      expect(stage.intent(key)).toMatchObject({ step: 'PREPARE', gasLimit: 0 })
    }
  })

  it('behavior: however often a limit is not enough, no retry is used up: it was a node’s word', () => {
    const { stage, key } = batchIn('SENDING', { retriesMax: 2 })
    for (let gasLimit = 1_000; gasLimit <= 1_000 * 2 ** 12; gasLimit *= 2) {
      stage.answer(key, 'REVERTED', { error: 'OUT_OF_GAS' })
      expect(stage.intent(key)).toMatchObject({ step: 'PREPARE', delayMs: 2_000 })
      stage.answer(key, 'READY', { ...READY, gasLimit })
      stage.answer(key, 'SIGNED', { rawTransaction: '0x1', transactionHash: '0xt' })
    }
    stage.answer(key, 'REVERTED', { error: 'OUT_OF_GAS' })
    for (let i = 0; i < 3; i++) stage.answer(key, 'FAILED', { error: 'a transaction has no more' })
    expect(stage.row(key)).toMatchObject({ state: 'FAILED', error: 'a transaction has no more' })
  })

  it('behavior: a taken nonce gives a new one, above what the chain has by now', () => {
    const { stage, key } = batchIn('SENDING', { retriesMax: 0 })
    stage.answer(key, 'NONCE_TAKEN')
    stage.answer(key, 'READY', { ...READY, nonce: 11 })
    expect(stage.intent(key)).toMatchObject({ step: 'SIGN', nonce: 11 })
  })

  it('behavior: a batch that is gone after its nonce was assigned is replaced by a filler, then planned anew', () => {
    const { stage, key } = batchIn('SIGNING')
    stage.answer(key, 'FAILED', { error: 'gone' })
    expect(stage.intent(key)).toMatchObject({ step: 'SIGN', call: 'FILL', nonce: 7, delayMs: 0 })
    stage.answer(key, 'SIGNED', { rawTransaction: '0xfill' })
    expect(stage.intent(key)).toMatchObject({ step: 'SEND', call: 'FILL', rawTransactions: ['0xfill'] })
    stage.answer(key, 'FILLED', { error: 'gone' })
    expect(stage.intent(key)).toMatchObject({ step: 'PREPARE', call: 'SUBMIT', nonce: -1 })
  })

  it('behavior: a filler that cannot be signed is asked for again, slowly, since its nonce must be used', () => {
    const { stage, key } = batchIn('SIGNING', { retriesMax: 0, notSequencerDelayMs: 5 })
    for (let i = 0; i < 3; i++) stage.answer(key, 'FAILED', { error: 'no key' })
    expect(stage.intent(key)).toMatchObject({ step: 'SIGN', call: 'FILL', nonce: 7, delayMs: 5 })
  })
})

describe('fees', () => {
  it('behavior: a replacement pays at least 10 % more of both, keeps the nonce, and is added to the signed forms', () => {
    const { stage, key } = batchIn('SENDING')
    stage.answer(key, 'STUCK')
    const bumped = stage.intent(key)!
    expect(bumped).toMatchObject({ step: 'SIGN', nonce: 7, gasLimit: 500_000, call: 'SUBMIT' })
    expect([bumped.maxFeePerGas, bumped.maxPriorityFeePerGas]).toEqual(['2260', '113'])
    stage.answer(key, 'SIGNED', { rawTransaction: '0xraw2', transactionHash: '0xt2' })
    expect(stage.intent(key)).toMatchObject({ step: 'SEND', rawTransactions: ['0xraw', '0xraw2'] })
    expect(stage.row(key)).toMatchObject({ transactionHash: '0xt2', nonce: 7 })
  })

  it('behavior: of older forms that are long the hash stays, however often it is replaced', () => {
    const { stage, key } = batchIn('SENDING', { maxFeePerGasMax: `1${'0'.repeat(30)}` })
    const raw = `0x${'ab'.repeat(100_000)}`
    const hashOf = (n: number) => `0x${`${n}`.padStart(64, '0')}`
    stage.answer(key, 'STUCK')
    for (let n = 0; n < 100; n++) {
      stage.answer(key, 'SIGNED', { rawTransaction: n === 50 ? '0xfiller' : raw, transactionHash: hashOf(n) })
      stage.answer(key, 'STUCK')
    }
    const { rawTransactions } = stage.intent(key)!
    expect(rawTransactions.join('').length).toBeLessThan(raw.length + 100 * 70)
    expect(rawTransactions.slice(0, 3)).toEqual(['0xraw', hashOf(0), hashOf(1)])
    expect([rawTransactions[51], rawTransactions.at(-1)]).toEqual(['0xfiller', raw])
  })

  it('behavior: it pays what the chain asks when that is more, up to the cap', () => {
    const { stage, key } = batchIn('SENDING', { maxFeePerGasMax: '9000' })
    stage.answer(key, 'STUCK', { maxFeePerGas: '7000', maxPriorityFeePerGas: '300' })
    expect(stage.intent(key)).toMatchObject({ maxFeePerGas: '7000', maxPriorityFeePerGas: '300' })
    stage.answer(key, 'SIGNED', { rawTransaction: '0xraw2' })
    stage.answer(key, 'STUCK', { maxFeePerGas: '99000', maxPriorityFeePerGas: '300' })
    expect(stage.intent(key)).toMatchObject({ maxFeePerGas: '9000', maxPriorityFeePerGas: '339' })
  })

  it('behavior: at the cap the same form is sent again, and the row says why', () => {
    const { stage, key } = batchIn('SENDING', { maxFeePerGasMax: '2200' })
    stage.answer(key, 'STUCK')
    expect(stage.intent(key)).toMatchObject({ step: 'SEND', attempt: 5, rawTransactions: ['0xraw'] })
    expect(stage.row(key)?.error).toContain('2200')
  })

  it('behavior: a quote above the cap is cut', () => {
    const { stage, key } = batchIn('PREPARING', { maxFeePerGasMax: '1500' })
    stage.answer(key, 'READY', { ...READY, maxPriorityFeePerGas: '1600' })
    expect(stage.intent(key)).toMatchObject({ maxFeePerGas: '1500', maxPriorityFeePerGas: '1500' })
  })

  it('behavior: a tip of 0 rises too', () => {
    const { stage, key } = batchIn('PREPARING')
    stage.answer(key, 'READY', { ...READY, maxPriorityFeePerGas: '0' })
    stage.answer(key, 'SIGNED')
    stage.answer(key, 'STUCK')
    expect(stage.intent(key)).toMatchObject({ maxPriorityFeePerGas: '1' })
  })

  it('behavior: a call that waits and would only revert by now is replaced by a filler', () => {
    const { stage, key } = batchIn('SENDING')
    stage.answer(key, 'STUCK', { error: 'E43' })
    expect(stage.intent(key)).toMatchObject({ step: 'SIGN', call: 'FILL', nonce: 7, maxFeePerGas: '2260' })
  })
})

describe('nonces', () => {
  it('behavior: at most so many are in flight, first ready first served, and a mined one makes room', () => {
    const stage = anchorStage({ noncesInFlightMax: 2 })
    const keys = [0, 1, 2, 3].map((index) => stage.batch(1, index))
    for (const key of [...keys].reverse()) advanceTo(stage, key, 'PREPARING')
    for (const key of [...keys].reverse()) stage.answer(key, 'READY', READY)
    const nonces = () => keys.map((key) => stage.intent(key)?.nonce)
    expect(nonces()).toEqual([-1, -1, 8, 7])
    stage.answer(keys[3]!, 'SIGNED', fieldsOf(keys[3]!, 'SIGNED'))
    expect(nonces()).toEqual([-1, -1, 8, 7])
    stage.answer(keys[3]!, 'MINED', BLOCK)
    expect(nonces()).toEqual([-1, 9, 8, 7])
  })

  it('behavior: a batch that a reorg took out takes its place again, and keeps its nonce', () => {
    const stage = anchorStage({ noncesInFlightMax: 1 })
    const [a, b, c] = [0, 1, 2].map((index) => stage.batch(1, index))
    advanceTo(stage, a!, 'MINED')
    advanceTo(stage, b!, 'SENDING')
    advanceTo(stage, c!, 'PREPARING')
    stage.answer(c!, 'READY', READY)
    stage.answer(a!, 'REORGED')
    expect(stage.intent(a!)).toMatchObject({ step: 'SEND', nonce: 7, rawTransactions: ['0xraw'] })
    stage.answer(b!, 'MINED', BLOCK)
    expect(stage.intent(c!)?.step).toBe('PREPARE')
    stage.answer(a!, 'MINED', BLOCK)
    expect(stage.intent(c!)).toMatchObject({ step: 'SIGN', nonce: 9 })
  })

  it('behavior: a dry run that is repeated while it waits gives fresh fees, and may still refuse it', () => {
    const stage = anchorStage({ noncesInFlightMax: 1 })
    const [a, b, c] = [0, 1, 2].map((index) => stage.batch(1, index))
    advanceTo(stage, a!, 'SENDING')
    for (const key of [b!, c!]) {
      stage.answer(key, 'STORED', { cid: 'bafy' })
      stage.answer(key, 'READY', READY)
    }
    stage.answer(b!, 'REVERTED', { error: 'E25' })
    stage.answer(c!, 'READY', { ...READY, maxFeePerGas: '2500' })
    stage.answer(a!, 'MINED', BLOCK)
    expect(stage.row(b!)).toMatchObject({ state: 'FAILED', nonce: -1 })
    expect(stage.intent(c!)).toMatchObject({ step: 'SIGN', nonce: 8, maxFeePerGas: '2500' })
  })

  it('behavior: each signer has nonces of its own', () => {
    const stage = anchorStage()
    const [a, b] = [0, 1].map((index) => stage.batch(1, index))
    for (const key of [a!, b!]) stage.answer(key, 'STORED')
    stage.answer(a!, 'READY', READY)
    stage.answer(b!, 'READY', { ...READY, signer: '0xother', nonce: 0 })
    expect(stage.intent(b!)).toMatchObject({ signer: '0xother', nonce: 0 })
  })
})

describe('ending call', () => {
  it('behavior: an epoch without batches is ended at once', () => {
    const stage = anchorStage()
    const end = stage.summary(1, 0)
    expect(stage.intent(end)).toMatchObject({ step: 'PREPARE', call: 'END', batchOffset: -1 })
    advanceTo(stage, end, 'FINAL')
    expect(stage.row(end)).toMatchObject({ state: 'FINAL' })
    stage.answer(end, 'SETTLED')
    expect(stage.intent(end)).toMatchObject({ step: 'DONE' })
    expect(stage.stores.get('anchor-progress')!.size).toBe(0)
  })

  it('behavior: it waits until every batch is final', () => {
    const stage = anchorStage()
    const [a, b] = [0, 1].map((index) => stage.batch(1, index))
    const end = stage.summary(1, 2)
    advanceTo(stage, a!, 'FINAL')
    advanceTo(stage, b!, 'MINED')
    expect(stage.intent(end)).toBeUndefined()
    expect(stage.row(end)).toMatchObject({ state: 'PLANNED' })
    stage.answer(b!, 'FINAL', BLOCK)
    expect(stage.intent(end)).toMatchObject({ step: 'PREPARE', call: 'END' })
  })

  it.each(['LATE', 'FAILED'] as const)('behavior: a batch that is %s for good does not hold it back', (state) => {
    const stage = anchorStage({ retriesMax: 0 })
    const key = stage.batch(1, 0)
    const end = stage.summary(1, 1)
    stage.answer(key, 'STORED')
    stage.answer(key, state)
    expect(stage.row(key)?.state).toBe(state)
    expect(stage.intent(end)).toMatchObject({ step: 'PREPARE', call: 'END' })
  })

  it('behavior: a batch that a reorg took out, and that needs another nonce then, is still before it', () => {
    const stage = anchorStage()
    const key = stage.batch(1, 0)
    const end = stage.summary(1, 1)
    advanceTo(stage, key, 'MINED')
    stage.answer(key, 'REORGED')
    stage.answer(key, 'NONCE_TAKEN')
    expect(stage.intent(end)).toBeUndefined()
    for (const outcome of ['READY', 'SIGNED', 'MINED', 'FINAL'] as const)
      stage.answer(key, outcome, fieldsOf(key, outcome))
    stage.answer(end, 'READY', READY)
    expect(stage.row(end)!.nonce).toBeGreaterThan(stage.row(key)!.nonce)
  })

  it.each(['REVERTED', 'ALREADY_ANCHORED'] as const)('behavior: E39 (%s) is success: it was made before', (outcome) => {
    const stage = anchorStage()
    const end = stage.summary(1, 0)
    stage.answer(end, outcome, { error: 'E39' })
    expect(stage.row(end)).toMatchObject({ state: 'FINAL', error: '' })
  })
})

describe('attestations', () => {
  const by = (validator: string, more = {}) => ({
    attestation: { validator, matches: true, blockNumber: 60, finalized: false, ...more },
  })

  it('behavior: one per validator is kept, up to the bound, and the contract has the last word', () => {
    const { stage, key } = batchIn('FINAL', { attestationsMax: 2 })
    stage.answer(key, 'ATTESTED', by('0x1'))
    stage.answer(key, 'ATTESTED', by('0x1'))
    stage.answer(key, 'ATTESTED', by('0x2', { matches: false }))
    stage.answer(key, 'ATTESTED', by('0x3'))
    expect(
      stage
        .row(key)
        ?.attestations.map(({ validator }) => validator)
        .sort(),
    ).toEqual(['0x1', '0x2'])
    expect(stage.row(key)?.attested).toBe(false)
    stage.answer(key, 'ATTESTED', by('0x4', { finalized: true }))
    expect(stage.row(key)).toMatchObject({ attested: true, state: 'FINAL' })
    expect(stage.intent(key)?.step).toBe('KEEP')
  })

  it('behavior: that the validators agree on another root is noted', () => {
    const { stage, key } = batchIn('FINAL')
    stage.answer(key, 'DIVERGED')
    expect(stage.row(key)).toMatchObject({ diverged: true, attested: false })
    expect(stage.intent(key)?.step).toBe('WATCH')
  })

  it('behavior: in long trouble they are waited for: epochs that are cut meanwhile have not ended on the chain', () => {
    const { stage, key } = batchIn('FINAL', { watchEpochs: 3 })
    const ends = Array.from({ length: 40 }, (_, i) => stage.summary(i + 1, i === 0 ? 1 : 0))
    expect(stage.intent(key)?.step).toBe('WATCH')
    for (const end of ends.slice(0, 3)) advanceTo(stage, end, 'FINAL')
    expect(stage.intent(key)?.step).toBe('WATCH')
    advanceTo(stage, ends[3]!, 'FINAL')
    expect(stage.intent(key)?.step).toBe('KEEP')
  })

  it('behavior: they are waited for only so many epochs of the market', () => {
    const { stage, key } = batchIn('FINAL', { watchEpochs: 3 })
    const ended = (end: AnchorKey): AnchorKey => {
      advanceTo(stage, end, 'FINAL')
      return end
    }
    const end = ended(stage.summary(1, 1))
    ended(stage.summary(9, 0, '0x00000000000000000000000000000000000000bb'))
    ended(stage.summary(3, 0))
    expect(stage.intent(key)?.step).toBe('WATCH')
    ended(stage.summary(4, 0))
    expect(stage.intent(key)?.step).toBe('KEEP')
    for (const one of [key, end]) stage.answer(one, 'SETTLED')
    expect([
      ...(stage.stores.get('anchor-progress') as unknown as { scopes(): Iterable<string> }).scopes(),
    ]).not.toContain(`${MARKET}/1`)
  })
})
