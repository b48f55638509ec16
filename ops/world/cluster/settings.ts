/** The settings of a sequencer on brokers, a registry and a development chain of this machine. */
import { join } from 'node:path'
import { stringify } from 'yaml'

export interface ClusterParts {
  /** Keys, batches and the view of the API lie there. */
  readonly directory: string
  readonly brokers: readonly string[]
  readonly registryUrl: string
  readonly chain: { readonly rpcUrls: readonly string[]; readonly chainId: number; readonly protocolState: string }
  readonly markets: readonly string[]
  readonly startBlock: number
}

/** Key files of a directory. */
export const keyFilesOf = (directory: string) => ({
  signer: join(directory, 'signer.key'),
  marker: join(directory, 'marker.key'),
  peer: join(directory, 'peer.key'),
})

/** Few: a task of every stage for each, on a machine that runs everything. */
const PARTITIONS = { submissions: 3, validated: 3, admitted: 3, finalizations: 2, verdicts: 3 }
/** How often clock and anchor look at a chain with a block each second. */
const POLL_MS = 200

/** As `sequencer.yaml` has them; what the caller wants otherwise is put over it. */
export function clusterSettings({ directory, brokers, registryUrl, chain, markets, startBlock }: ClusterParts) {
  const keys = keyFilesOf(directory)
  const replicas = brokers.length
  return {
    kafka: { brokers, replicationFactor: replicas, minInsyncReplicas: Math.max(1, replicas - 1) },
    registry: { url: registryUrl },
    chain,
    markets,
    partitions: PARTITIONS,
    clock: { startBlock, depth: 0, pollMs: POLL_MS },
    anchor: { signerKeyFile: keys.signer, confirmations: 1, pollMs: POLL_MS },
    intake: { listen: ['/ip4/127.0.0.1/tcp/0'], peerKeyFile: keys.peer },
    storage: { directory: join(directory, 'blocks') },
    markers: { signingKeyFile: keys.marker },
    api: { viewDirectory: join(directory, 'view') },
    ops: { port: 0, probesPort: 0 },
  }
}

export type Made = ReturnType<typeof clusterSettings>
/** The same with changes: rules of a market, ports left to their defaults. */
export type Settings = Omit<Made, 'markets' | 'ops'> & {
  readonly markets: readonly (string | object)[]
  readonly ops: Partial<Made['ops']>
}

export const settingsText = (settings: Settings): string =>
  `# Written by \`npm run cluster\` at each start. docs/configuration.md has every setting.\n${stringify(settings)}`
