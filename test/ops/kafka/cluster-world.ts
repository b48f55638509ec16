/** What a sequencer on a cluster lives with: a chain with its epoch manager and validators, a registry, a configuration file. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Lifecycle } from '../../../ops/base/lifecycle.ts'
import { directoryPaths } from '../../../ops/ground/directory-paths.ts'
import { ensureMarkerKey } from '../../../ops/settings/keys/marker-key.ts'
import { startRegistry } from '../../../ops/world/brokers/registry.ts'
import { startEpochManager } from '../../../ops/world/chain/dev-epochs.ts'
import { startValidator } from '../../../ops/world/chain/dev-validator.ts'
import { type DevChain, startDevChain } from '../../../ops/world/chain/devchain.ts'
import { slotWallet } from '../../../ops/world/snapshotters/wallets.ts'
import { installMissing } from '../../real/debian.ts'
import { sharedKafka, uniqueName } from '../../real/kafka.ts'
import { type StartedSequencer, startSequencer } from '../run-sequencer.ts'

const SNAPSHOTTERS = 12
const SEED = 7
const EPOCH_BLOCKS = 4
const WINDOW_BLOCKS = 3

export interface ClusterWorld {
  readonly chain: DevChain
  /** For --config. */
  readonly config: string
  readonly appId: string
  readonly prefix: string
  readonly directory: string
  /** Writes the configuration with changes, and gives its path. */
  configWith(changes: object): string
  /** From now on epochs are released, and validators attest. */
  startEpochs(): Promise<void>
  /** Simulated snapshotters that dial the intake, as a process of their own, for so many epochs. */
  snapshotters(intake: string, epochs: number): StartedSequencer
  close(): Promise<void>
}

export async function startClusterWorld(directory: string, brokers = sharedKafka().bootstrap): Promise<ClusterWorld> {
  installMissing(['java', 'mvn', 'pip3'])
  const parts = new Lifecycle((text) => console.log(`[world] ${text}`))
  try {
    return await startParts(directory, brokers, parts)
  } catch (error) {
    await parts.close()
    throw error
  }
}

async function startParts(directory: string, brokers: readonly string[], parts: Lifecycle): Promise<ClusterWorld> {
  const [registry, chain] = await Promise.all([
    startRegistry({ directory: join(directory, 'registry'), log: (line) => console.log(`[registry] ${line}`) }),
    startChain(join(directory, 'chain')),
  ])
  await parts.add('registry', { close: () => registry.stop() })
  await parts.add('chain', chain)
  const appId = uniqueName('app')
  const prefix = `${appId}-`
  const kafka = { brokers, replicationFactor: 1, minInsyncReplicas: 1 }
  const markers = { signingKeyFile: join(directory, 'marker.key') }
  ensureMarkerKey(markers.signingKeyFile)
  const settings = { ...settingsOf(directory, chain, registry.url), appId, prefix, kafka, markers }
  let files = 0
  const configWith = (changes: object): string => {
    const path = join(directory, `config-${files++}.json`)
    writeFileSync(path, JSON.stringify({ ...settings, ...changes }))
    return path
  }
  return {
    chain,
    config: configWith({}),
    appId,
    prefix,
    directory,
    configWith,
    startEpochs: () => addChainRoles(chain, parts),
    snapshotters: (intake, epochs) =>
      startSequencer([
        ...['snapshotters', '--to', intake, '--epochs', String(epochs)],
        ...loadOptions(directory, chain),
      ]),
    close: () => parts.close(),
  }
}

function startChain(directory: string): Promise<DevChain> {
  mkdirSync(directory, { recursive: true })
  return startDevChain({
    directory,
    port: 0,
    blockTimeSeconds: 1,
    markets: 1,
    windows: { snapshot: WINDOW_BLOCKS, batch: WINDOW_BLOCKS + 60, attestation: WINDOW_BLOCKS + 120 },
    slots: Array.from({ length: SNAPSHOTTERS }, (_, i) => ({ slotId: i + 1, owner: slotWallet(SEED, i + 1).address })),
  })
}

async function addChainRoles(chain: DevChain, parts: Lifecycle): Promise<void> {
  const { rpcUrl, chainId, protocolState, markets, accounts, startBlock } = chain
  const world = { rpcUrl, chainId, protocolState, markets }
  await parts.add('epochs', startEpochManager({ ...world, account: accounts.epochManager, everyBlocks: EPOCH_BLOCKS }))
  for (const account of accounts.validators)
    await parts.add('validator', startValidator({ ...world, account, fromBlock: startBlock }))
}

function settingsOf(directory: string, chain: DevChain, registryUrl: string) {
  const signerKeyFile = join(directory, 'signer.key')
  writeFileSync(signerKeyFile, chain.accounts.sequencer.privateKey, { mode: 0o600 })
  return {
    registry: { url: registryUrl },
    partitions: { submissions: 3, validated: 3, admitted: 3, finalizations: 2, verdicts: 2 },
    chain: { rpcUrls: [chain.rpcUrl], chainId: chain.chainId, protocolState: chain.protocolState },
    markets: chain.markets,
    clock: { startBlock: chain.startBlock, depth: 0, pollMs: 200 },
    anchor: { signerKeyFile, confirmations: 1, pollMs: 200 },
    intake: { listen: ['/ip4/127.0.0.1/tcp/0'], peerKeyFile: join(directory, 'peer.key') },
    storage: { directory: join(directory, 'blocks') },
    ops: { port: 0 },
  }
}

const loadOptions = (directory: string, { rpcUrl, chainId, protocolState, markets }: DevChain): string[] => [
  ...['--rpc', rpcUrl, '--chain-id', String(chainId), '--protocol-state', protocolState, '--data-market', ...markets],
  ...['--slots', String(SNAPSHOTTERS), '--seed', String(SEED), '--projects', '4', '--connections', '4'],
  ...['--bad-share', '0.3', '--spread-ms', '1500', '--ledger', directoryPaths(directory).ledger, '--json'],
]
