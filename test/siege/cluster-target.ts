import { join } from 'node:path'
import { Lifecycle } from '../../ops/base/lifecycle.ts'
import { readAddress } from '../../ops/settings/parse.ts'
import { type Cluster, startCluster } from '../../ops/world/cluster/start.ts'
import { chainArgs, type Exit, type Target, type TargetOptions } from './target.ts'

/** A broker, a registry, `devchain`, and the roles of the sequencer in three processes of `run`, as `npm run cluster` starts them. */
export async function startClusterTarget(options: TargetOptions): Promise<Target> {
  const { directory, log } = options
  const exits: Exit[] = []
  const parts = new Lifecycle(log)
  const stop = new AbortController()
  let failure: unknown
  const fail = (error: unknown): void => {
    failure ??= error
    stop.abort()
    exits.push({ name: 'broker or registry', exitCode: null, signal: null, stderr: String(error) })
  }
  try {
    const cluster = await startCluster(
      {
        directory,
        log,
        brokers: 1,
        chainArgs: chainArgs(options),
        settings: (made) => ({
          ...made,
          markets: made.markets.map((dataMarket, i) => ({ dataMarket, ...projectsOf(dataMarket, i, options) })),
        }),
        onEnded: ({ name }, { code, error: { said } }) =>
          exits.push({ name, exitCode: code, signal: null, stderr: said }),
      },
      { parts, signal: stop.signal, fail },
    )
    return targetOf(cluster, options, exits, parts)
  } catch (error) {
    await parts.close()
    throw failure ?? error
  }
}

function targetOf(cluster: Cluster, { directory }: TargetOptions, exits: readonly Exit[], parts: Lifecycle): Target {
  const { config, brokers, members, intake, ops, probes } = cluster
  const { chain, markets } = cluster.chain
  const rpc = chain.rpcUrls[0]
  const { chainId, protocolState } = chain
  const blocks = join(directory, 'blocks')
  return {
    probes,
    place: { intakes: [intake], ops, rpc, chainId, protocolState, markets },
    processes: [...brokers, ...members.map(({ name, pid }) => ({ name, pid }))],
    exits,
    disks: { topics: join(directory, 'kafka'), blocks },
    log: { kind: 'cluster', address: readAddress({ config }, {}) },
    auditArgs: ['--config', config, '--rpc', rpc],
    blocks,
    beforeAudit: async () => {},
    close: () => parts.close(),
  }
}

/** Of several markets the first is the one that honest snapshotters vote in; by its projects a vote is bound to it. */
const projectsOf = (dataMarket: string, i: number, { markets }: TargetOptions) =>
  markets === 1 ? {} : { projectIds: [`siege:${dataMarket}-*`, ...(i === 0 ? ['pairContract_trade_volume:*'] : [])] }
