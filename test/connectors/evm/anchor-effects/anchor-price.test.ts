import { describe, expect, it } from 'vitest'
import type { Head } from '../../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { ANCHOR_DEFAULTS } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { priceNow } from '../../../../connectors/evm/anchor-effects/anchor-price.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { hex } from '../../../hex.ts'

const GWEI = 10n ** 9n
const head = (baseFeePerGas: bigint | undefined): Head => ({
  ...{ number: 10, hash: '', parentHash: '', contractBlock: 10, gasLimit: 30_000_000 },
  baseFeePerGas,
})

/** A node that knows these methods and no other. */
const node =
  (answers: Record<string, unknown>): Ask =>
  async (method) => {
    if (method in answers) return answers[method]
    throw new EvmError('RPC_ERROR', `the method ${method} does not exist/is not available`, { retriable: true })
  }

const priceOf = (baseFee: bigint | undefined, answers: Record<string, unknown>, settings = {}) =>
  priceNow(node(answers), head(baseFee), { ...ANCHOR_DEFAULTS, ...settings })

describe('priceNow', () => {
  it('default: twice the base fee, and the tip that is suggested', async () => {
    const price = await priceOf(10n * GWEI, { eth_maxPriorityFeePerGas: hex(2n * GWEI) })
    expect(price).toEqual({ maxFee: 22n * GWEI, tip: 2n * GWEI })
  })

  it.each([GWEI, 40n * GWEI])('behavior: whatever base fee a node tells (%d), a tip has its bound', async (baseFee) => {
    const tip = 3n * GWEI
    const answers = { eth_maxPriorityFeePerGas: hex(500n * GWEI), eth_gasPrice: hex(500n * GWEI) }
    expect(await priceOf(baseFee, answers)).toMatchObject({ tip })
    const legacy = await priceOf(baseFee, answers, { transactionType: 'legacy' })
    expect(legacy.maxFee).toBe(2n * baseFee + tip)
  })

  it('bound: of the highest base fee that can be told the fee has 256 bits, as a record can say', async () => {
    const most = 2n ** 256n - 1n
    expect(await priceOf(most, { eth_maxPriorityFeePerGas: hex(1n) })).toEqual({ maxFee: most, tip: 1n })
  })

  it.each([null, '0x', true, undefined])(
    'behavior: the suggestion %j is none; the median of the blocks before is',
    async (answer) => {
      const reward = [[hex(5n)], [hex(1n)], [hex(2n)], [hex(900n)], [hex(2n)]]
      const answers = { eth_maxPriorityFeePerGas: answer, eth_feeHistory: { reward } }
      expect(await priceOf(100n, answers)).toMatchObject({ tip: 2n })
    },
  )

  it.each([null, {}, { reward: [] }, { reward: [null] }, { reward: 'x' }])(
    'behavior: with a history of %j the tip is what the gas price has above the base fee',
    async (eth_feeHistory) => {
      expect(await priceOf(100n, { eth_feeHistory, eth_gasPrice: hex(107n) })).toMatchObject({ tip: 7n })
      expect(await priceOf(100n, { eth_feeHistory, eth_gasPrice: hex(90n) })).toMatchObject({ tip: 0n })
    },
  )

  it('behavior: without a base fee it is the gas price', async () => {
    expect(await priceOf(undefined, { eth_gasPrice: hex(70n) })).toEqual({ maxFee: 70n, tip: 70n })
  })

  it('behavior: a gas price is believed up to twice what was paid before', async () => {
    const eth_feeHistory = { reward: [[hex(10n)], [hex(12n)], [hex(11n)]] }
    const answers = { eth_gasPrice: hex(500n * GWEI), eth_feeHistory }
    expect(await priceOf(undefined, answers)).toEqual({ maxFee: 22n, tip: 22n })
  })

  it('behavior: as a setting, legacy asks for a gas price, which the base fee bounds', async () => {
    const answers = { eth_gasPrice: hex(500n * GWEI) }
    expect(await priceOf(GWEI, answers, { transactionType: 'legacy' })).toEqual({ maxFee: 5n * GWEI, tip: 5n * GWEI })
  })

  it('error: a node that does not answer is not asked for something else', async () => {
    const asked: string[] = []
    const silent: Ask = async (method) => {
      asked.push(method)
      throw new EvmError('UNREACHABLE', 'no answer', { retriable: true })
    }
    await expect(priceNow(silent, head(1n), ANCHOR_DEFAULTS)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    expect(asked).toEqual(['eth_maxPriorityFeePerGas'])
  })
})
