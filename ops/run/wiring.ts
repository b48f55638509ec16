/** The input of a process, and the form of its parts: the types that `compose.ts` and the parts share. */
import type { AnchorTuning } from '../../connectors/evm/anchor-effects/anchor-options.ts'
import type { ClockTuning } from '../../connectors/evm/clock/clock-options.ts'
import type { ContractBlockSource } from '../../connectors/evm/contract/chain-reader.ts'
import type { IntakeLimits } from '../../connectors/libp2p/limits.ts'
import type { Log } from '../../streams/ports.ts'
import type { AnchorRules } from '../../topology/anchor-rules.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import type { SealSigner } from '../../topology/shared/seals.ts'
import type { ApiSources } from '../api/sources.ts'
import type { Health } from '../base/health.ts'
import type { Closeable } from '../base/lifecycle.ts'
import type { Role } from '../base/roles.ts'
import type { Ground } from '../ground/ground.ts'
import type { ProgressListener } from '../reading/progress-listener.ts'
import type { ApiLimits } from '../settings/api-limits.ts'
import type { LeftOut } from '../watch/left-out.ts'
import type { EventLog } from '../watch/logging/log.ts'
import type { Metrics } from '../watch/metrics/create.ts'
import type { StorageConfig } from './storage/keepers.ts'
import type { Told } from './told.ts'

export interface SequencerConfig extends ConnectorConfig {
  readonly version: string
  readonly roles: readonly Role[]
  readonly rules: ProtocolRules
  readonly anchoring: Partial<AnchorRules>
  /** Seals what roles write that decides; needed by the roles in SEALING. */
  readonly markerSigner?: SealSigner
  readonly ops: {
    readonly host: string
    readonly port: number
    /** Host of the probes; `probesPortBeside` the port when absent. */
    readonly probesHost?: string | undefined
    readonly probesPort?: number | undefined
  }
  /** Worker threads for signatures; 0 = in the main thread. */
  readonly workers: number
  readonly commitIntervalMs: number
  /** How long the registry may be behind with a schema of `submissions`; 0 by default. */
  readonly foreignWaitMs?: number
  /** Processes that keep a warm copy of each task's state. */
  readonly standbys: number
  /** Beside the metrics, who follows the epochs of the role `api`. */
  readonly listeners?: readonly ProgressListener[]
  /** Something stopped for good; close the sequencer. Called once. */
  readonly onFailure: (error: Error) => void
  readonly warn: (text: string) => void
  /** Log of the process; nothing is logged without. */
  readonly log?: EventLog
  /** Traces of a share of the submissions, told by the role `api`; none without an address. */
  readonly tracing?: { readonly otlpUrl?: string | undefined; readonly sampleShare: number }
}

export interface IntakeRoleConfig {
  /** TCP multiaddrs. */
  readonly listen: readonly string[]
  readonly peerKeyFile: string
  /** Peer ids, addresses and ranges that may never connect. */
  readonly banned?: readonly string[]
  readonly limits?: Partial<IntakeLimits>
  /** Votes of a slot that are taken for an epoch, as a multiple of the market's quota. */
  readonly quotaFactor?: number
}

export interface ConnectorConfig {
  /** Prefix of groups, transactional ids and changelogs. */
  readonly appId: string
  /** Stable name of this process within its groups. */
  readonly instanceId: string
  readonly chain: {
    /** RPC URLs in order of preference. */
    readonly rpcUrls: readonly string[]
    readonly chainId: number
    readonly protocolState: string
    readonly contractBlock?: ContractBlockSource
    /** Nodes that must say the same. */
    readonly agreement?: number
    /** For one answer. */
    readonly timeoutMs?: number
    /** A node that takes longer for a reading is overtaken by the next one. */
    readonly slowMs?: number
    readonly batchMax?: number
    readonly logRangeBlocks?: number
  }
  readonly clock: Partial<ClockTuning> & {
    /** Block at which the clock begins on an empty log; the head when absent. */
    readonly startBlock?: number | undefined
    /** Blocks behind the head that the clock waits. */
    readonly depth: number
    readonly pollMs: number
  }
  readonly anchor: Partial<AnchorTuning> & {
    /** Private key of the sequencer's account, 0x hex. */
    readonly signerKey: string
    /** Keys of accounts that signed before: they end the transactions that they began. */
    readonly formerSignerKeys?: readonly string[]
  }
  readonly intake: IntakeRoleConfig
  readonly storage: StorageConfig
  readonly api: {
    /** Directory of the view behind the query API; may be deleted at any time. */
    readonly viewDirectory: string
    /** Rows older than this go. */
    readonly keepHours: number
    /** Submissions kept at most. */
    readonly submissionsMax: number
    /** Token of the deployed collector's clients; without a token its endpoints are not served. */
    readonly legacyToken?: string | undefined
    /** On its clients; the defaults without. */
    readonly limits?: ApiLimits
  }
}

/** The input of every part of a process. */
export interface Wiring extends Ground {
  readonly config: SequencerConfig
  /** As `log`, but nobody is told when a partition waits. */
  readonly bareLog: Log
  readonly metrics: Metrics
  readonly health: Health
  /** Told of every record that a reader leaves out. */
  readonly leftOut: LeftOut
  /** The role `api` opens it when it has a source to answer from. */
  readonly apiSources: ApiSources
  /** For the report of the process in the log. */
  readonly told: Told
}

/** A connector as it runs. */
export interface Part extends Closeable {
  /** Resolves when it has ended: with the failure that nothing can be done about, or undefined after `close`. */
  readonly stopped?: Promise<Error | undefined>
  readonly multiaddrs?: readonly string[]
}
