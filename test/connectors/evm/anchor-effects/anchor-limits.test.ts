import { Transaction, Wallet } from 'ethers'
import { describe, expect, it } from 'vitest'
import type { IntentRefused } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { FILLER_GAS, nonceKey } from '../../../../schemas/anchor-keys.ts'
import type { AnchorIntent, AnchorKey } from '../../../../schemas/types.ts'
import { BATCH_CALL, carriedOut, REWARD_CALL, REWARD_KEY, REWARD_ORDER } from './scripted-effects.ts'
import { intentOf, KEY, LIMITS, STATE, signer } from './scripted-send.ts'

const SELF = { to: signer.address, data: '0x' }
const KEY_OF_SIGNER = `0x${'11'.repeat(32)}`
const STRANGER = `0x${'22'.repeat(32)}`
const toSign = (fields: Partial<AnchorIntent> = {}): AnchorIntent => intentOf([], { step: 'SIGN', ...fields })
const filler = (fields: Partial<AnchorIntent> = {}) => toSign({ call: 'FILL', ...fields })
const FILLER_KEY = nonceKey(signer.address, 7)

/** Signs any transaction with any key. */
const signed = (fields: object, key = KEY_OF_SIGNER): Promise<string> =>
  new Wallet(key).signTransaction({
    ...{ type: 2, chainId: 1, nonce: 7, gasLimit: 100_000, maxFeePerGas: 100n, maxPriorityFeePerGas: 1n, value: 0n },
    ...BATCH_CALL,
    ...fields,
  })

describe('what is signed', () => {
  it.each([
    ['a batch', KEY, toSign(), BATCH_CALL],
    ['a filler', FILLER_KEY, filler({ gasLimit: FILLER_GAS }), SELF],
    ['a batch at the limits', KEY, toSign({ gasLimit: 30_000_000, maxFeePerGas: LIMITS.maxFeePerGasMax }), BATCH_CALL],
    ['a batch with the last nonce', KEY, toSign({ nonce: 7 + LIMITS.noncesAheadMax }), BATCH_CALL],
    ['a payout', REWARD_KEY, toSign({ call: 'REWARD', payout: REWARD_ORDER }), REWARD_CALL],
  ] as const)('default: %s within the limits', async (_what, key, intent, { to, data }) => {
    const { results, refused } = await carriedOut(key, intent)
    expect(refused).toEqual([])
    expect(results).toMatchObject([{ outcome: 'SIGNED', nonce: intent.nonce }])
    const { maxFeePerGas, gasLimit, ...tx } = Transaction.from(results[0]!.rawTransaction).toJSON()
    expect({ maxFeePerGas, gasLimit }).toEqual({ maxFeePerGas: intent.maxFeePerGas, gasLimit: `${intent.gasLimit}` })
    expect({ to: tx.to.toLowerCase(), data: tx.data }).toEqual({ to, data })
  })

  const outside: [what: string, key: AnchorKey, intent: AnchorIntent, why: RegExp][] = [
    ['a filler at 10,000 times the fee', FILLER_KEY, filler({ nonce: 13, maxFeePerGas: '5000000000000000' }), /Max, 5/],
    ['a batch a wei above the fee', KEY, toSign({ maxFeePerGas: '500000000001' }), /500000000001 wei per gas, above/],
    ['a tip above the fee', KEY, toSign({ maxPriorityFeePerGas: '101' }), /a tip of 101 wei/],
    ['a filler with gas for a batch', FILLER_KEY, filler({ gasLimit: FILLER_GAS + 1 }), /100001 gas for a filler/],
    ['a batch with more gas than a block has', KEY, toSign({ gasLimit: 30_000_001 }), /a transaction has 30000000/],
    ['a nonce too far ahead', KEY, toSign({ nonce: 8 + LIMITS.noncesAheadMax }), /the chain is at 7 and at most 23/],
    ['no nonce', KEY, toSign({ nonce: -1 }), /no nonce/],
    [
      'a payout above the fee',
      REWARD_KEY,
      toSign({ call: 'REWARD', payout: REWARD_ORDER, maxFeePerGas: '5000000000000000' }),
      /5000000000000000 wei per gas/,
    ],
  ]
  it.each(outside)('error: %s is refused, with its place', async (_what, key, intent, why) => {
    const { results, refused, signatures } = await carriedOut(key, intent, { offset: 41 })
    expect(results).toMatchObject([{ outcome: 'FAILED', error: expect.stringMatching(why) }])
    expect(signatures).toBe(0)
    const told: [AnchorKey, IntentRefused][] = [[key, { offset: 41, step: 'SIGN', why: results[0]!.error }]]
    expect(refused).toEqual(told)
  })

  it('behavior: the gas of a transaction, where the chain has such a limit, is the bound', async () => {
    const { results } = await carriedOut(KEY, toSign({ gasLimit: 200_000 }), { transactionGasMax: 199_999 })
    expect(results).toMatchObject([{ outcome: 'FAILED', error: '200000 gas, and a transaction has 199999 at most' }])
  })
})

describe('what is sent', () => {
  it.each([
    ['as it was signed', signed({}), {}],
    ['in the legacy form', signed({ type: 0, gasPrice: 100n, maxFeePerGas: null, maxPriorityFeePerGas: null }), {}],
    ['of a batch that the log has lost', signed({ data: '0x77' }), { batchIsLost: true }],
  ])('default: a transaction %s', async (_what, raw, more) => {
    const { sent, refused } = await carriedOut(KEY, intentOf([await raw]), more)
    expect(sent).toEqual([await raw])
    expect(refused).toEqual([])
  })

  it('default: a filler, behind a form that has only its hash', async () => {
    const raw = await signed(SELF)
    const { sent } = await carriedOut(FILLER_KEY, intentOf([`0x${'ab'.repeat(32)}`, raw], { call: 'FILL' }))
    expect(sent).toEqual([raw])
  })

  const DEAR = { maxFeePerGas: '5000000000000000' }
  const outside: [what: string, raw: string | Promise<string>, fields: Partial<AnchorIntent>, why: RegExp][] = [
    ['above the fee, told', signed({ maxFeePerGas: 5n * 10n ** 15n }), DEAR, /above anchoring.maxFeePerGasMax/],
    [
      'above the fee, not told',
      signed({ maxFeePerGas: 5n * 10n ** 15n }),
      {},
      /pays 5000000000000000 wei per gas, not/,
    ],
    ['with another tip', signed({ maxPriorityFeePerGas: 90n }), {}, /a tip of 90/],
    ['with more gas', signed({ gasLimit: 29_000_000 }), {}, /29000000 gas, not 100000/],
    ['with another nonce', signed({ nonce: 13 }), {}, /nonce 13, not 7/],
    ['for another chain', signed({ chainId: 5 }), {}, /chain 5/],
    [
      'without a chain',
      signed({ type: 0, chainId: 0, gasPrice: 100n, maxFeePerGas: null, maxPriorityFeePerGas: null }),
      {},
      /chain 0/,
    ],
    ['that carries coins', signed({ value: 1n }), {}, /carries 1 wei/],
    ['to another address', signed({ to: `0x${'cc'.repeat(20)}` }), {}, /goes to 0xC/],
    ['that makes a contract', signed({ to: null }), {}, /a new contract/],
    ['with other data', signed({ data: '0x77' }), {}, /other data/],
    ['with an access list', signed({ accessList: [{ address: STATE, storageKeys: [] }] }), {}, /an access list/],
    [
      'of another type',
      signed({ type: 1, gasPrice: 100n, maxFeePerGas: null, maxPriorityFeePerGas: null }),
      {},
      /of type 1/,
    ],
    ['signed by somebody else', signed({}, STRANGER), {}, /signed by 0x/],
    [
      'of an account that is not ours',
      signed({}, STRANGER),
      { signer: new Wallet(STRANGER).address.toLowerCase() },
      /whose key/,
    ],
    ['that is only a hash', `0x${'ab'.repeat(32)}`, {}, /no bytes to send/],
    ['that is a filler where a batch is meant', signed(SELF), {}, /goes to/],
    ['that is a call where a filler is meant', signed({}), { call: 'FILL' }, /goes to/],
  ]
  it.each(outside)('error: a transaction %s is refused, with its place', async (_what, raw, fields, why) => {
    const { results, sent, refused } = await carriedOut(KEY, intentOf([await raw], fields), { offset: 41 })
    expect(results).toMatchObject([{ outcome: 'FAILED', error: expect.stringMatching(why) }])
    expect(refused).toEqual([[KEY, { offset: 41, step: 'SEND', why: results[0]!.error }]])
    expect(sent).toEqual([])
  })

  it('behavior: a payout above the fee is refused', async () => {
    const raw = await signed({ ...REWARD_CALL, maxFeePerGas: 5n * 10n ** 15n })
    const intent = intentOf([raw], { call: 'REWARD', payout: REWARD_ORDER, ...DEAR })
    const { results, sent } = await carriedOut(REWARD_KEY, intent)
    expect(results).toMatchObject([{ outcome: 'FAILED', error: expect.stringMatching(/above anchoring/) }])
    expect(sent).toEqual([])
  })

  it('behavior: one above the fee that is mined already, as after the limit was lowered, is followed to its end', async () => {
    const raw = await signed({ maxFeePerGas: 5n * 10n ** 15n })
    const { results, refused } = await carriedOut(KEY, intentOf([raw], DEAR), { mined: Transaction.from(raw).hash! })
    expect(results.map(({ outcome }) => outcome)).toEqual(['MINED', 'FINAL'])
    expect(refused).toEqual([])
  })
})
