/** How many blocks one request for logs may span: providers differ, and refuse a wider one each in its own words. */
import { EvmError } from '../errors.ts'
import type { Ask } from './ask.ts'

/** Full requests at one width before a wider one is tried again. */
const GROW_AFTER = 64
/** Width when nothing else is set. */
export const LOG_RANGE_BLOCKS = 2_000

/** Width of one node. */
interface Width {
  readonly max: number
  now: number
  /** Full requests answered since the width changed. */
  answered: number
}

const widths = new WeakMap<Ask, Width>()

/** Sets the widest request that this node is asked. */
export const limitLogRange = (ask: Ask, blocksMax: number): void =>
  void widths.set(ask, { max: blocksMax, now: blocksMax, answered: 0 })

/**
 * Reads a range in requests as wide as the node allows: after any refusal of more than one block half as wide, and what
 * worked is remembered for the next reading. Rejects when even one block is refused, or for what no width can mend.
 */
export async function inRanges<T>(
  ask: Ask,
  { fromBlock, toBlock }: { readonly fromBlock: number; readonly toBlock: number },
  reading: (fromBlock: number, toBlock: number) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  if (!widths.has(ask)) limitLogRange(ask, LOG_RANGE_BLOCKS)
  const width = widths.get(ask)!
  const before = width.now
  const found: T[] = []
  for (let from = fromBlock; from <= toBlock; ) {
    const to = Math.min(toBlock, from + width.now - 1)
    const span = to - from + 1
    try {
      for (const one of await reading(from, to)) found.push(one)
      grow(width, span)
      from = to + 1
    } catch (error) {
      if (!mayBeTooWide(error)) throw error
      // A single block that is refused shows that the width was not what the node minded.
      width.now = span > 1 ? Math.ceil(span / 2) : before
      width.answered = 0
      // A range that was waited for in vain is smaller when the caller comes again, for each such wait is long.
      if (span === 1 || isTimeout(error)) throw error
    }
  }
  return found
}

/** Refused, or answered with more than is taken; not a block that the node lacks, nor another node's affair. */
const mayBeTooWide = (error: unknown): boolean =>
  error instanceof EvmError && (error.code === 'RPC_ERROR' || error.code === 'ANSWER_TOO_LONG' || isTimeout(error))

const isTimeout = (error: unknown): boolean => error instanceof EvmError && error.code === 'UNREACHABLE'

function grow(width: Width, span: number): void {
  if (span < width.now || width.now >= width.max) return
  width.answered++
  if (width.answered < GROW_AFTER) return
  width.now = Math.min(width.max, width.now * 2)
  width.answered = 0
}
