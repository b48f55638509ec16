/** Ticks that came before the blocks under them, until those come. */
import type { EpochTick } from '../../schemas/types.ts'
import type { KeyValueStore } from '../../streams/store.ts'

/** Above it what lies furthest ahead is let go: the request that follows the filled gap brings it again. */
export const GAP_TICKS_MAX = 1_000
/** A request may get lost with the clock that took it, so it is made again for every so many ticks that wait. */
const REQUEST_AGAIN_TICKS = 50

const ORDER: Readonly<Record<EpochTick['kind'], number>> = { HEAD: 0, OPEN: 1, CLOSE: 2, ORPHAN: 3 }

export type TickGap = ReturnType<typeof createTickGap>

export function createTickGap(store: KeyValueStore<EpochTick>) {
  const waiting = (): EpochTick[] => [...store.entries()].map(([, tick]) => tick)
  const first = (): EpochTick | undefined =>
    waiting().reduce<EpochTick | undefined>((a, b) => (a && inChainOrder(a, b) < 0 ? a : b), undefined)

  return {
    isEmpty: () => store.size === 0,

    /** @returns whether the missing blocks should be asked for */
    add(tick: EpochTick): boolean {
      if (store.get(keyOf(tick))) return false
      if (store.size >= GAP_TICKS_MAX) {
        const last = waiting().reduce((a, b) => (inChainOrder(a, b) > 0 ? a : b))
        if (inChainOrder(tick, last) >= 0) return false
        store.delete(keyOf(last))
      }
      store.put(keyOf(tick), tick)
      return store.size % REQUEST_AGAIN_TICKS === 1
    },

    /** The last block that is missing below what waits. */
    lastMissing(): number | undefined {
      const tick = first()
      return tick && headNeeded(tick)
    },

    /**
     * Takes out the first tick in chain order if no block is missing below it and it is not of a block above `upTo`.
     * @param next the block after the newest
     */
    takeNext(next: number, upTo: number): EpochTick | undefined {
      const tick = first()
      if (!tick || headNeeded(tick) >= next || tick.blockNumber > upTo) return undefined
      store.delete(keyOf(tick))
      return tick
    },

    /** True when this very block waits in the gap. */
    has: ({ blockNumber, blockHash }: EpochTick): boolean =>
      waiting().some((tick) => tick.blockNumber === blockNumber && tick.blockHash === blockHash),

    dropFrom(blockNumber: number): void {
      for (const tick of waiting()) if (tick.blockNumber >= blockNumber) store.delete(keyOf(tick))
    },
  }
}

/** The block that must be here for a tick to be judged: a HEAD's parent, another tick's own. */
const headNeeded = ({ kind, blockNumber }: EpochTick): number => (kind === 'HEAD' ? blockNumber - 1 : blockNumber)

const keyOf = ({ blockNumber, blockHash, kind, dataMarket, epochId }: EpochTick): string =>
  `${blockNumber}/${blockHash}/${kind}/${dataMarket}/${epochId}`

const inChainOrder = (a: EpochTick, b: EpochTick): number =>
  a.blockNumber - b.blockNumber ||
  ORDER[a.kind] - ORDER[b.kind] ||
  (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0)
