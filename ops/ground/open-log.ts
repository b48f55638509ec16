/** Where a command that reads a log finds it: a data directory, or a cluster. The same way to open either. */
import type { Command } from 'commander'
import { readableLog } from '../../connectors/schema-registry/readable-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import type { Log } from '../../streams/ports.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import type { Topics } from '../../topology/topics.ts'
import { CliError } from '../base/cli-error.ts'
import { type Address, readAddress } from '../settings/parse.ts'
import { CONFIG_VARIABLE } from '../settings/sources.ts'
import { rpcUrlsOf } from './cluster/connect.ts'
import { openGround } from './cluster/open.ts'
import { openDirectory } from './data-directory.ts'
import { envelopedTopics, foreignTopics } from './enveloped-topics.ts'

const DATA_DIR = '.data/dev'

/** As commander gives them; `dataDir` is missing when it was not given. */
export interface TargetOptions {
  readonly dataDir?: string | undefined
  readonly config?: string | undefined
  readonly kafka?: string | undefined
  readonly registry?: string | undefined
  readonly appId?: string | undefined
  readonly set?: readonly string[] | undefined
}

export type LogTarget =
  | { readonly kind: 'directory'; readonly dataDir: string }
  | { readonly kind: 'cluster'; readonly address: Address }

export interface OpenedLog {
  readonly log: Log
  readonly topics: Topics
  readonly rules: ProtocolRules
  /** Prefix of the consumer groups, `<appId>-<stage>`. */
  readonly appId: string
  /** The contract that the log was written for, and nodes to ask about it. */
  readonly chain: { readonly rpcUrls: readonly string[]; readonly chainId: number; readonly protocolState: string }
  close(): Promise<void>
}

/** Adds the options of TargetOptions. */
export const withTargetOptions = (command: Command): Command =>
  command
    .option('--data-dir <dir>', `data directory (default: ${DATA_DIR}, unless a cluster is named)`)
    .option('--config <file>', `settings of a cluster (${CONFIG_VARIABLE})`)
    .option('--kafka <brokers>', 'brokers of a cluster, host:port,…')
    .option('--registry <url>', 'its schema registry')
    .option('--app-id <name>', 'which sequencer of the cluster')
    .option(
      '--set <setting=value>',
      'any other setting of the cluster; may be repeated',
      (one: string, before: readonly string[] = []) => [...before, one],
    )

/** The directory that was named, the cluster that flags or variables name, or the default directory. */
export function targetOf(options: TargetOptions, environment: NodeJS.ProcessEnv = process.env): LogTarget {
  const { dataDir } = options
  const flags = ['config', 'kafka', 'registry', 'appId', 'set'].filter((name) => name in options)
  if (dataDir !== undefined && flags.length > 0)
    throw new CliError('--data-dir and a cluster are both named', 'Give only one of them: a log is in one place.')
  if (dataDir !== undefined) return { kind: 'directory', dataDir }
  const named = flags.length > 0 || environment[CONFIG_VARIABLE] || environment.SEQUENCER_KAFKA_BROKERS
  return named
    ? { kind: 'cluster', address: readAddress({ ...options }, environment) }
    : { kind: 'directory', dataDir: DATA_DIR }
}

export interface OpenOptions {
  /** How a data directory is opened; by default nothing but its log is. */
  readonly directory?: (dataDir: string) => Promise<OpenedLog>
}

/** For who only looks: a record whose schema the registry does not have is handed out as it is, and counts as none of its topic. */
export async function openLog(target: LogTarget, { directory = openDirectory }: OpenOptions = {}): Promise<OpenedLog> {
  if (target.kind === 'directory') return directory(target.dataDir)
  const ground = await openGround(target.address, 'reader')
  const { settings, topics, close } = ground
  const { appId, rules, chain } = settings
  const enveloped = envelopedTopics({ ...ground, appId })
  const log = readableLog({
    ...ground,
    clock: systemClock,
    enveloped,
    foreign: foreignTopics(topics),
    foreignWaitMs: target.address.registry.unknownSchemaWaitMs,
    handsOutUnknown: true,
  })
  return { log, topics, rules, appId, chain: { ...chain, rpcUrls: rpcUrlsOf(target.address.chain) }, close }
}

/** The type of `openLog` as commands get it; tests give them another. */
export type OpenLog = (target: LogTarget) => Promise<OpenedLog>
