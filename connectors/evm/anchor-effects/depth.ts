/** How long the word of one node holds: only while the node has the block, and for good only as of a deep one. */
import type { Ask } from '../nodes/ask.ts'
import { type Head, headerOf } from './anchor-chain.ts'
import type { AnchorSettings } from './anchor-options.ts'
import { NotYet } from './anchor-result.ts'

/** Nodes keep the state of 128 blocks, and reorganisations are shorter. */
const DEFINITE_BLOCKS_MAX = 32

/** The block as of which an answer of the contract stays; undefined while the chain is too short. */
export const deepBlock = (
  { number }: Pick<Head, 'number'>,
  { confirmations }: Pick<AnchorSettings, 'confirmations'>,
): number | undefined => {
  const block = number - Math.min(confirmations, DEFINITE_BLOCKS_MAX)
  return block < 0 ? undefined : block
}

/** @throws NotYet when another block has the place of this newest one by now, or none has */
export async function needSame(
  ask: Ask,
  { number, hash }: Pick<Head, 'number' | 'hash'>,
  { contractBlock }: Pick<AnchorSettings, 'contractBlock'>,
): Promise<void> {
  if ((await headerOf(ask, number, contractBlock))?.hash !== hash)
    throw new NotYet(`the node calls block ${number} its newest, and does not have it`)
}
