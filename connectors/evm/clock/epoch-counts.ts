/** Reads the contract's own record of a market's epochs, as of a block. */
import { type BlockHeader, EPOCH_MAX, NoAnswer, readResult, type StateAt } from '../contract/chain-reader.ts'
import { isRevert } from '../contract/market-check.ts'
import { asOf, type NotSaid } from '../contract/not-said.ts'
import type { BlockPoint } from '../contract/window.ts'
import type { Ask } from '../nodes/ask.ts'
import { bigQuantity, quantity } from '../nodes/rpc-values.ts'

export interface CountedMarket {
  readonly protocolState: string
  readonly dataMarket: string
  /** The contract is there: what it does not say is not waited for. Absent where the contract said nothing at all. */
  readonly notSaid?: NotSaid
}

/** As of the parent of a block. Nothing was before block 0, nor before the contract. */
export async function countBefore(
  ask: Ask,
  market: CountedMarket,
  { number, parentHash }: BlockHeader,
): Promise<number | undefined> {
  if (number === 0) return 0
  return countOf(ask, market, { blockHash: parentHash }, (error) => isRevert(error) || error instanceof NoAnswer)
}

/**
 * The newest epoch as of a state; undefined when the contract does not say it.
 * @param isNone whether a refusal means 0: that the contract, or the market in it, was not there yet
 */
export async function countOf(
  ask: Ask,
  { protocolState, dataMarket, notSaid }: CountedMarket,
  at: StateAt,
  isNone: (refusal: unknown) => boolean = () => false,
): Promise<number | undefined> {
  const read = async (): Promise<number> => {
    try {
      const [, , epochId] = await readResult(ask, protocolState, 'currentEpoch', [dataMarket], at)
      const counted = bigQuantity(epochId, 'currentEpoch')
      return counted > EPOCH_MAX ? EPOCH_MAX + 1 : Number(counted)
    } catch (error) {
      if (isNone(error)) return 0
      throw error
    }
  }
  if (!notSaid) return read()
  return notSaid.or(ask, asOf(`currentEpoch of ${dataMarket}`, at), read, () => undefined)
}

/**
 * The block in which each of these epochs was released; undefined for an epoch that was not, and where the contract does not say
 * it.
 */
export const releasesOf = (
  ask: Ask,
  { protocolState, dataMarket, notSaid }: CountedMarket,
  epochIds: readonly number[],
  at: StateAt,
): Promise<(BlockPoint | undefined)[]> =>
  Promise.all(
    epochIds.map(async (epochId) => {
      const read = (): Promise<readonly unknown[]> =>
        readResult(ask, protocolState, 'epochInfo', [dataMarket, epochId], at)
      const subject = asOf(`epochInfo of ${dataMarket}`, at)
      const [time, block] = notSaid ? await notSaid.or(ask, subject, read, () => [0n, 0n]) : await read()
      const point = { contractBlock: quantity(block, 'release block'), timestamp: quantity(time, 'release time') }
      return point.timestamp === 0 ? undefined : point
    }),
  )

/** Which side of a block a release lies on. Several blocks may have one number in the contract's eyes, and one time. */
export function side(release: BlockPoint, block: BlockHeader): 'before' | 'in' | 'after' | 'unclear' {
  if (release.contractBlock !== block.contractBlock)
    return release.contractBlock < block.contractBlock ? 'before' : 'after'
  if (block.contractBlock === block.number) return 'in'
  if (release.timestamp === block.timestamp) return 'unclear'
  return release.timestamp < block.timestamp ? 'before' : 'after'
}
