/**
 * All wiring of the embedded sequencer: the log, the topology on it, and the connectors around it. What connects the parts
 * is here and nowhere else.
 */
import { startAnchor } from '../connectors/evm/anchor.ts'
import type { AnchorObserver, AnchorOptions, AnchorPorts } from '../connectors/evm/anchor-options.ts'
import { type ClockObserver, type ClockOptions, startClock } from '../connectors/evm/clock.ts'
import { createFileBlockStore } from '../connectors/ipfs/file-store.ts'
import { createKuboStore } from '../connectors/ipfs/kubo-store.ts'
import { storeBatch } from '../connectors/ipfs/store.ts'
import { startIntake } from '../connectors/libp2p/intake.ts'
import { openEmbeddedLog } from '../connectors/log/embedded.ts'
import { systemClock } from '../connectors/log/system-clock.ts'
import type { Log } from '../streams/ports.ts'
import { StreamsRuntime } from '../streams/runtime.ts'
import { sequencerTopology } from '../topology/index.ts'
import type { Topics } from '../topology/topics.ts'
import { type DirectorySettings, directoryPaths, keepSettings, openRecords } from './data-directory.ts'
import { createHealth, type Health } from './health.ts'
import { Lifecycle } from './lifecycle.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { anchorMetrics, clockMetrics, intakeMetrics, runtimeMetrics } from './observers.ts'
import { createPrepare } from './prepare.ts'
import { createSignerPool } from './signers.ts'

const INSTANCE = 'embedded'

export interface SequencerConfig extends DirectorySettings {
  readonly dataDir: string
  readonly version: string
  readonly listenAddresses: readonly string[]
  /** Private key of the sequencer's account, 0x hex. */
  readonly signerKey: string
  /** Block at which the clock begins on an empty log. */
  readonly startBlock: number
  /** Blocks behind the head that the clock waits, and that a transaction needs on top of it. */
  readonly clockDepth: number
  readonly confirmations: number
  readonly pollMs: number
  /** RPC address of a Kubo node that keeps the batches beside the files. */
  readonly kubo: string | undefined
  readonly cidVersion: 0 | 1
  /** Worker threads for signatures; 0 = in the main thread. */
  readonly workers: number
  readonly commitIntervalMs: number
  /** Something stopped for good. */
  readonly onFailure: (error: Error) => void
  readonly warn: (text: string) => void
}

export interface Sequencer {
  readonly log: Log
  readonly topics: Topics
  readonly metrics: Metrics
  readonly health: Health
  readonly multiaddrs: readonly string[]
  close(): Promise<void>
}

export async function startSequencer(config: SequencerConfig): Promise<Sequencer> {
  const parts = new Lifecycle(config.warn)
  try {
    return await startParts(config, parts)
  } catch (error) {
    await parts.close()
    throw error
  }
}

async function startParts(config: SequencerConfig, parts: Lifecycle): Promise<Sequencer> {
  const { appId, dataDir, rules } = config
  const paths = directoryPaths(dataDir)
  const metrics = createMetrics(config.version)
  const health = createHealth(['log', 'topology', 'clock', 'anchor', 'intake'], systemClock.now)

  const log = await parts.add('log', openEmbeddedLog({ directory: paths.log, clock: systemClock }))
  keepSettings(dataDir, config)
  const { topics, stores } = await openRecords(dataDir, config.topicOptions)
  await log.createTopics([topics.deadLetters])
  health.set('log', true)

  const signers = await parts.add('signers', createSignerPool(rules, config.workers))
  const runtime: StreamsRuntime = new StreamsRuntime(sequencerTopology(rules, topics, stores), {
    appId,
    instanceId: INSTANCE,
    log,
    clock: systemClock,
    commitIntervalMs: config.commitIntervalMs,
    prepare: {
      [topics.submissions.name]: createPrepare({
        topics,
        signers,
        slotsReached: (offset) => runtime.globalTableReached(topics.slots.name, offset),
      }),
    },
    observer: runtimeMetrics(metrics),
    onFailure(error) {
      health.set('topology', false, error.message)
      config.onFailure(error)
    },
  })
  await parts.add(
    'topology',
    runtime.start().then(() => runtime),
  )
  health.set('topology', true)

  const anchor = await parts.add(
    'anchor',
    startAnchor(anchorOptions(config, topics, anchorMetrics(metrics, health)), await anchorPorts(config, log, metrics)),
  )
  health.set('anchor', true)
  const clock = await parts.add(
    'clock',
    startClock(clockOptions(config, topics, clockMetrics(metrics, health)), { log, clock: systemClock }),
  )
  for (const [name, part] of Object.entries({ anchor, clock }))
    void part.stopped.then((error) => {
      if (!error) return
      health.set(name, false, error.message)
      config.onFailure(error)
    })
  const intake = await parts.add(
    'intake',
    startIntake(
      { listen: config.listenAddresses, keyFile: paths.peerKey, topics, observer: intakeMetrics(metrics, health) },
      { log, clock: systemClock },
    ),
  )
  health.set('intake', true)
  return { log, topics, metrics, health, multiaddrs: intake.multiaddrs, close: () => parts.close() }
}

function clockOptions(config: SequencerConfig, topics: Topics, observer: ClockObserver): ClockOptions {
  const { appId, chain, rules, startBlock, clockDepth: depth, pollMs } = config
  const { rpcUrls: urls, chainId, protocolState } = chain
  return { appId, topics, urls, chainId, protocolState, markets: rules.markets, startBlock, depth, pollMs, observer }
}

function anchorOptions(config: SequencerConfig, topics: Topics, observer: AnchorObserver): AnchorOptions {
  const { appId, chain, rules, signerKey, confirmations, pollMs } = config
  const protocolStates = new Map(rules.markets.map(({ dataMarket, protocolState }) => [dataMarket, protocolState]))
  const protocolStateOf = (dataMarket: string) => protocolStates.get(dataMarket) ?? chain.protocolState
  return {
    appId,
    instanceId: INSTANCE,
    topics,
    urls: chain.rpcUrls,
    chainId: chain.chainId,
    protocolStateOf,
    signerKey,
    confirmations,
    pollMs,
    observer,
  }
}

/** Batches go to files, and to a Kubo node too when there is one; all of them must hold a batch before it is anchored. */
async function anchorPorts(
  { dataDir, kubo, cidVersion: version }: SequencerConfig,
  log: Log,
  metrics: Metrics,
): Promise<AnchorPorts> {
  const files = await createFileBlockStore({ directory: directoryPaths(dataDir).blocks, version })
  const stores = kubo ? [files, createKuboStore({ url: kubo, version })] : [files]
  const store = async (bytes: Uint8Array, signal: AbortSignal): Promise<string> => {
    const done = metrics.ipfsPutSeconds.startTimer({ provider: kubo ? 'kubo' : 'file' })
    const { cid } = await storeBatch(bytes, stores, { version, storesRequired: stores.length, signal })
    done()
    return cid
  }
  return { log, clock: systemClock, store }
}
