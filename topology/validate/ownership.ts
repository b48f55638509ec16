import type { SlotOwnership } from '../../schemas/types.ts'

/**
 * Place in a slot's history of its owner as of a block, for a reader that has been told so many forks (`EpochTick.forks`); -1
 * when it had none. Changes that a later fork brings do not count yet, and changes that it takes away still do: so the answer is
 * the same however far the table of slots was read.
 */
export const placeAsOf = (history: readonly SlotOwnership[], blockNumber: number, forks: number): number =>
  history.findLastIndex(
    ({ sinceBlock, sinceFork, untilFork }) =>
      sinceBlock <= blockNumber && sinceFork <= forks && (untilFork === 0 || forks < untilFork),
  )

/** The newest ownership at or before the block; see `placeAsOf`. */
export const ownerAsOf = (
  history: readonly SlotOwnership[],
  blockNumber: number,
  forks: number,
): SlotOwnership | undefined => history[placeAsOf(history, blockNumber, forks)]
