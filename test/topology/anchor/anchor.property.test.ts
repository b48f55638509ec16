import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isNonceOnly, nonceKey } from '../../../schemas/anchor-keys.ts'
import type { AnchorKey, AnchorResult, AnchorState } from '../../../schemas/types.ts'
import { type AnchorStage, anchorStage, MARKET, READY, resultOf, SIGNER } from './anchor-harness.ts'

const IN_FLIGHT_MAX = 2
const EPOCHS = 3
const BATCHES_MAX = 3
const TERMINAL: readonly (AnchorState | undefined)[] = ['FINAL', 'LATE', 'FAILED']

const OUTCOMES = [
  'STORED',
  'READY',
  'ALREADY_ANCHORED',
  'SIGNED',
  'MINED',
  'FINAL',
  'LATE',
  'FILLED',
  'REVERTED',
  'STUCK',
  'REORGED',
  'NONCE_TAKEN',
  'REJECTED',
  'ATTESTED',
  'DIVERGED',
  'FAILED',
  'SETTLED',
  'UNFILLED',
] as const

interface Event {
  readonly epochId: number
  readonly batchIndex: number
  readonly outcome: AnchorResult['outcome']
  /** How many attempts the result is behind. */
  readonly behind: number
  readonly error: string
  readonly chainNonce: number
}

const event: fc.Arbitrary<Event> = fc.record({
  epochId: fc.integer({ min: 1, max: EPOCHS }),
  batchIndex: fc.integer({ min: -1, max: BATCHES_MAX - 1 }),
  outcome: fc.constantFrom(...OUTCOMES),
  behind: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 3 }) }),
  error: fc.constantFrom('', 'E04', 'E25', 'E43', 'E39', 'OUT_OF_GAS', 'other'),
  chainNonce: fc.integer({ min: 0, max: 12 }),
})
/** Mostly the next step of a good life, so that long ones happen. */
const helpful = fc.tuple(fc.integer({ min: 1, max: EPOCHS }), fc.integer({ min: -1, max: BATCHES_MAX - 1 }))
const steps = fc.array(fc.oneof({ weight: 2, arbitrary: event }, { weight: 3, arbitrary: helpful }), { maxLength: 150 })

const GOOD = { STORE: 'STORED', PREPARE: 'READY', SIGN: 'SIGNED', WATCH: 'ATTESTED', KEEP: 'SETTLED' } as const

/** Gives the answer that a well world would give to the intent in force; false when there is none. */
function help(stage: AnchorStage, key: AnchorKey, label: string): boolean {
  const intent = stage.intent(key)
  if (!intent || intent.step === 'DONE') return false
  const fields = { ...READY, cid: 'bafy', rawTransaction: label, blockNumber: 9, blockHash: '0xb' }
  const mined = stage.row(key)?.state === 'MINED'
  const sent = isNonceOnly(key) || intent.call === 'FILL' ? 'FILLED' : mined ? 'FINAL' : 'MINED'
  if (intent.step === 'PREPARE' && stage.row(key)?.state === 'READY') return false // waits for its nonce
  stage.answer(key, intent.step === 'SEND' ? sent : GOOD[intent.step], { ...fields, nonce: 0 })
  return true
}

function checkIntents(stage: AnchorStage): void {
  const keyOfNonce = new Map<string, string>()
  const attempts = new Map<string, number>()
  for (const { key, intent } of stage.intents) {
    const name = `${key.epochId}/${key.batchIndex}`
    const isNew = isNonceOnly(key) && intent.attempt === 1 // one that was settled and dropped may be a gap later
    if (!isNew) expect(intent.attempt).toBe((attempts.get(name) ?? 0) + 1)
    attempts.set(name, intent.attempt)
    if (intent.nonce < 0 || !['SIGN', 'SEND'].includes(intent.step)) continue
    if (isNonceOnly(key)) {
      expect([intent.call, intent.nonce]).toEqual(['FILL', key.epochId])
      continue
    }
    const nonce = `${intent.signer}/${intent.nonce}`
    expect(keyOfNonce.get(nonce) ?? name).toBe(name) // one content for one nonce
    keyOfNonce.set(nonce, name)
    expect(['FILL', key.batchIndex < 0 ? 'END' : 'SUBMIT']).toContain(intent.call)
  }
}

function checkRows(stage: AnchorStage): void {
  const last = new Map<string, AnchorState>()
  for (const { key, row } of stage.rows) {
    const name = `${key.epochId}/${key.batchIndex}`
    const before = last.get(name)
    if (TERMINAL.includes(before)) expect([before, before === 'FAILED' ? '' : 'REORGED']).toContain(row.state)
    last.set(name, row.state)
  }
}

/** Whenever a new nonce has just been assigned, there was room for it. */
function inFlight(stage: AnchorStage): number {
  const window = stage.stores.get('anchor-window')?.get('window') as { inFlight: string[] } | undefined
  return window?.inFlight.length ?? 0
}

/** Nonces that no batch has, of which there was an intent. */
const nonceKeys = (stage: AnchorStage): AnchorKey[] => {
  const nonces = stage.intents.flatMap(({ key }) => (isNonceOnly(key) ? [key.epochId] : []))
  return [...new Set(nonces)].map((nonce) => nonceKey(SIGNER, nonce))
}

const keyOf = (epochId: number, batchIndex: number): AnchorKey => ({ dataMarket: MARKET, epochId, batchIndex })

describe('planAnchor under any sequence of results', () => {
  it('behavior: one content for a nonce, no end before the batches, terminal states stay, and all gets done', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: BATCHES_MAX }), { minLength: EPOCHS, maxLength: EPOCHS }),
        steps,
        (batches, events) => {
          const stage = anchorStage({ noncesInFlightMax: IN_FLIGHT_MAX, retriesMax: 2 })
          const keys = batches.flatMap((count, i) => {
            const epochId = i + 1
            for (let index = 0; index < count; index++) stage.batch(epochId, index)
            stage.summary(epochId, count)
            return Array.from({ length: count + 1 }, (_, index) => keyOf(epochId, index - 1))
          })
          const statesOf = (epochId: number) =>
            Array.from({ length: batches[epochId - 1]! }, (_, i) => stage.row(keyOf(epochId, i))?.state)

          events.forEach((step, i) => {
            const [sent, flying] = [stage.intents.length, inFlight(stage)]
            if (Array.isArray(step)) help(stage, keyOf(...(step as [number, number])), `0x${i}`)
            else act(stage, step as Event, i)
            for (const { key, intent } of stage.intents.slice(sent)) {
              if (intent.call !== 'END') continue
              if (intent.step === 'PREPARE')
                for (const state of statesOf(key.epochId)) expect(TERMINAL).toContain(state)
              if (intent.step === 'SIGN' && intent.rawTransactions.length === 0)
                for (const state of statesOf(key.epochId)) expect(TERMINAL).toContain(state)
            }
            if (inFlight(stage) > flying) expect(reorgedNow(step) || inFlight(stage) <= IN_FLIGHT_MAX).toBe(true)
          })
          const all = () => [...keys, ...nonceKeys(stage)]
          for (let i = 0; all().some((key) => help(stage, key, `0xend${i}`)); i++) expect(i).toBeLessThan(300)

          checkIntents(stage)
          checkRows(stage)
          for (const key of keys) expect(TERMINAL).toContain(stage.row(key)?.state)
          expect(stage.stores.get('anchor-progress')!.size).toBe(0)
          expect(stage.stores.get('anchor-queue')!.size).toBe(0)
          expect(inFlight(stage)).toBe(0)
        },
      ),
      { numRuns: 1_000 },
    )
  })
})

/** A mined transaction that left its block takes its place again, even if another has taken one meanwhile. */
const reorgedNow = (step: unknown): boolean =>
  ['REORGED', 'STUCK', 'REJECTED', 'FAILED', 'UNFILLED'].includes((step as Event).outcome)

function act(stage: AnchorStage, { epochId, batchIndex, outcome, behind, error, chainNonce }: Event, i: number): void {
  const isAboutNonce = outcome === 'UNFILLED' || (chainNonce < 6 && stage.intent(nonceKey(SIGNER, chainNonce)))
  const key = isAboutNonce ? nonceKey(SIGNER, chainNonce) : keyOf(epochId, batchIndex)
  const intent = stage.intent(key)
  if (!intent && outcome !== 'UNFILLED') return
  const { step, attempt } = intent ?? { step: 'DONE', attempt: 0 }
  const fields = { ...READY, nonce: chainNonce, error, rawTransaction: `0x${i}`, cid: 'bafy', blockNumber: 5 }
  stage.result(key, resultOf({ step, attempt: attempt - behind, outcome, ...fields }))
}
