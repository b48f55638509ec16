/** Everything around the sequencer in a campaign: brokers behind proxies, a registry, a chain with its validators. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Lifecycle } from '../../ops/base/lifecycle.ts'
import { ensureMarkerKey } from '../../ops/settings/keys/marker-key.ts'
import { startRegistry } from '../../ops/world/brokers/registry.ts'
import { type Kafka, startKafka } from '../../ops/world/brokers/start.ts'
import type { DevDays } from '../../ops/world/chain/dev-days.ts'
import { startEpochManager } from '../../ops/world/chain/dev-epochs.ts'
import { startValidator } from '../../ops/world/chain/dev-validator.ts'
import { type DevChain, startDevChain } from '../../ops/world/chain/devchain.ts'
import { slotWallet } from '../../ops/world/snapshotters/wallets.ts'
import { KafkaProxy } from '../real/kafka-proxy.ts'
import { TcpGate } from './tcp-gate.ts'

/** Seed of the slots' keys, for the signers. */
export const SLOTS_SEED = 1
const BLOCK_SECONDS = 1
const EPOCH_BLOCKS = 8
/** An epoch is anchored after any outage here: what comes too late for the contract is tried in tests of the anchor. */
const WINDOWS = { snapshot: 5, batch: 20_000, attestation: 30_000 }
/** Counts are told in the midst of a day, too, and a call has room for seven slots, so that kills fall between the calls of a day. */
const PAID = { rewards: 'on', payoutEpochs: 2, payoutGasMax: 1_500_000 }

export interface SurroundingsOptions {
  readonly brokers: 1 | 3
  readonly directory: string
  readonly slots: number
  readonly log: (line: string) => void
  /** Short days, of which the contract is told; absent for a release that knows no days. */
  readonly days?: DevDays
  /** False for a release that knows no keys of markers; `marker.key` in the directory is made all the same. */
  readonly signedMarkers?: boolean
}

export interface Surroundings {
  readonly kafka: Kafka
  /** Before each broker, in their order. */
  readonly proxies: readonly KafkaProxy[]
  readonly registryGate: TcpGate
  readonly chainGate: TcpGate
  readonly chain: DevChain
  /** Settings of every process but its roles, its name and its ports. */
  readonly configFile: string
  /** Epochs are released up to this one, or until they are stopped; none before the first call. */
  release(epochsMax?: number): Promise<void>
  stopReleasing(): Promise<void>
  close(): Promise<void>
}

export async function startSurroundings(options: SurroundingsOptions): Promise<Surroundings> {
  const parts = new Lifecycle(options.log)
  try {
    return await startParts(options, parts)
  } catch (error) {
    await parts.close()
    throw error
  }
}

async function startParts(options: SurroundingsOptions, parts: Lifecycle): Promise<Surroundings> {
  const { brokers, directory, slots, log, days } = options
  const proxies: KafkaProxy[] = []
  const advertised = async (_nodeId: number, port: number) => {
    proxies.push(await parts.add('proxy', KafkaProxy.start(port)))
    return proxies.at(-1)!.port
  }
  const kafka = await parts.add('kafka', startKafka({ brokers, directory: join(directory, 'kafka'), advertised, log }))
  const registry = await startRegistry({ directory: join(directory, 'registry'), log })
  await parts.add('registry', { close: () => registry.stop() })
  const registryGate = await addGate(parts, Number(new URL(registry.url).port))
  const chain = await parts.add(
    'chain',
    startDevChain({
      directory: join(directory, 'chain'),
      port: 0,
      blockTimeSeconds: BLOCK_SECONDS,
      markets: 1,
      windows: WINDOWS,
      ...(days && { days }),
      slots: Array.from({ length: slots }, (_, i) => ({
        slotId: i + 1,
        owner: slotWallet(SLOTS_SEED, i + 1).address,
      })),
    }),
  )
  const chainGate = await addGate(parts, Number(new URL(chain.rpcUrl).port))
  const world = { ...chain, onError: () => {} }
  let manager: { close(): Promise<void> } | undefined
  const stopReleasing = async () => manager?.close()
  await parts.add('epoch manager', { close: stopReleasing })
  for (const account of chain.accounts.validators)
    await parts.add('validator', startValidator({ ...world, account, fromBlock: chain.startBlock }))
  const configFile = writeConfig(options, { kafka, registry: registry.url, registryGate, chain, chainGate })
  return {
    kafka,
    proxies,
    registryGate,
    chainGate,
    chain,
    configFile,
    async release(epochsMax) {
      await stopReleasing()
      const pace = { everyBlocks: EPOCH_BLOCKS, ...(epochsMax !== undefined && { epochsMax }) }
      manager = startEpochManager({ ...world, account: chain.accounts.epochManager, ...pace })
    },
    stopReleasing,
    close: () => parts.close(),
  }
}

async function addGate(parts: Lifecycle, port: number): Promise<TcpGate> {
  const gate = await TcpGate.start(port)
  await parts.add('gate', { close: () => gate.stop() })
  return gate
}

interface Addresses extends Pick<Surroundings, 'kafka' | 'registryGate' | 'chain' | 'chainGate'> {
  readonly registry: string
}

function writeConfig(
  { directory, brokers, days, signedMarkers = true }: SurroundingsOptions,
  { kafka, registry, registryGate, chain, chainGate }: Addresses,
): string {
  const signerKeyFile = join(directory, 'signer.key')
  writeFileSync(signerKeyFile, chain.accounts.sequencer.privateKey.slice(2), { mode: 0o600 })
  const markerKeyFile = join(directory, 'marker.key')
  ensureMarkerKey(markerKeyFile)
  const through = (url: string, { port }: TcpGate): string => {
    const gated = new URL(url)
    gated.port = `${port}`
    return gated.href.replace(/\/$/, '')
  }
  const settings = {
    kafka: {
      brokers: kafka.bootstrap,
      replicationFactor: brokers,
      minInsyncReplicas: brokers === 3 ? 2 : 1,
      standbys: 1,
    },
    registry: { url: through(registry, registryGate) },
    chain: {
      rpcUrls: [through(chain.rpcUrl, chainGate)],
      chainId: chain.chainId,
      protocolState: chain.protocolState,
    },
    markets: days ? chain.markets.map((dataMarket) => ({ dataMarket, ...PAID })) : chain.markets,
    clock: { startBlock: chain.startBlock, depth: 0, pollMs: 200 },
    anchor: { signerKeyFile, confirmations: 1, pollMs: 200 },
    storage: { directory: join(directory, 'blocks') },
    ...(signedMarkers && { markers: { signingKeyFile: markerKeyFile } }),
  }
  const file = join(directory, 'sequencer.json')
  writeFileSync(file, JSON.stringify(settings, null, 2))
  return file
}
