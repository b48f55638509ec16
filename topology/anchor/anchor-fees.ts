import type { AnchorQuote } from '../../schemas/types.ts'
import type { AnchorRules } from '../anchor-rules.ts'

/** A quote with its fees held under the cap. */
export function clampFees(
  { gasLimit, maxFeePerGas, maxPriorityFeePerGas }: AnchorQuote,
  rules: AnchorRules,
): AnchorQuote {
  const cap = smaller(BigInt(maxFeePerGas), BigInt(rules.maxFeePerGasMax))
  return { gasLimit, maxFeePerGas: `${cap}`, maxPriorityFeePerGas: `${smaller(cap, BigInt(maxPriorityFeePerGas))}` }
}

/**
 * Fees of a replacement: both at least `feeBumpPercent` above the last (a node refuses less, and both count), or what the
 * chain asks by now if that is more. Undefined when the cap leaves no room for it.
 */
export function bumpFees(
  last: AnchorQuote,
  now: Pick<AnchorQuote, 'maxFeePerGas' | 'maxPriorityFeePerGas'>,
  rules: AnchorRules,
): AnchorQuote | undefined {
  const cap = BigInt(rules.maxFeePerGasMax)
  const fee = raised(last.maxFeePerGas, rules)
  const tip = raised(last.maxPriorityFeePerGas, rules)
  if (fee > cap || tip > cap) return undefined
  const maxFee = smaller(cap, larger(fee, BigInt(now.maxFeePerGas)))
  const maxTip = smaller(maxFee, larger(tip, BigInt(now.maxPriorityFeePerGas)))
  return { gasLimit: last.gasLimit, maxFeePerGas: `${maxFee}`, maxPriorityFeePerGas: `${maxTip}` }
}

/** Rounded up, and by 1 wei at least, so that a tip of 0 also rises. */
const raised = (wei: string, { feeBumpPercent }: AnchorRules): bigint =>
  (BigInt(wei) * BigInt(100 + feeBumpPercent) + 99n) / 100n + (wei === '0' ? 1n : 0n)

const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b)
