/**
 * The settings that the records of a cluster were written for: the counterpart of a data directory's settings. It lies in a topic
 * of its own, written by `deploy apply` and read by everything else, so that nothing that must agree is kept on one machine.
 */
import { configOf } from '../../../streams/kafka-topic.ts'
import type { Log, TopicConfig } from '../../../streams/ports.ts'
import type { AnchorRules } from '../../../topology/anchor-rules.ts'
import { completeRules, type ProtocolRules } from '../../../topology/rules.ts'
import type { TopicOptions } from '../../../topology/topics.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import type { Configuration } from '../../settings/parse.ts'
import { readNewest } from './newest-record.ts'

export interface ClusterSettings {
  readonly appId: string
  readonly topicOptions: TopicOptions
  readonly rules: ProtocolRules
  readonly anchoring: AnchorRules
  /** Without addresses of nodes: they may hold access keys, and may change. */
  readonly chain: { readonly chainId: number; readonly protocolState: string }
}

export const clusterSettingsOf = ({ settings, rules }: Configuration): ClusterSettings => ({
  appId: settings.appId,
  topicOptions: { prefix: settings.prefix, partitions: settings.partitions },
  rules,
  anchoring: settings.anchoring,
  chain: { chainId: settings.chain.chainId, protocolState: settings.chain.protocolState },
})

/**
 * Adds to the configuration the things that it need not say, since they are deployed: the keys of seals, and whether the log was
 * begun without seals. When nothing is deployed yet the log begins with them.
 */
export function agreedWith(configuration: Configuration, deployed: ClusterSettings | undefined): Configuration {
  if (!deployed) return configuration
  const { settings, rules } = configuration
  const markerKeys = rules.markerKeys.length > 0 ? rules.markerKeys : deployed.rules.markerKeys
  const unsealedRecords = settings.markers.unsealedFirst ?? deployed.rules.unsealedRecords
  return { ...configuration, rules: { ...rules, markerKeys, unsealedRecords } }
}

const KEY = Buffer.from('settings')
const FORMAT = 1

export const settingsTopic = (appId: string): TopicConfig => ({
  name: `${appId}-settings`,
  partitions: 1,
  cleanup: 'compact',
})

/** The newest settings; undefined when the topic or a record in it is missing. Records that others wrote there are left out. */
export async function readClusterSettings(log: Log, appId: string): Promise<ClusterSettings | undefined> {
  const { name: topic } = settingsTopic(appId)
  return await readNewest(log, topic, KEY, (value) => parse(value, topic))
}

export async function writeClusterSettings(log: Log, settings: ClusterSettings, timestamp: number): Promise<void> {
  const topic = settingsTopic(settings.appId)
  await log.createTopics([configOf(topic)])
  const appender = await log.appender()
  try {
    const value = Buffer.from(JSON.stringify({ format: FORMAT, ...settings }))
    await appender.append([{ topic: topic.name, partition: 0, timestamp, key: KEY, value }])
  } finally {
    await appender.close()
  }
}

/** The differences, e.g. `rules.markets.0.votesMin 1 → 2`; the order in which things are written down does not count. */
export function changedParts(from: unknown, to: unknown, path = ''): string[] {
  if (from === to) return []
  const both = [from, to].every((value) => typeof value === 'object' && value !== null)
  if (!both) return [`${path} ${JSON.stringify(from) ?? 'unset'} → ${JSON.stringify(to) ?? 'unset'}`]
  const [before, after] = [from, to] as [Record<string, unknown>, Record<string, unknown>]
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return keys.flatMap((key) => changedParts(before[key], after[key], path ? `${path}.${key}` : key))
}

/** Undefined for what no release has written. */
function parse(value: Uint8Array, topic: string): ClusterSettings | undefined {
  const { format, ...settings } = readJson(value) as ClusterSettings & { format?: unknown }
  if (typeof format !== 'number') return undefined
  // those of an older release lack what came later
  if (format === FORMAT) return { ...settings, rules: completeRules(settings.rules) }
  throw new CliError(
    `the settings in ${topic} have format ${format}, this version knows ${FORMAT}`,
    'A newer sequencer deployed this cluster: use its version.',
    EXIT.unavailable,
  )
}

function readJson(value: Uint8Array): object {
  try {
    return Object(JSON.parse(Buffer.from(value).toString())) as object
  } catch {
    return {}
  }
}
