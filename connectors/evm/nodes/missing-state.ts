/**
 * Why a node cannot say what was at a block: each kind of node has words of its own for that, and new ones come. So the node
 * is asked what it does have, and its words are never read.
 */
import { EvmError } from '../errors.ts'
import type { Ask } from './ask.ts'

interface Looks {
  /** Whether the node has the block. */
  readonly hasBlock: () => Promise<boolean>
  /** The same read of the newest state. */
  readonly newest: () => Promise<unknown>
  /** The read that failed. */
  readonly again: () => Promise<unknown>
}

type Missing = 'BLOCK_MISSING' | 'STATE_MISSING' | undefined

/** Looks under way, by node and block: of hundreds of reads that fail together one is looked into. */
const underWay = new WeakMap<Ask, Map<string, Promise<Missing>>>()

/**
 * The meaning of a node's error in place of the state of a block: `BLOCK_MISSING`, or `STATE_MISSING` when the node has the block
 * and answers the same for its newest one; else the error itself.
 * @param subject the reading, and its block
 */
export async function whyUnknown(ask: Ask, subject: string, error: unknown, looks: Looks): Promise<unknown> {
  if (!isRefusalOfNode(error)) return error
  const looking = underWay.get(ask) ?? new Map<string, Promise<Missing>>()
  underWay.set(ask, looking)
  const look = looking.get(subject) ?? missingOf(looks).finally(() => looking.delete(subject))
  looking.set(subject, look)
  const missing = await look
  if (missing === undefined) return error
  const { message, endpoint, cause } = error
  return new EvmError(missing, message, { retriable: true, endpoint, cause })
}

/** Refusals of the one with answers for the other between them: a node that fails now and then fails for both. */
const LOOKS = 3

/** `undefined` when the node fails otherwise too, or answers now. */
async function missingOf({ hasBlock, newest, again }: Looks): Promise<Missing> {
  try {
    if (!(await hasBlock())) return 'BLOCK_MISSING'
    for (let look = 0; look < LOOKS; look++) {
      await newest()
      const refusal = await again().catch((error: unknown) => error)
      if (!isRefusalOfNode(refusal)) return undefined
    }
    return 'STATE_MISSING'
  } catch {
    return undefined
  }
}

/** An error in place of an answer, and not one that the contract gave: a call that it reverts needs the state. */
const isRefusalOfNode = (error: unknown): error is EvmError =>
  error instanceof EvmError && error.code === 'RPC_ERROR' && !/revert/i.test(error.message)
