/**
 * The limits of the process that has the key. Other clients may write intents too, so nothing is signed or sent outside of
 * these, whatever an intent says.
 */
import { Transaction } from 'ethers'
import { FILLER_GAS } from '../../../schemas/anchor-keys.ts'
import { isNone } from '../../../schemas/none.ts'
import type { AnchorIntent } from '../../../schemas/types.ts'
import { agreedBlockGas, agreedNonces } from '../agreed-readings.ts'
import type { Rpc } from '../nodes/rpc.ts'
import { type ContractCall, type Head, isHash } from './anchor-chain.ts'
import type { AnchorSettings, SigningLimits } from './anchor-options.ts'
import { gasMaxOf } from './anchor-prepare.ts'

/** An intent lies outside of the limits: nothing of it is signed or sent. */
export class OutsideLimits extends Error {}

type SignSettings = Pick<AnchorSettings, 'limits' | 'transactionGasMax'>
type SignPorts = { readonly rpc: Pick<Rpc, 'agreeing'>; readonly head: Head | undefined }

/** @throws OutsideLimits for an intent that is not to be signed */
export async function needSignable(intent: AnchorIntent, settings: SignSettings, ports: SignPorts): Promise<void> {
  const { limits } = settings
  needWithin(intent, limits)
  const { nonce, gasLimit, signer } = intent
  const [next] = await agreedNonces(ports.rpc, [signer])
  const last = next! + limits.noncesAheadMax
  need(nonce <= last, `nonce ${nonce}, where the chain is at ${next} and at most ${last} is signed`)
  if (intent.call === 'FILL' || (ports.head && gasLimit <= gasMaxOf(ports.head, settings))) return
  const gasMax = gasMaxOf({ gasLimit: await agreedBlockGas(ports.rpc) }, settings)
  need(gasLimit <= gasMax, `${gasLimit} gas, and a transaction has ${gasMax} at most`)
}

/** The limits that need no node. */
function needWithin({ call, nonce, gasLimit, ...fees }: AnchorIntent, { maxFeePerGasMax }: SigningLimits): void {
  const [fee, tip] = [BigInt(fees.maxFeePerGas), BigInt(fees.maxPriorityFeePerGas)]
  need(!isNone(nonce), 'it has no nonce')
  need(fee <= BigInt(maxFeePerGasMax), `${fee} wei per gas, above anchoring.maxFeePerGasMax, ${maxFeePerGasMax}`)
  need(tip <= fee, `a tip of ${tip} wei per gas, above the fee of ${fee}`)
  need(call !== 'FILL' || gasLimit <= FILLER_GAS, `${gasLimit} gas for a filler, which has ${FILLER_GAS} at most`)
}

interface SendInput {
  readonly intent: AnchorIntent
  /** The call, without data when the log has lost what it is made of: then the signature speaks for the data. */
  readonly call: Pick<ContractCall, 'to'> & { readonly data: string | undefined }
  /** Addresses of the keys of this process, lower case. */
  readonly signers: readonly string[]
}

/**
 * Checks that our own key has signed the bytes for this very intent, within the limits.
 * @throws OutsideLimits
 */
export function needSendable(
  { intent, call, signers }: SendInput,
  { limits, chainId }: Pick<AnchorSettings, 'limits' | 'chainId'>,
): void {
  needWithin(intent, limits)
  const { signer, nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas } = intent
  const signed = parse(intent.rawTransactions.at(-1))
  const isLegacy = signed.type === 0
  const isFiller = intent.call === 'FILL'
  const [to, data] = isFiller ? [signer, '0x'] : [call.to, call.data]
  need(signers.includes(signer), `${signer} is no account whose key is here`)
  need(signed.from?.toLowerCase() === signer, `it is signed by ${signed.from ?? 'nobody'}, not by ${signer}`)
  need(isLegacy || signed.type === 2, `a transaction of type ${signed.type}`)
  need(signed.chainId === BigInt(chainId), `it is for chain ${signed.chainId}`)
  need((signed.accessList ?? []).length === 0, 'it has an access list')
  need(signed.value === 0n, `it carries ${signed.value} wei`)
  need(signed.to?.toLowerCase() === to.toLowerCase(), `it goes to ${signed.to ?? 'a new contract'}, not to ${to}`)
  need(data === undefined || signed.data === data, 'it carries other data than its call')
  need(signed.nonce === nonce, `it has nonce ${signed.nonce}, not ${nonce}`)
  need(signed.gasLimit === BigInt(gasLimit), `it has ${signed.gasLimit} gas, not ${gasLimit}`)
  const fee = isLegacy ? signed.gasPrice : signed.maxFeePerGas
  need(fee === BigInt(maxFeePerGas), `it pays ${fee} wei per gas, not ${maxFeePerGas}`)
  const tip = isLegacy ? BigInt(maxPriorityFeePerGas) : signed.maxPriorityFeePerGas
  need(tip === BigInt(maxPriorityFeePerGas), `it has a tip of ${tip} wei per gas, not ${maxPriorityFeePerGas}`)
}

/** The newest form is sent, so that it has to be there; older ones may have left only their hash. */
function parse(raw: string | undefined): Transaction {
  if (raw === undefined || isHash(raw)) throw new OutsideLimits('there are no bytes to send')
  return Transaction.from(raw)
}

function need(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new OutsideLimits(otherwise)
}
