/** Findings of one attempt at a transaction that the next attempt needs. Kept while the process runs: another finds it out again. */
import type { AnchorKey } from '../../../schemas/types.ts'
import type { Rpc } from '../nodes/rpc.ts'
import { type Head, headerOf } from './anchor-chain.ts'
import { textOf } from './anchor-intents.ts'
import type { AnchorSettings } from './anchor-options.ts'
import type { TransactionForm } from './anchor-signer.ts'

export interface SendMemory {
  /** Rounds in which the transaction was stuck and every node refused it. */
  refusedRounds: number
  /** Nodes do not take EIP-1559 transactions, or nothing that was tried in that form: the next is a legacy one. */
  legacy: boolean
  /** The nonce of the transaction of which it was told that it is in no block. */
  unminedTold: number | undefined
}

export const newSendMemory = (): SendMemory => ({ refusedRounds: 0, legacy: false, unminedTold: undefined })

export interface SendMemories {
  of(key: AnchorKey): SendMemory
  forget(key: AnchorKey): void
}

/** Keeps a memory for each key that has a nonce, so no more than may be in flight. */
export function createSendMemories(): SendMemories {
  const memories = new Map<string, SendMemory>()
  return {
    of(key) {
      const text = textOf(key)
      const memory = memories.get(text) ?? newSendMemory()
      memories.set(text, memory)
      return memory
    },
    forget: (key) => void memories.delete(textOf(key)),
  }
}

/** In which form the next transaction is signed. */
export async function formOf(
  { legacy }: SendMemory,
  newest: Head | undefined,
  rpc: Pick<Rpc, 'read'>,
  { transactionType, contractBlock }: AnchorSettings,
): Promise<TransactionForm> {
  if (transactionType !== 'auto') return transactionType
  if (legacy) return 'legacy'
  const head = newest ?? (await rpc.read((ask) => headerOf(ask, 'latest', contractBlock)))
  return head && head.baseFeePerGas === undefined ? 'legacy' : 'eip1559'
}
