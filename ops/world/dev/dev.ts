/**
 * `sequencer dev`: the sequencer with a world around it. A development chain, or a node given with --rpc; an epoch manager,
 * validators and simulated snapshotters that dial the real port.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { systemClock } from '../../../connectors/system-clock.ts'
import { MARKET_DEFAULTS, type ProtocolRules, RULES_DEFAULTS } from '../../../topology/rules.ts'
import type { SealSigner } from '../../../topology/shared/seals.ts'
import { Lifecycle, untilAborted } from '../../base/lifecycle.ts'
import { ROLES } from '../../base/roles.ts'
import { startAdminSocket } from '../../ground/admin-socket.ts'
import { secretIn } from '../../ground/cluster/connect.ts'
import { ensureWritable, groundOf, openLog } from '../../ground/data-directory.ts'
import { directoryPaths } from '../../ground/directory-paths.ts'
import { type DirectorySettings, readSettings } from '../../ground/directory-settings.ts'
import { marketsAdminOfLog } from '../../ground/markets-admin.ts'
import { peersAdminOfLog } from '../../ground/peers-admin.ts'
import { type Sequencer, startSequencer } from '../../run/compose.ts'
import { ensureMarkerKey } from '../../settings/keys/marker-key.ts'
import { say } from '../../watch/logging/events.ts'
import { createLog } from '../../watch/logging/log.ts'
import type { DevChain } from '../chain/devchain.ts'
import { runSnapshotters } from '../snapshotters/run.ts'
import { startActors, startChain } from './chain.ts'
import type { DevConfig } from './config.ts'
import { countEpochs } from './count.ts'
import { watchDays } from './days.ts'
import { rarely, watchHealth } from './notices.ts'
import type { Screen } from './screen.ts'

/** Chain and intake have one clock. */
const CLOCK_SKEW_SECONDS = 2
const APP_ID = 'sequencer'
const INSTANCE = 'embedded'
/** Part of the submission window over which the snapshotters spread their messages. */
const SPREAD_SHARE = 0.5
const COMMIT_INTERVAL_MS = 25
const POLL_MS = 200
const CHECK_MINUTES = 60
/** The contract is told the counts so many times a day, before the day is closed. */
const COUNTS_PER_DAY = 4
const VIEW_HOURS = 720
const VIEW_SUBMISSIONS_MAX = 20_000_000

export interface DevPorts {
  readonly screen: Screen
  readonly version: string
  /** Ends the run when aborted. */
  readonly signal: AbortSignal
}

/** Runs until the signal, until --epochs are anchored, or until something fails for good (then it rejects). */
export async function runDev(config: DevConfig, { screen, version, signal }: DevPorts): Promise<void> {
  ensureWritable(config.dataDir)
  const parts = new Lifecycle((text) => screen.say(`warning: ${text}`))
  const stop = new AbortController()
  signal.addEventListener('abort', () => stop.abort(), { once: true })
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  failed.catch(() => {}) // heard by the race below, if it still runs
  try {
    await Promise.race([failed, runParts(config, { screen, version, signal: stop.signal }, parts, fail)])
  } finally {
    stop.abort()
    await parts.close()
    screen.close()
  }
}

async function runParts(
  config: DevConfig,
  ports: DevPorts,
  parts: Lifecycle,
  fail: (error: Error) => void,
): Promise<void> {
  const { screen, signal } = ports
  const paths = directoryPaths(config.dataDir)
  // the log first: who has it open has the directory, and a second process must not touch the chain of the first
  const log = await parts.add('log', openLog(config.dataDir))
  const chain = await parts.add('chain', startChain(config, fail))
  const { markerSigner, ...settings } = settingsOf(config, chain)
  const secrets = [chain.accounts.sequencer.privateKey, secretIn(paths.markerKey)]
  const events = createLog({ level: config.logLevel ?? 'silent', fields: { app: APP_ID }, secrets })
  say(events, 'starting', { version: ports.version, roles: ROLES })
  signal.addEventListener('abort', () => say(events, 'stopping'), { once: true })
  const ground = await groundOf(config.dataDir, log, settings)
  const counter = countEpochs(config.epochs, screen)
  const options = sequencerOf(config, chain, settings, {
    ...{ version: ports.version, markerSigner, listeners: [screen, counter.listener], onFailure: fail, log: events },
    warn(text) {
      screen.say(`warning: ${text}`)
      say(events, 'note', { text })
    },
  })
  const sequencer = await parts.add('sequencer', startSequencer(options, ground))
  const days = watchDays(
    { topics: ground.topics, dayEpochs: config.dayEpochs, screen },
    { log, clock: systemClock, tell: () => {} },
  )
  await parts.add('days', days)
  const markets = marketsAdminOfLog({ ...ground, rules: settings.rules, appId: settings.appId })
  await parts.add('admin socket', startAdminSocket(config.dataDir, markets, peersAdminOfLog(ground)))
  writeFileSync(paths.running, JSON.stringify({ url: sequencer.url, pid: process.pid }))
  await parts.add('running file', { close: async () => rmSync(paths.running, { force: true }) })
  say(events, 'running', { intake: sequencer.multiaddrs, ops: sequencer.url })
  screen.running({ ...addressesOf(sequencer), rpc: chain.rpcUrl, ...marketsOf(config, chain) })
  await parts.add('health lines', watchHealth(sequencer.health, screen))
  await startWorld(config, chain, { intake: sequencer.multiaddrs, parts, screen, signal })
  await Promise.race([counter.enough.then(() => days.closed(counter.newest, signal)), untilAborted(signal)])
}

type SequencerOptions = Parameters<typeof startSequencer>[0]
type Told = Pick<SequencerOptions, 'version' | 'markerSigner' | 'listeners' | 'onFailure' | 'log' | 'warn'>

/** All roles in this process. */
function sequencerOf(
  config: DevConfig,
  chain: DevChain,
  settings: Omit<ReturnType<typeof settingsOf>, 'markerSigner'>,
  told: Told,
): SequencerOptions {
  const paths = directoryPaths(config.dataDir)
  return {
    ...settings,
    ...told,
    instanceId: INSTANCE,
    roles: ROLES,
    anchoring: {},
    clock: { startBlock: chain.startBlock, depth: 0, pollMs: POLL_MS },
    anchor: { signerKey: chain.accounts.sequencer.privateKey, confirmations: 1, pollMs: POLL_MS },
    intake: { listen: [`/ip4/0.0.0.0/tcp/${config.listenPort}`], peerKeyFile: paths.peerKey },
    storage: {
      ...{ directory: paths.blocks, kubo: config.kubo ? [config.kubo] : [] },
      ...{ cidVersion: config.cidVersion, checkMinutes: CHECK_MINUTES },
    },
    ops: { host: '127.0.0.1', port: config.opsPort },
    api: { viewDirectory: paths.view, keepHours: VIEW_HOURS, submissionsMax: VIEW_SUBMISSIONS_MAX },
    tracing: { otlpUrl: config.otlpUrl, sampleShare: 1 },
    workers: config.workers,
    commitIntervalMs: COMMIT_INTERVAL_MS,
    standbys: 0,
  }
}

/** The directory's own key seals what decides. A log of an older release begins with records that nobody sealed. */
function markerRules(dataDir: string, { publicKey }: SealSigner): Partial<ProtocolRules> {
  const before = readSettings(dataDir)?.rules
  if (!before) return { markerKeys: [publicKey], unsealedRecords: false }
  const others = before.markerKeys.filter((key) => key !== publicKey)
  return {
    markerKeys: [...others, publicKey],
    unsignedMarkers: before.markerKeys.length === 0 || before.unsignedMarkers,
    unsealedRecords: before.unsealedRecords,
  }
}

/** The others of the chain wait for `sequencer markets add`. */
const servedAtFirst = ({ markets }: DevConfig, chain: DevChain): readonly string[] => chain.markets.slice(0, markets)

const addressesOf = ({ multiaddrs, url, probesUrl }: Sequencer) => ({
  intake: multiaddrs.find((address) => address.includes('127.0.0.1')) ?? multiaddrs[0]!,
  ops: url,
  probes: probesUrl,
})

const marketsOf = (config: DevConfig, chain: DevChain) => ({
  protocolState: chain.protocolState,
  markets: servedAtFirst(config, chain),
  spareMarkets: chain.markets.slice(config.markets),
})

function settingsOf(config: DevConfig, chain: DevChain): DirectorySettings & { readonly markerSigner: SealSigner } {
  const markerSigner = ensureMarkerKey(directoryPaths(config.dataDir).markerKey)
  const { chainId, protocolState, rpcUrl } = chain
  const { partitions, tree, dayEpochs } = config
  const paid = { rewards: 'on', payoutEpochs: Math.ceil(dayEpochs / COUNTS_PER_DAY) } as const
  const ofMarkets = { ...MARKET_DEFAULTS, ...paid, clockSkewSeconds: CLOCK_SKEW_SECONDS, tree }
  return {
    appId: APP_ID,
    topicOptions: {
      prefix: '',
      partitions: {
        submissions: partitions,
        validated: partitions,
        admitted: partitions,
        finalizations: Math.min(partitions, 2),
        verdicts: partitions,
      },
    },
    rules: {
      ...RULES_DEFAULTS,
      ...markerRules(config.dataDir, markerSigner),
      addedMarkets: ofMarkets,
      markets: servedAtFirst(config, chain).map((dataMarket) => ({
        ...ofMarkets,
        dataMarket,
        chainId,
        protocolState,
      })),
    },
    chain: { rpcUrls: [rpcUrl], chainId, protocolState },
    markerSigner,
  }
}

interface WorldPorts extends Pick<DevPorts, 'screen' | 'signal'> {
  /** Multiaddrs to send to. */
  readonly intake: readonly string[]
  readonly parts: Lifecycle
}

async function startWorld(
  config: DevConfig,
  chain: DevChain,
  { intake, parts, screen, signal }: WorldPorts,
): Promise<void> {
  const { rpcUrl, chainId, protocolState, markets } = chain
  const sayRarely = rarely((text) => screen.say(text), systemClock.now)
  const warn = (who: string) => (error: unknown) => {
    const words = error instanceof Error ? error.message : String(error)
    if (!signal.aborted) sayRarely(words, `warning: ${who}: ${words}`)
  }
  await startActors(config, chain, parts, warn)
  if (config.snapshotters === 0) return
  const stop = new AbortController()
  const running = runSnapshotters(
    {
      to: intake.find((address) => address.includes('127.0.0.1')) ?? intake[0]!,
      rpcUrl,
      chainId,
      protocolState,
      dataMarkets: markets,
      slots: config.snapshotters,
      projects: config.projects,
      seed: config.seed,
      badShare: config.badShare,
      minorityShare: 0.05,
      connections: config.snapshotters,
      encryption: 'both',
      spreadMs: config.window * config.blockTime * 1_000 * SPREAD_SHARE,
      lateByEpochs: Math.ceil((config.window + 1) / config.epochBlocks) + 1,
      deadlineBlocks: 100,
      ledger: directoryPaths(config.dataDir).ledger,
      onError: warn('snapshotters'),
    },
    stop.signal,
  ).catch(warn('snapshotters'))
  await parts.add('snapshotters', {
    async close() {
      stop.abort()
      await running
    },
  })
}
