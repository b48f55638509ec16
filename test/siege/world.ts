/** What an adversary knows and owns: the chain as anyone sees it, its slots with their keys, and who the others are. */
import { Contract } from 'ethers'
import { protocolStateInterface } from '../../connectors/evm/contract/abi.ts'
import { devProvider } from '../../ops/world/chain/dev-sender.ts'
import { type SlotWallet, slotWallet } from '../../ops/world/snapshotters/wallets.ts'
import { type Domain, domainOf } from '../../topology/shared/signature.ts'

/** What is attacked; all of it is public but the keys, which are those of the adversary's own slots. */
export interface Place {
  /** Multiaddrs of the intakes, with their peer ids. */
  readonly intakes: readonly string[]
  /** Address of the query API. */
  readonly ops: string
  readonly rpc: string
  readonly chainId: number
  readonly protocolState: string
  readonly markets: readonly string[]
  /** Decides the keys of all slots. */
  readonly seed: number
  /** Slots from 1 to this many are honest, the next `spare` are the adversary's. */
  readonly honest: number
  readonly spare: number
}

/** The newest block, and the newest epoch of each market by that block. */
export interface Moment {
  readonly head: { readonly number: number; readonly hash: string }
  readonly epochs: ReadonlyMap<string, number>
}

export interface World {
  readonly place: Place
  readonly domain: Domain
  readonly own: readonly SlotWallet[]
  at(): Moment
}

export interface WatchedWorld extends World {
  close(): void
}

const LOOK_MS = 150

/** Resolves when every market has an epoch. @param onError told when the node does not answer; it is asked again */
export async function watchWorld(place: Place, onError: (error: unknown) => void): Promise<WatchedWorld> {
  const provider = devProvider(place.rpc, place.chainId)
  const contract = new Contract(place.protocolState, protocolStateInterface, provider)
  let moment: Moment | undefined
  let closed = false
  // the epochs first: a header is to be no older than the release of its epoch
  const look = async (): Promise<Moment> => {
    const epochs = await Promise.all(
      place.markets.map(async (market) => {
        const [, , epochId] = (await contract.getFunction('currentEpoch')(market)) as [bigint, bigint, bigint]
        return [market, Number(epochId)] as const
      }),
    )
    const block = (await provider.send('eth_getBlockByNumber', ['latest', false])) as { number: string; hash: string }
    return { head: { number: Number(block.number), hash: block.hash }, epochs: new Map(epochs) }
  }
  const follow = async (): Promise<void> => {
    while (!closed) {
      moment = await look().catch((error: unknown) => {
        if (!closed) onError(error)
        return moment
      })
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
    provider.destroy()
  }
  void follow()
  while (!moment || [...moment.epochs.values()].includes(0))
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  const own = Array.from({ length: place.spare }, (_, i) => slotWallet(place.seed, place.honest + i + 1))
  return {
    place,
    domain: domainOf(place),
    own,
    at: () => moment!,
    close() {
      closed = true
    },
  }
}
