/** The settings that the log of a data directory was made with. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { completeRules, type ProtocolRules } from '../../topology/rules.ts'
import type { TopicOptions } from '../../topology/topics.ts'
import { CliError, EXIT } from '../base/cli-error.ts'
import { rememberUrl } from '../base/shown-url.ts'
import { directoryPaths } from './directory-paths.ts'

/** The settings that decide the meaning of the records in the log. Written once; a start that wants something else is refused. */
export interface DirectorySettings {
  readonly appId: string
  readonly topicOptions: TopicOptions
  readonly rules: ProtocolRules
  readonly chain: { readonly rpcUrls: readonly string[]; readonly chainId: number; readonly protocolState: string }
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
export function refuseOtherSettings(dataDir: string, settings: DirectorySettings): DirectorySettings | undefined {
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
export function keepSettings(dataDir: string, settings: DirectorySettings): void {
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
