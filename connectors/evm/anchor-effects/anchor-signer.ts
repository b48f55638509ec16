import { readFileSync } from 'node:fs'
import { Transaction, Wallet } from 'ethers'
import type { AnchorIntent } from '../../../schemas/types.ts'
import { whyNotKept } from '../../secret-file.ts'
import { EvmError } from '../errors.ts'

const KEY = /^(0x)?[0-9a-fA-F]{64}$/
/** A private key as 64 hex digits in a file that nobody else may read. The key itself is in no message. */
export function readSignerKey(file: string): string {
  let text: string
  try {
    const notKept = whyNotKept(file)
    if (notKept) throw new EvmError('SIGNER_KEY', `The key file ${notKept}`)
    text = readFileSync(file, 'utf8').trim()
  } catch (cause) {
    if (cause instanceof EvmError) throw cause
    throw new EvmError('SIGNER_KEY', `The key file ${file} cannot be read: ${(cause as Error).message}`)
  }
  if (!KEY.test(text))
    throw new EvmError('SIGNER_KEY', `The key file ${file} does not hold 64 hex digits and nothing else`)
  return text.startsWith('0x') ? text : `0x${text}`
}

/** EIP-1559 (type 2), or the form before it (type 0), which every chain takes. */
export type TransactionForm = 'eip1559' | 'legacy'

export interface Signer {
  /** Lower case. */
  readonly address: string
  /**
   * The transaction of an intent; the same intent in the same form gives the same bytes (RFC 6979), so signing twice sends nothing twice.
   * With 50 projects it takes about 11 ms of the event loop (ethers encodes, hashes and signs in JavaScript): one per batch.
   */
  sign(
    intent: AnchorIntent,
    call: { to: string; data: string },
    form?: TransactionForm,
  ): Promise<{ raw: string; hash: string }>
}

export function createSigner(privateKey: string, chainId: number): Signer {
  if (!KEY.test(privateKey)) throw new EvmError('SIGNER_KEY', 'The key of the signer is not 64 hex digits')
  const wallet = new Wallet(privateKey)
  return {
    address: wallet.address.toLowerCase(),
    async sign({ nonce, gasLimit, maxFeePerGas, maxPriorityFeePerGas }, call, form = 'eip1559') {
      const fees =
        form === 'legacy'
          ? { type: 0, gasPrice: BigInt(maxFeePerGas) }
          : { type: 2, maxFeePerGas: BigInt(maxFeePerGas), maxPriorityFeePerGas: BigInt(maxPriorityFeePerGas) }
      const raw = await wallet.signTransaction({ chainId, nonce, gasLimit, ...fees, ...call, value: 0n })
      return { raw, hash: Transaction.from(raw).hash! }
    },
  }
}
