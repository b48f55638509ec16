/** Opens the data directory of an embedded sequencer. */
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openEmbeddedLog } from '../../connectors/log/embedded/embedded.ts'
import { openFileRegistry } from '../../connectors/schema-registry/file.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { createCodec } from '../../schemas/codec.ts'
import type { Log } from '../../streams/ports.ts'
import { sealedTopics } from '../../topology/shared/seals.ts'
import { type Stores, sequencerStores } from '../../topology/stores.ts'
import { sequencerTopics, type Topics } from '../../topology/topics.ts'
import { CliError, EXIT } from '../base/cli-error.ts'
import { directoryPaths } from './directory-paths.ts'
import { type DirectorySettings, keepSettings, readSettings, refuseOtherSettings } from './directory-settings.ts'
import type { Ground } from './ground.ts'

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
    const { topics } = await openRecords(dataDir, settings, false)
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
  const records = await openRecords(dataDir, settings, isNew)
  keepSettings(dataDir, settings)
  return { log, ...records }
}

/** Topics and stores with the schema ids of this directory. */
async function openRecords(
  dataDir: string,
  { topicOptions, rules }: DirectorySettings,
  isNew: boolean,
): Promise<{ topics: Topics; stores: Stores }> {
  const codec = await createCodec(await openFileRegistry(directoryPaths(dataDir).registry, !isNew), topicOptions.prefix)
  return { topics: sealedTopics(sequencerTopics(codec, topicOptions), rules), stores: sequencerStores(codec) }
}
