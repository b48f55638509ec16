/** Which epochs take submissions, as the ticks say. It may be behind the log, or know nothing of an epoch of long ago. */
import type { EpochState } from '../../../connectors/libp2p/admission.ts'
import type { EpochTick, StoredHead } from '../../../schemas/types.ts'
import type { ProtocolRules } from '../../../topology/rules.ts'
import { rulesOfMarket } from '../../../topology/rules.ts'
import { arrivalOf, epochsAwaited } from '../../../topology/validate/early.ts'

const NO_RELEASE = { block: Number.POSITIVE_INFINITY, forks: Number.POSITIVE_INFINITY }
/** Open epochs of one market that are remembered; more than windows and depth can leave open. */
const OPEN_MAX = 1_024

export interface Release {
  readonly block: number
  /** ORPHAN ticks until then. */
  readonly forks: number
}

interface MarketState {
  newest: number
  /** Epoch → its release, oldest first. */
  readonly open: Map<number, Release>
}

export interface OpenEpochs {
  apply(tick: EpochTick): void
  /** All after the newest are awaited: a market may pass over ids. Open while nothing is known of a market that is served. */
  stateOf(dataMarket: string, epochId: number): EpochState
  /** As many as can have been released since the newest block in the log, and those ahead. */
  awaitedMax(dataMarket: string): number
  /** The oldest release of an epoch that is open; Infinity when none is. */
  oldestRelease(): Release
}

/** @param now ms since 1970 */
export function openEpochs(rules: ProtocolRules, now: () => number): OpenEpochs {
  const markets = new Map<string, MarketState>()
  let head: StoredHead | undefined
  const served = new Set(rules.markets.map(({ dataMarket }) => dataMarket))
  return {
    apply(tick) {
      const { kind, dataMarket, epochId, releaseBlock, forks, markets: changes } = tick
      if (kind === 'HEAD') head = headOf(tick)
      for (const change of changes) {
        if (change.served) served.add(change.dataMarket)
        else served.delete(change.dataMarket)
      }
      if (kind !== 'OPEN' && kind !== 'CLOSE') return
      const state = markets.get(dataMarket) ?? { newest: 0, open: new Map<number, Release>() }
      markets.set(dataMarket, state)
      if (kind === 'CLOSE') state.open.delete(epochId)
      else {
        state.newest = Math.max(state.newest, epochId)
        state.open.set(epochId, { block: releaseBlock, forks })
        for (const oldest of state.open.keys()) {
          if (state.open.size <= OPEN_MAX) break
          state.open.delete(oldest)
        }
      }
    },
    stateOf(dataMarket, epochId) {
      if (epochId === 0) return 'over'
      const state = markets.get(dataMarket)
      if (state?.open.has(epochId)) return 'open'
      if (!served.has(dataMarket)) return 'over'
      if (!state) return 'open'
      return epochId > state.newest ? 'awaited' : 'over'
    },
    awaitedMax: (dataMarket) => epochsAwaited(arrivalOf(now(), head), head, rulesOfMarket(rules, dataMarket)),
    oldestRelease() {
      let oldest: Release = NO_RELEASE
      for (const { open } of markets.values()) {
        const [first] = open.values()
        if (first !== undefined && first.block < oldest.block) oldest = first
      }
      return oldest
    },
  }
}

const headOf = ({ blockNumber: number, blockHash: hash, blockTimestamp: timestamp }: EpochTick): StoredHead => ({
  number,
  hash,
  timestamp,
  canonical: true,
  forks: 0,
})
