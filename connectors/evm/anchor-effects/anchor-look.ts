/** A look at all signed forms of a transaction. */
import type { AnchorIntent } from '../../../schemas/types.ts'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { type Head, headerOf, nonceOf, type Receipt, receiptOf } from './anchor-chain.ts'
import type { AnchorSettings } from './anchor-options.ts'

/** Blocks on top of a transaction's that are followed by their parent hashes, at most: a deeper chain is not forged by a lag. */
const LINKS_MAX = 64

export interface View {
  readonly head: Head
  /** Receipt of the form that is in a block of the chain, as far as the node knows that block. */
  readonly receipt: Receipt | undefined
  /** So many blocks lie on top of it, each linked to the one before, that it stays. */
  readonly deep: boolean
  /** The block of the receipt that was seen before is not of the chain any more: another has its place. */
  readonly left: boolean
  /** A receipt whose block the node does not have, with the nonce free: nothing of it is on the chain. */
  readonly lost: Receipt | undefined
  /** Next nonce of the signer, at the head and at the depth. */
  readonly nonceNow: number
  readonly nonceDeep: number
}

/**
 * A receipt counts only while the chain has its block: behind one address there may be a node on another fork. The block is
 * enough for a receipt that was seen before, since a node may have lost the receipt, or still be indexing. A block that the node
 * does not have says nothing: the nonce does, since a node that is only behind may be given the same bytes again. A receipt that
 * cannot be read is no outage while the nonce is free: no form is in a block then.
 * @throws EvmError when head or nonce cannot be read, or no receipt though the nonce is used
 */
export async function look(
  ask: Ask,
  { signer, nonce }: AnchorIntent,
  forms: readonly { readonly hash: string }[],
  seen: Receipt | undefined,
  settings: AnchorSettings,
): Promise<View> {
  const { confirmations, contractBlock } = settings
  const head = (await headerOf(ask, 'latest', contractBlock))!
  const answers = await Promise.all(forms.map(({ hash }) => receiptOf(ask, hash).catch(unreadable)))
  const found = answers.filter((one): one is Receipt => one !== undefined && !(one instanceof EvmError))
  let left = false
  let lost: Receipt | undefined
  for (const receipt of seen ? [...found, seen] : found) {
    const block = await headerOf(ask, receipt.blockNumber, contractBlock)
    if (!block) lost ??= receipt
    else if (block.hash !== receipt.blockHash) left ||= receipt === seen
    else {
      const far = head.number - receipt.blockNumber >= confirmations
      const deep = far && (await isLinked(ask, receipt, head, settings))
      return { ...NOTHING, head, receipt, deep, nonceNow: nonce, nonceDeep: nonce }
    }
  }
  const nonceNow = await nonceOf(ask, signer, 'latest')
  if (lost && nonceNow > nonce) return { ...NOTHING, head, receipt: lost, nonceNow, nonceDeep: nonceNow }
  const unread = answers.find((one) => one instanceof EvmError)
  if (nonceNow > nonce && unread && !left) throw unread
  const deepBlock = Math.max(0, head.number - confirmations)
  const nonceDeep = nonceNow > nonce ? await nonceOf(ask, signer, deepBlock) : nonceNow
  return { ...NOTHING, head, left, lost, nonceNow, nonceDeep }
}

const NOTHING = { receipt: undefined, deep: false, left: false, lost: undefined }

/** An error in words, as of a node that is indexing. No answer at all is an outage. */
function unreadable(error: unknown): EvmError {
  if (error instanceof EvmError && error.code !== 'UNREACHABLE' && error.retriable) return error
  throw error
}

/** True when the block of the receipt and the blocks on top of it are one chain; two nodes with different forks do not give one. */
async function isLinked(
  ask: Ask,
  { blockNumber, blockHash }: Receipt,
  head: Head,
  { confirmations, contractBlock }: AnchorSettings,
): Promise<boolean> {
  const above = Math.min(confirmations, LINKS_MAX)
  const numbers = Array.from({ length: above + 1 }, (_, i) => blockNumber + i)
  const read = (number: number) => (number === head.number ? head : headerOf(ask, number, contractBlock))
  const blocks = await Promise.all(numbers.map(read))
  return blocks.every((block, i) => (i === 0 ? block?.hash === blockHash : block?.parentHash === blocks[i - 1]?.hash))
}
