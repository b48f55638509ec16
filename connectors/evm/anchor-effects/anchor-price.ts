/** The price that the chain asks for a transaction now. */

import type { ContractBlockSource } from '../contract/chain-reader.ts'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { gasPriceOf, medianTipsOf, priorityFeeOf } from '../nodes/node-answers.ts'
import { type Head, headerOf } from './anchor-chain.ts'

export interface Price {
  /** Wei per gas; of a legacy transaction both are its gas price. */
  readonly maxFee: bigint
  readonly tip: bigint
}

/** Blocks of which the tips are looked at when the node suggests none. */
const HISTORY_BLOCKS = 20
/** A gas price that is suggested is doubted above so many times what half of the transactions before paid. */
const DOUBTED_RATIO = 2n
/** No record about anchoring has a larger fee. */
const FEE_MAX = 2n ** 256n - 1n

/**
 * Twice the base fee, which leaves room for six full blocks in a row, and the tip that the node suggests: no more than
 * `tipMax`, whatever base fee the node tells, since one node's word is not worth any sum. When that is too little, being
 * stuck raises it. On a chain without a base fee it is the gas price, which is paid whole.
 */
export async function priceNow(
  ask: Ask,
  { baseFeePerGas: baseFee }: Head,
  { tipMax, transactionType }: PriceSettings,
): Promise<Price> {
  if (baseFee === undefined) return legacyPrice(ask, await gasPriceOf(ask))
  const limit = BigInt(tipMax)
  if (transactionType === 'legacy') return legacyPrice(ask, smaller(await gasPriceOf(ask), 2n * baseFee + limit))
  const tip = smaller(await tipOf(ask, baseFee), limit)
  return { maxFee: smaller(2n * baseFee + tip, FEE_MAX), tip }
}

/** As of the newest block of the asked node, not of another node. */
export async function priceHere(
  ask: Ask,
  settings: PriceSettings & { readonly contractBlock: ContractBlockSource },
): Promise<Price> {
  return priceNow(ask, (await headerOf(ask, 'latest', settings.contractBlock))!, settings)
}

export interface PriceSettings {
  /** Wei, decimal. */
  readonly tipMax: string
  readonly transactionType: TransactionType
}

/** `auto`: EIP-1559 (type 2) unless the chain has no base fee, or nodes refuse the type. */
export const TRANSACTION_TYPES = ['auto', 'eip1559', 'legacy'] as const
export type TransactionType = (typeof TRANSACTION_TYPES)[number]

async function legacyPrice(ask: Ask, suggested: bigint): Promise<Price> {
  const paid = await medianTip(ask).catch(() => 0n) // many such chains keep no history of fees
  const gasPrice = paid > 0n ? smaller(suggested, DOUBTED_RATIO * paid) : suggested
  return { maxFee: gasPrice, tip: gasPrice }
}

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)

/** As the node suggests; without a suggestion as the blocks before paid, or what its gas price has above the base fee. */
async function tipOf(ask: Ask, baseFee: bigint): Promise<bigint> {
  try {
    return await priorityFeeOf(ask)
  } catch (error) {
    if (!isInWords(error)) throw error
  }
  try {
    return await medianTip(ask)
  } catch (error) {
    if (!isInWords(error)) throw error
  }
  const gasPrice = await gasPriceOf(ask)
  return gasPrice > baseFee ? gasPrice - baseFee : 0n
}

async function medianTip(ask: Ask): Promise<bigint> {
  const tips = await medianTipsOf(ask, HISTORY_BLOCKS)
  const median = tips.toSorted((a, b) => (a < b ? -1 : 1))[tips.length >> 1]
  if (median === undefined) throw new EvmError('RPC_ERROR', 'eth_feeHistory has no rewards', { retriable: true })
  return median
}

/** The node answered, but does not know the method, or answers with something else. */
const isInWords = (error: unknown): boolean =>
  error instanceof EvmError && error.code !== 'UNREACHABLE' && error.retriable
