/**
 * A sequencer on the embedded log, with a development node and snapshotters, whose parts can be taken away. The stage
 * `validate` is a process of its own as far as Prometheus can tell: with its own metrics, which go when it goes.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Lifecycle } from '../../../../ops/base/lifecycle.ts'
import { ROLES, type Role } from '../../../../ops/base/roles.ts'
import { groundOf, openLog } from '../../../../ops/ground/data-directory.ts'
import { directoryPaths } from '../../../../ops/ground/directory-paths.ts'
import { type Sequencer, startSequencer } from '../../../../ops/run/compose.ts'
import type { SequencerConfig } from '../../../../ops/run/wiring.ts'
import { freePorts } from '../../../../ops/world/brokers/ports.ts'
import { type Anvil, startAnvil } from '../../../../ops/world/chain/anvil.ts'
import { devProvider } from '../../../../ops/world/chain/dev-sender.ts'
import { DEV_CHAIN_OPTIONS, type DevChain } from '../../../../ops/world/chain/devchain.ts'
import { startActors, startChain } from '../../../../ops/world/dev/chain.ts'
import { DEV_DEFAULTS } from '../../../../ops/world/dev/config.ts'
import { runSnapshotters } from '../../../../ops/world/snapshotters/run.ts'
import { MARKET_DEFAULTS, RULES_DEFAULTS } from '../../../../topology/rules.ts'

export interface World {
  /** host:port of each process's /metrics. */
  readonly targets: readonly string[]
  readonly market: string
  stopNode(): Promise<void>
  startNode(): Promise<void>
  /** Nothing can be written where batches are kept. */
  breakStore(): void
  mendStore(): void
  setBalance(wei: bigint): Promise<void>
  stopValidate(): Promise<void>
  startValidate(): Promise<void>
  close(): Promise<void>
}

const APART: Role = 'validate'
/** So that an attempt after an outage comes soon. */
const TUNING = { pollMs: 200, backoffMsMax: 1_000 }
const SHORT = { epochBlocks: 3, window: 2, snapshotters: 16, projects: 4 }

export async function startWorld(directory: string): Promise<World> {
  const parts = new Lifecycle(() => {})
  const nodeOptions = { ...DEV_CHAIN_OPTIONS, blockTimeSeconds: 1, directory: join(directory, 'node'), port: 0 }
  let node: Anvil | undefined = await startAnvil(nodeOptions)
  const { port, rpcUrl } = node
  await parts.add('node', { close: async () => node?.close() })
  const config = { ...DEV_DEFAULTS, ...SHORT, dataDir: directory, rpc: rpcUrl }
  mkdirSync(directory, { recursive: true })
  const log = await parts.add('log', openLog(directory))
  const chain = await parts.add(
    'chain',
    startChain(config, () => {}),
  )
  const settings = settingsOf(chain)
  const ground = await groundOf(directory, log, settings)
  const ports = await freePorts(2)
  const start = (roles: readonly Role[], at: number): Promise<Sequencer> => {
    const process = { ...sequencerOf(directory, chain), ...settings, roles, instanceId: `process-${at}` }
    return startSequencer({ ...process, ops: { host: '127.0.0.1', port: ports[at]! } }, ground)
  }
  let validate: Sequencer | undefined
  await parts.add('validate', { close: async () => validate?.close() })
  const others = ROLES.filter((role) => role !== APART)
  const [main] = await Promise.all([
    parts.add('sequencer', start(others, 0)),
    start([APART], 1).then((started) => {
      validate = started
    }),
  ])
  await startActors(config, chain, parts, () => () => {})
  await parts.add('snapshotters', snapshotters(directory, chain, main.multiaddrs[0]!))
  const { blocks } = directoryPaths(directory)
  return {
    targets: ports.map((one) => `127.0.0.1:${one}`),
    market: chain.markets[0]!,
    async stopNode() {
      await node?.close()
      node = undefined
    },
    async startNode() {
      node = await startAnvil({ ...nodeOptions, port })
    },
    breakStore() {
      renameSync(blocks, `${blocks}.away`)
      writeFileSync(blocks, '')
    },
    mendStore() {
      rmSync(blocks)
      renameSync(`${blocks}.away`, blocks)
    },
    async setBalance(wei) {
      const provider = devProvider(rpcUrl, chain.chainId)
      await provider.send('anvil_setBalance', [chain.accounts.sequencer.address, `0x${wei.toString(16)}`])
      provider.destroy()
    },
    async stopValidate() {
      await validate?.close()
      validate = undefined
    },
    async startValidate() {
      validate = await start([APART], 1)
    },
    close: () => parts.close(),
  }
}

function settingsOf({ markets, chainId, protocolState, rpcUrl }: DevChain) {
  const partitions = { submissions: 2, validated: 2, admitted: 2, finalizations: 1, verdicts: 1 }
  const rules = markets.map((dataMarket) => ({ ...MARKET_DEFAULTS, dataMarket, chainId, protocolState }))
  return {
    appId: 'sequencer',
    topicOptions: { prefix: '', partitions },
    rules: { ...RULES_DEFAULTS, markets: rules },
    chain: { rpcUrls: [rpcUrl], chainId, protocolState },
  }
}

function sequencerOf(
  directory: string,
  { startBlock, accounts }: DevChain,
): Omit<SequencerConfig, 'roles' | 'ops' | 'instanceId' | 'appId' | 'rules' | 'chain'> {
  const { peerKey, blocks, view } = directoryPaths(directory)
  const anchor = { ...TUNING, signerKey: accounts.sequencer.privateKey, confirmations: 1 }
  const clock = { ...TUNING, startBlock, depth: 0 }
  return {
    version: 'test',
    anchoring: {},
    clock,
    anchor,
    intake: { listen: ['/ip4/127.0.0.1/tcp/0'], peerKeyFile: peerKey },
    storage: { directory: blocks, kubo: [], cidVersion: 1 },
    api: { viewDirectory: view, keepHours: 1, submissionsMax: 1_000_000 },
    workers: 0,
    commitIntervalMs: 50,
    standbys: 0,
    onFailure: (error) => {
      throw error
    },
    warn: () => {},
  }
}

function snapshotters(directory: string, chain: DevChain, to: string) {
  const { rpcUrl, chainId, protocolState, markets: dataMarkets } = chain
  const stop = new AbortController()
  const running = runSnapshotters(
    {
      to,
      rpcUrl,
      chainId,
      protocolState,
      dataMarkets,
      slots: SHORT.snapshotters,
      projects: SHORT.projects,
      seed: DEV_DEFAULTS.seed,
      badShare: 0.1,
      minorityShare: 0.05,
      connections: SHORT.snapshotters,
      encryption: 'noise',
      spreadMs: 500,
      lateByEpochs: 2,
      deadlineBlocks: 100,
      ledger: directoryPaths(directory).ledger,
      onError: () => {},
    },
    stop.signal,
  ).catch(() => {})
  return {
    async close() {
      stop.abort()
      await running
    },
  }
}
