/** Headers of blocks that follow each other, of a time that can be. */
import { type BlockHeader, type ContractBlockSource, headerAt } from '../contract/chain-reader.ts'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { badAnswer } from '../nodes/rpc-values.ts'
import type { Head } from './chain-state.ts'

/** Linked headers from `first` on; they end before the first that the node does not have. */
export async function headersOf(
  ask: Ask,
  first: number,
  last: number,
  source: ContractBlockSource,
): Promise<BlockHeader[]> {
  const numbers = Array.from({ length: last - first + 1 }, (_, i) => first + i)
  const answers = await Promise.all(numbers.map((number) => headerAt(ask, number, source)))
  const missing = answers.indexOf(undefined)
  const headers = answers.slice(0, missing < 0 ? answers.length : missing) as BlockHeader[]
  if (headers.length === 0) {
    throw new EvmError('BLOCK_MISSING', `the node has no block ${first} below its own head`, { retriable: true })
  }
  for (const [i, header] of headers.entries()) {
    const parent = headers[i - 1]
    if (parent && header.parentHash !== parent.hash)
      throw new EvmError('INCONSISTENT', `block ${header.number} does not follow its parent`, { retriable: true })
  }
  return headers
}

/**
 * A block may be ahead of our own clock, and of the block before it, by so much: the time of a test chain is moved by days at
 * once, honest nodes give a block seconds. A time beyond both is a slip or a lie of the node, and would end windows for good.
 */
const AHEAD_SECONDS_MAX = 366 * 24 * 60 * 60

export function checkTimes(headers: readonly BlockHeader[], newest: Head | undefined, now: number): void {
  let before = Math.max(now / 1_000, newest?.timestamp ?? 0)
  for (const { number, timestamp } of headers) {
    if (timestamp > before + AHEAD_SECONDS_MAX)
      throw badAnswer(
        `block ${number} says that it is of second ${timestamp}, more than ${AHEAD_SECONDS_MAX} s after our own clock and the ` +
          'block before it',
      )
    before = Math.max(before, timestamp)
  }
}
