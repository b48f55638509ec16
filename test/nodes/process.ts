/** A sequencer with all roles on a log of its own, behind the nodes that it is given: what `dev` runs, without its chain. */

import { ROLES } from '../../ops/base/roles.ts'
import { ensureWritable, groundOf, openLog } from '../../ops/ground/data-directory.ts'
import { directoryPaths } from '../../ops/ground/directory-paths.ts'
import { startSequencer } from '../../ops/run/compose.ts'
import { ensureMarkerKey } from '../../ops/settings/keys/marker-key.ts'
import { createLog } from '../../ops/watch/logging/log.ts'
import { MARKET_DEFAULTS, RULES_DEFAULTS } from '../../topology/rules.ts'

export interface Orders {
  readonly dataDir: string
  readonly rpcUrls: readonly string[]
  readonly chainId: number
  readonly protocolState: string
  readonly markets: readonly string[]
  readonly startBlock: number
  readonly signerKey: string
  readonly depth: number
  readonly confirmations: number
  readonly contractBlock: 'number' | 'l1BlockNumber'
  /** 0: any that is free. */
  readonly intakePort: number
}

/** Sent to the parent when everything was started. */
export interface Running {
  readonly intake: string
  readonly ops: string
  readonly probes: string
}

const APP_ID = 'sequencer'
const POLL_MS = 200

const { dataDir, rpcUrls, chainId, protocolState, markets, startBlock, signerKey, ...given } = JSON.parse(
  process.argv[2]!,
) as Orders
const paths = directoryPaths(dataDir)
ensureWritable(dataDir)
const log = await openLog(dataDir)
const markerSigner = ensureMarkerKey(paths.markerKey)
const settings = {
  appId: APP_ID,
  topicOptions: {
    prefix: '',
    partitions: { submissions: 2, validated: 2, admitted: 2, finalizations: 2, verdicts: 2 },
  },
  rules: {
    ...RULES_DEFAULTS,
    markerKeys: [markerSigner.publicKey],
    unsealedRecords: false,
    markets: markets.map((dataMarket) => ({ ...MARKET_DEFAULTS, dataMarket, chainId, protocolState })),
  },
  chain: { rpcUrls, chainId, protocolState },
}
const sequencer = await startSequencer(
  {
    ...settings,
    chain: { ...settings.chain, contractBlock: given.contractBlock },
    instanceId: 'embedded',
    version: 'test',
    roles: ROLES,
    ...{ anchoring: {}, markerSigner },
    clock: { startBlock, depth: given.depth, pollMs: POLL_MS },
    anchor: { signerKey, confirmations: given.confirmations, pollMs: POLL_MS },
    intake: { listen: [`/ip4/127.0.0.1/tcp/${given.intakePort}`], peerKeyFile: paths.peerKey },
    storage: { directory: paths.blocks, kubo: [], cidVersion: 1 },
    ops: { host: '127.0.0.1', port: 0 },
    api: { viewDirectory: paths.view, keepHours: 24, submissionsMax: 1_000_000 },
    workers: 0,
    commitIntervalMs: 25,
    standbys: 0,
    onFailure(error) {
      process.stderr.write(`${JSON.stringify({ level: 'fatal', event: 'failed', reason: error.message })}\n`)
      process.exit(1)
    },
    warn: (text) => process.stderr.write(`${JSON.stringify({ level: 'warn', event: 'note', text })}\n`),
    log: createLog({ level: 'info', fields: { app: APP_ID }, secrets: [signerKey] }),
  },
  await groundOf(dataDir, log, settings),
)
const running: Running = { intake: sequencer.multiaddrs[0]!, ops: sequencer.url, probes: sequencer.probesUrl }
process.send!(running)

let ending = false
const end = async (): Promise<void> => {
  if (ending) return
  ending = true
  await sequencer.close()
  await log.close()
  process.exit(0)
}
process.on('SIGTERM', () => void end())
process.on('disconnect', () => void end())
