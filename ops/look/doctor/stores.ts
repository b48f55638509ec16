/** Checks that each store takes batches: a tiny block is written, read back, kept, and let go of. */
import type { StoreError, StoreErrorCode } from '../../../connectors/ipfs/batch-store.ts'
import { type CidVersion, computeCid } from '../../../connectors/ipfs/cid.ts'
import { type Keeper, storeErrorOf } from '../../../connectors/ipfs/store.ts'
import { openKeepers, requiredOf, type StorageConfig } from '../../run/storage/keepers.ts'
import { type Finding, failed, notLookedAt } from './finding.ts'

const TIMEOUT_MS = 10_000
/** The same each time, so that no store fills with it. */
const BLOCK = Buffer.from('sequencer doctor\n')

/** Each store on its own, and what their number means. Never rejects. */
export async function examineStores(config: StorageConfig): Promise<readonly Finding[]> {
  const { directory, kubo, pinning = [], cidVersion } = config
  if (directory === undefined && kubo.length === 0)
    return [notLookedAt('storage', 'no store is named: storage.kubo, storage.directory')]
  try {
    const keepers = await openKeepers({ ...config, timeoutMs: TIMEOUT_MS })
    // a service finds the block at a store, so those come first
    const stores = keepers.filter(({ isService }) => !isService)
    const ofStores = await Promise.all(stores.map((one) => examineStore(one, cidVersion)))
    const services = keepers.filter(({ isService }) => isService)
    const ofServices = await Promise.all(services.map((one) => examineStore(one, cidVersion)))
    const working = ofStores.filter(({ ok }) => ok).length
    const counted = stores.length > 1 || pinning.length > 0 ? [enough(working, stores.length, requiredOf(config))] : []
    return [...ofStores, ...ofServices, ...counted]
  } catch (error) {
    return [failed('storage', error, 'Check storage.directory, and the token files of storage.pinning.')]
  }
}

function enough(working: number, stores: number, required: number): Finding {
  const spare = working - required
  const detail = `${working} of ${stores} stores work, and ${required} must hold a batch before it is anchored`
  if (spare > 0) return { check: 'stores', ok: true, detail: `${detail}: ${spare} may be down` }
  const advice =
    spare < 0
      ? 'No batch is anchored. Bring a store back, or set storage.required lower.'
      : 'A single store down stops anchoring. Name another store, or set storage.required lower.'
  return { check: 'stores', ok: spare === 0, detail, advice }
}

async function examineStore(keeper: Keeper, version: CidVersion): Promise<Finding> {
  const { name } = keeper
  const check = 'storage'
  try {
    const cid = await computeCid(BLOCK, version)
    const failure = await keeper.keep({ cid, bytes: async () => BLOCK }, BLOCK)
    if (failure && failure.code !== 'PENDING') return troubleOf(name, failure)
    if (keeper.isService) {
      await keeper.remove(cid, [])
      return { check, ok: true, detail: `${name}: takes requests to pin, and to let go` }
    }
    if (await keeper.has(cid)) return { check, ok: true, detail: `${name}: wrote and read back ${cid}, and keeps it` }
    const advice = 'It takes the bytes and does not pin them: allow pin/ls and pin/add at its RPC (API.Authorizations).'
    return { check, ok: false, detail: `${name}: ${cid} was written and is not pinned`, advice }
  } catch (error) {
    return troubleOf(name, storeErrorOf(name, error))
  }
}

const troubleOf = (name: string, { code, message }: StoreError): Finding => ({
  check: 'storage',
  ok: false,
  detail: message.startsWith(name) ? message : `${name}: ${message}`,
  advice: ADVICE[code],
})

const ADVICE: Readonly<Record<StoreErrorCode, string>> = {
  UNAVAILABLE:
    'Start it, or check its address (storage.kubo, storage.pinning, --kubo), the network between, and its disk.',
  REFUSED:
    'It answers and will not take the request: check its address, the login or token, its limits, and a proxy before it.',
  BAD_ANSWER: 'Something else answers at this address, a proxy or a login page: give the address of the RPC itself.',
  CID_MISMATCH:
    'Its settings of chunker or CIDs differ, or something between changes bytes. Take it out of storage until it is mended.',
  DISK_FULL: 'Make space on the disk of storage.directory.',
  READ_ONLY: 'Let the user of this process write to storage.directory.',
  CORRUPT: 'A file in storage.directory is damaged: check the disk, then run `sequencer batches heal`.',
  NOT_FOUND: 'It took the block and does not give it back: look at its repository, and at a proxy before it.',
  TOO_LARGE: 'It answers with more than it was asked for: something else answers at this address.',
  PENDING: 'It is fetching the block: look again in a minute.',
  PIN_FAILED:
    'The service cannot fetch blocks from the Kubo nodes: give their public addresses at `origins`, and let them be reached.',
}
