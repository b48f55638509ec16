/** The stores that settings name. */
import { createFileBlockStore } from '../../../connectors/ipfs/file-store.ts'
import { createKuboStore } from '../../../connectors/ipfs/kubo-store.ts'
import { createPinService } from '../../../connectors/ipfs/pin-service.ts'
import { type Keeper, keeperOf, serviceKeeperOf } from '../../../connectors/ipfs/store.ts'
import { secretIn } from '../../ground/cluster/connect.ts'

/** As in the settings at `storage`; at least one of directory and kubo. */
export interface StorageConfig {
  readonly directory?: string | undefined
  /** RPC addresses of Kubo nodes. */
  readonly kubo: readonly string[]
  readonly cidVersion: 0 | 1
  /** Services that fetch batches from the Kubo nodes. */
  readonly pinning?: readonly PinningConfig[]
  /** Stores that must hold a batch before it is anchored; `requiredOf` them when absent. */
  readonly required?: number | undefined
  /** For one request. */
  readonly timeoutMs?: number
  /** Time between two checks of what the stores hold; 0 for none. */
  readonly checkMinutes?: number
  /** A check asks about the batches of so many hours. */
  readonly checkHours?: number
  /** Days after which stores let go of a batch; 0 for never. */
  readonly keepDays?: number
}

export interface PinningConfig {
  readonly url: string
  readonly tokenFile: string
  readonly origins: readonly string[]
}

/**
 * All but one: one store that is down is what happens, and must not stop anchoring; with fewer copies than that an outage of
 * a day would leave batches in one place.
 */
export const requiredOf = ({ directory, kubo, required }: StorageConfig): number =>
  required ?? Math.max(1, kubo.length + (directory === undefined ? 0 : 1) - 1)

/** Throws CliError when others may read the token of a service, StoreError when the directory cannot be made. */
export async function openKeepers(config: StorageConfig): Promise<readonly Keeper[]> {
  const { directory, kubo, cidVersion: version, pinning = [], timeoutMs } = config
  const tuning = { ...(timeoutMs !== undefined && { timeoutMs }) }
  const files = directory === undefined ? [] : [await createFileBlockStore({ directory, version })]
  const stores = [...files, ...kubo.map((url) => createKuboStore({ url, version, ...tuning }))]
  const services = pinning.map(({ url, tokenFile, origins }) =>
    createPinService({ url, token: secretIn(tokenFile), origins, ...tuning }),
  )
  return [...stores.map(keeperOf), ...services.map(serviceKeeperOf)]
}
