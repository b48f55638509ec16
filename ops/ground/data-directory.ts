/** The data directory of an embedded sequencer: what lies where, and the settings that its log was made with. */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { openEmbeddedLog } from '../../connectors/log/embedded/embedded.ts'
import { openFileRegistry } from '../../connectors/schema-registry/file.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { createCodec } from '../../schemas/codec.ts'
import type { Log } from '../../streams/ports.ts'
import { completeRules, type ProtocolRules } from '../../topology/rules.ts'
import { type Stores, sequencerStores } from '../../topology/stores.ts'
import { sequencerTopics, type TopicOptions, type Topics } from '../../topology/topics.ts'
import { CliError, EXIT } from '../base/cli-error.ts'
import { rememberUrl } from '../base/shown-url.ts'
import type { Ground } from './ground.ts'

/** The settings that decide the meaning of the records in the log. Written once; a start that wants something else is refused. */
export interface DirectorySettings {
  readonly appId: string
  readonly topicOptions: TopicOptions
  readonly rules: ProtocolRules
  readonly chain: { readonly rpcUrls: readonly string[]; readonly chainId: number; readonly protocolState: string }
}

export interface DirectoryPaths {
  readonly log: string
  readonly registry: string
  readonly blocks: string
  readonly chain: string
  readonly peerKey: string
  /** Key of the markers. */
  readonly markerKey: string
  /** Behind the query API; may be deleted. */
  readonly view: string
  readonly settings: string
  /** Present while a process runs on the directory. */
  readonly running: string
  /** The messages that the simulated snapshotters sent. */
  readonly ledger: string
  /** Slots without a snapshotter, with their keys: for programs that play their owners. */
  readonly spareSlots: string
}

export const directoryPaths = (dataDir: string): DirectoryPaths => ({
  log: join(dataDir, 'log'),
  registry: join(dataDir, 'schemas.json'),
  blocks: join(dataDir, 'blocks'),
  chain: join(dataDir, 'chain'),
  peerKey: join(dataDir, 'peer.key'),
  markerKey: join(dataDir, 'marker.key'),
  view: join(dataDir, 'view'),
  settings: join(dataDir, 'settings.json'),
  running: join(dataDir, 'dev.json'),
  ledger: join(dataDir, 'snapshotters.jsonl'),
  spareSlots: join(dataDir, 'spare-slots.json'),
})

/** True when the chain of the directory is one of `dev`, which runs only with the process. */
export const hasOwnChain = (dataDir: string): boolean => existsSync(join(directoryPaths(dataDir).chain, 'state.json'))

/** The log holds the votes of open epochs, which nobody may read before they end. */
const OWNER_ONLY = 0o700

/** Makes the directory if need be, for its owner alone. Throws CliError when it cannot be written to. */
export function ensureWritable(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: OWNER_ONLY })
    accessSync(dataDir, constants.W_OK)
    // root may write anywhere that the mode forbids, but not to a read-only mount: so try
    writeFileSync(join(dataDir, '.writable'), '')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const full = code === 'ENOSPC'
    throw new CliError(
      `data directory ${dataDir} cannot be written to (${code})`,
      full
        ? 'Free some space, or give --data-dir another disk.'
        : 'Give --data-dir a directory that this user may write to.',
      EXIT.unavailable,
      error,
    )
  }
}

export interface OpenedDirectory extends DirectorySettings {
  readonly log: Log
  readonly topics: Topics
  close(): Promise<void>
}

/** Opens the log of a directory that no process runs on. Throws CliError when there is none. */
export async function openDirectory(dataDir: string): Promise<OpenedDirectory> {
  const settings = readSettings(dataDir)
  if (!settings)
    throw new CliError(
      `${dataDir} is not a data directory of a sequencer`,
      'Check --data-dir; `sequencer dev --data-dir D` makes one.',
      EXIT.unavailable,
    )
  const paths = directoryPaths(dataDir)
  const log = await openEmbeddedLog({ directory: paths.log, mustExist: true })
  try {
    const { topics } = await openRecords(dataDir, settings.topicOptions, false)
    return { ...settings, log, topics, close: () => log.close() }
  } catch (error) {
    await log.close()
    throw error
  }
}

/** Opens the log for a sequencer that runs on it; nobody else can until it is closed. A log that once existed is never made anew. */
export async function openLog(dataDir: string): Promise<Log> {
  const { log, blocks, settings } = directoryPaths(dataDir)
  const isKnown = existsSync(settings)
  if (isKnown && (!existsSync(log) || readdirSync(log).length === 0))
    throw new CliError(
      `the log of ${dataDir} is gone: there is nothing in ${log}, though the directory has settings`,
      'Restore the directory from a copy, or give --data-dir a new one. Nothing was made in its place.',
      EXIT.unavailable,
    )
  // the directory may be older, and one that somebody made for more than this keeps its rights
  for (const part of [log, blocks]) {
    mkdirSync(part, { recursive: true, mode: OWNER_ONLY })
    chmodSync(part, OWNER_ONLY)
  }
  return await openEmbeddedLog({ directory: log, clock: systemClock, mustExist: isKnown })
}

/** The ground of a sequencer, on its open log. Keeps the settings; throws CliError when the log was made with others. */
export async function groundOf(dataDir: string, log: Log, settings: DirectorySettings): Promise<Ground> {
  const isNew = !refuseOtherSettings(dataDir, settings)
  // Settings come last: where they are, a log and a registry must be.
  const records = await openRecords(dataDir, settings.topicOptions, isNew)
  keepSettings(dataDir, settings)
  return { log, ...records }
}

/** Topics and stores with the schema ids of this directory. */
async function openRecords(
  dataDir: string,
  options: TopicOptions,
  isNew: boolean,
): Promise<{ topics: Topics; stores: Stores }> {
  const codec = await createCodec(await openFileRegistry(directoryPaths(dataDir).registry, !isNew), options.prefix)
  return { topics: sequencerTopics(codec, options), stores: sequencerStores(codec) }
}

export function readSettings(dataDir: string): DirectorySettings | undefined {
  const text = textIfThere(directoryPaths(dataDir).settings)
  if (text === undefined) return undefined
  try {
    const settings = JSON.parse(text) as DirectorySettings
    for (const url of settings.chain.rpcUrls) rememberUrl(url)
    return { ...settings, rules: completeRules(settings.rules) } // those of an older release lack what came later
  } catch (error) {
    throw new CliError(
      `${directoryPaths(dataDir).settings} is not JSON`,
      'Restore it from a copy, or use another --data-dir.',
      EXIT.unavailable,
      error,
    )
  }
}

function textIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * The node's address may change; partitions, chain and contract may not, since the log was written for them.
 * @returns the settings that it was made with, if it was
 * @throws CliError when they differ
 */
function refuseOtherSettings(dataDir: string, settings: DirectorySettings): DirectorySettings | undefined {
  const before = readSettings(dataDir)
  const different = before ? differences(before, settings) : []
  if (different.length > 0)
    throw new CliError(
      [`${dataDir} was made with other settings:`, ...different.map((one) => `       ${one}`)],
      'Start with the same options, or give --data-dir a new directory.',
    )
  return before
}

/** Keeps the settings with the log. */
function keepSettings(dataDir: string, settings: DirectorySettings): void {
  const { settings: path } = directoryPaths(dataDir)
  writeFileSync(`${path}.new`, `${JSON.stringify(settings, null, 2)}\n`)
  renameSync(`${path}.new`, path)
}

/** The settings that the log was written for and this start does not ask for, in words. */
function differences(before: DirectorySettings, now: DirectorySettings): string[] {
  const fixed = ({ appId, topicOptions, chain }: DirectorySettings): Record<string, unknown> => ({
    'application id': appId,
    'topic prefix': topicOptions.prefix,
    ...Object.fromEntries(Object.entries(topicOptions.partitions).map(([topic, n]) => [`partitions of ${topic}`, n])),
    'chain id': chain.chainId,
    ProtocolState: chain.protocolState,
  })
  const [had, wants] = [fixed(before), fixed(now)]
  return Object.keys(wants).flatMap((name) =>
    had[name] === wants[name] ? [] : [`${name}: ${had[name]}, and this start asks for ${wants[name]}`],
  )
}
