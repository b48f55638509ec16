import { expect, test } from 'vitest'
import { BATCH_STATES } from '../../../ops/reading/epoch-phases.ts'
import { isInFlight, signerFactsOf } from '../../../ops/reading/signer-facts.ts'

test('default: what is on its way, what is in flight, and the highest nonce', () => {
  const rows = BATCH_STATES.map((state, nonce) => ({ state, nonce: state === 'PLANNED' ? null : nonce }))
  expect(signerFactsOf(rows)).toEqual({ nonce: BATCH_STATES.length - 1, pending: 7, inFlight: 2 })
  expect(rows.filter(isInFlight).map(({ state }) => state)).toEqual(['SENT', 'MINED'])
})

test('args: no row, and none with a nonce', () => {
  expect(signerFactsOf([])).toEqual({ nonce: null, pending: 0, inFlight: 0 })
  expect(signerFactsOf([{ state: 'PLANNED', nonce: null }])).toEqual({ nonce: null, pending: 1, inFlight: 0 })
})
