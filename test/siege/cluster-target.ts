import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Lifecycle } from '../../ops/base/lifecycle.ts'
import { STAGES } from '../../ops/base/roles.ts'
import { ensureMarkerKey } from '../../ops/settings/keys/marker-key.ts'
import { readAddress } from '../../ops/settings/parse.ts'
import { startRegistry } from '../../ops/world/brokers/registry.ts'
import { startKafka } from '../../ops/world/brokers/start.ts'
import { runSequencer, type StartedSequencer, startSequencer } from '../ops/run-sequencer.ts'
import { chainArgs, type Exit, type Target, type TargetOptions, watchExit } from './target.ts'

const ROLES = { front: ['intake', 'api'], stages: STAGES, chain: ['clock', 'anchor-effects'] } as const

/** A broker, a registry, `devchain`, and the roles of the sequencer in three processes of `run`. */
export async function startClusterTarget(options: TargetOptions): Promise<Target> {
  const parts = new Lifecycle(options.log)
  try {
    return await startParts(options, parts)
  } catch (error) {
    await parts.close()
    throw error
  }
}

async function startParts(options: TargetOptions, parts: Lifecycle): Promise<Target> {
  const { directory, log } = options
  mkdirSync(directory, { recursive: true })
  const kafkaDirectory = join(directory, 'kafka')
  const kafka = await parts.add('kafka', startKafka({ brokers: 1, directory: kafkaDirectory, log }))
  const registry = await startRegistry({ directory: join(directory, 'registry'), log })
  await parts.add('registry', { close: () => registry.stop() })

  const exits: Exit[] = []
  const processes = kafka.brokers.map(({ nodeId, pid }) => ({ name: `broker ${nodeId}`, pid }))
  const start = async (name: string, args: readonly string[]) => {
    const started = startSequencer([...args, '--json'])
    let asked = false
    watchExit(name, started, exits, () => asked)
    await parts.add(name, {
      async close() {
        asked = true
        await end(started)
      },
    })
    processes.push({ name, pid: started.child.pid! })
    return started.waitFor(({ event }) => event === 'running')
  }

  const signerKeyFile = join(directory, 'signer.key')
  const chain = await start('devchain', [
    ...['devchain', '--data-dir', join(directory, 'chain'), '--signer-key-file', signerKeyFile],
    ...chainArgs(options),
  ])
  const settings = chain as unknown as {
    readonly chain: { readonly rpcUrls: string[]; readonly chainId: number; readonly protocolState: string }
    readonly markets: string[]
    readonly clock: { readonly startBlock: number }
  }
  const signingKeyFile = join(directory, 'marker.key')
  ensureMarkerKey(signingKeyFile)
  const blocks = join(directory, 'blocks')
  const config = join(directory, 'sequencer.json')
  writeFileSync(
    config,
    JSON.stringify({
      kafka: { brokers: kafka.bootstrap, replicationFactor: 1, minInsyncReplicas: 1 },
      registry: { url: registry.url },
      partitions: { submissions: 3, validated: 3, admitted: 3, finalizations: 2, verdicts: 3 },
      chain: settings.chain,
      markets: settings.markets.map((dataMarket, i) => ({ dataMarket, ...projectsOf(dataMarket, i, options) })),
      clock: { ...settings.clock, depth: 0, pollMs: 200 },
      anchor: { signerKeyFile, confirmations: 1, pollMs: 200 },
      intake: { listen: ['/ip4/127.0.0.1/tcp/0'], peerKeyFile: join(directory, 'peer.key') },
      storage: { directory: blocks },
      markers: { signingKeyFile },
      ops: { port: 0, probesPort: 0 },
    }),
  )
  const deployed = await runSequencer(['deploy', 'apply', '--config', config])
  if (deployed.exitCode !== 0) throw new Error(`deploy apply ended with ${deployed.exitCode}:\n${deployed.stderr}`)
  const running = await Promise.all(
    Object.entries(ROLES).map(([name, roles]) =>
      start(name, ['run', '--config', config, '--roles', roles.join(','), '--instance-id', name]),
    ),
  )
  const front = running[0] as unknown as { readonly intake: string[]; readonly ops: string; readonly probes: string }
  return {
    probes: front.probes,
    place: {
      intakes: [front.intake[0]!],
      ops: front.ops,
      rpc: settings.chain.rpcUrls[0]!,
      chainId: settings.chain.chainId,
      protocolState: settings.chain.protocolState,
      markets: settings.markets,
    },
    processes,
    exits,
    disks: { topics: kafkaDirectory, blocks },
    log: { kind: 'cluster', address: readAddress({ config }, {}) },
    auditArgs: ['--config', config, '--rpc', settings.chain.rpcUrls[0]!],
    blocks,
    beforeAudit: async () => {},
    close: () => parts.close(),
  }
}

/** Of several markets the first is the one that honest snapshotters vote in; by its projects a vote is bound to it. */
const projectsOf = (dataMarket: string, i: number, { markets }: TargetOptions) =>
  markets === 1 ? {} : { projectIds: [`siege:${dataMarket}-*`, ...(i === 0 ? ['pairContract_trade_volume:*'] : [])] }

async function end({ child, finished }: StartedSequencer): Promise<void> {
  child.kill('SIGTERM')
  await finished
}
