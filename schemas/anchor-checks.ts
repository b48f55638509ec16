/**
 * Numbers that records about anchoring cannot have: other clients may write to these topics, and a reader computes with what it
 * finds. Each check gives the reason in words, or undefined.
 */
import type { AnchorIntent, AnchorKey, AnchorResult, Payout } from './types.ts'

/** Longest wait before an effect, ms: that of the settings. */
const DELAY_MS_MAX = 86_400_000
const ADDRESS = /^0x[0-9a-fA-F]{40}$/
const WEI_MAX = 2n ** 256n - 1n
const WEI = /^(0|[1-9]\d{0,77})$/
/** Characters of a value that is told. */
const TOLD_MAX = 80

/** An epoch, or a nonce in its place. */
export const whyNoKey = (key: AnchorKey): string | undefined => below(key, ['epochId'], 0)

export const whyNoIntent = (intent: AnchorIntent): string | undefined =>
  whyNoWei(intent) ??
  below(intent, ['attempt', 'delayMs', 'gasLimit'], 0) ??
  below(intent, ['batchOffset', 'nonce', 'blockNumber'], -1) ??
  (intent.delayMs > DELAY_MS_MAX ? `delayMs ${intent.delayMs} is above ${DELAY_MS_MAX}` : undefined) ??
  (intent.payout
    ? (below(intent.payout, ['firstOffset', 'quota', 'eligibleNodes'], 0) ?? below(intent.payout, ['afterBlock'], -1))
    : undefined)

export const whyNoResult = (result: AnchorResult): string | undefined =>
  whyNoWei(result) ??
  (result.outcome === 'READY' && !ADDRESS.test(result.signer) ? 'the signer is no address' : undefined) ??
  below(result, ['attempt', 'gasLimit'], 0) ??
  below(result, ['nonce', 'blockNumber'], -1) ??
  (result.payout ? below(result.payout, ['eligibleNodes', 'quota', 'present'], 0) : undefined)

export function whyNoPayout(payout: Payout): string | undefined {
  const { part, parts, slotIds, submissions } = payout
  const wrong = below(payout, ['payoutOf', 'epochId', 'number', 'part', 'quota'], 0)
  if (wrong !== undefined) return wrong
  if (part >= parts) return `part ${part} is none of ${parts}`
  if (slotIds.length !== submissions.length) return `${slotIds.length} slots have ${submissions.length} counts`
  return [...slotIds, ...submissions].some((number) => number < 0) ? 'a slot or a count is below 0' : undefined
}

type Fees = Pick<AnchorIntent, 'maxFeePerGas' | 'maxPriorityFeePerGas'>

function whyNoWei(fees: Fees): string | undefined {
  for (const name of ['maxFeePerGas', 'maxPriorityFeePerGas'] as const) {
    const wei = fees[name]
    if (!WEI.test(wei) || BigInt(wei) > WEI_MAX) return `${name} "${wei.slice(0, TOLD_MAX)}" is no number of 256 bits`
  }
  return undefined
}

function below<K extends string>(record: { readonly [N in K]: number }, names: readonly K[], least: number) {
  const name = names.find((one) => record[one] < least)
  return name && `${name} ${record[name]} is below ${least}`
}
