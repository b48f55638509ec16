/** The place of a block in the two measures in which a submission window can be given. */
export interface BlockPoint {
  /**
   * The block's number as Solidity's `block.number` shows it to the contract. On most chains that is the block's own number;
   * on an Arbitrum Nitro chain it is the parent chain's, which the header carries as `l1BlockNumber`.
   */
  readonly contractBlock: number
  /** Seconds. */
  readonly timestamp: number
}

/**
 * Whether a block lies past the window of an epoch. The last block of a window still belongs to it (the contract accepts
 * while `block.number <= release + window`), so an epoch closes at the first block for which this holds.
 * @param unit `blocks`: the contract's text, in the contract's block numbers. `seconds`: what the deployed event collector
 * does with the same number, here by block timestamps. The one place that compares the two sides of a window.
 */
export function windowIsOver(
  unit: 'blocks' | 'seconds',
  window: number,
  release: BlockPoint,
  block: BlockPoint,
): boolean {
  return unit === 'blocks'
    ? block.contractBlock > release.contractBlock + window
    : block.timestamp > release.timestamp + window
}
