/** Opens the cluster that the settings name: its log, and the registry with the schemas of the log's records. */
import { readFileSync } from 'node:fs'
import { type KafkaLog, openKafkaLog } from '../../../connectors/log/kafka/kafka-log.ts'
import { type ConfluentRegistry, createConfluentRegistry } from '../../../connectors/schema-registry/confluent.ts'
import { createCodec } from '../../../schemas/codec.ts'
import type { SchemaRegistry } from '../../../schemas/registry.ts'
import { sameSchema } from '../../../schemas/same-schema.ts'
import type { Log } from '../../../streams/ports.ts'
import { sealedTopics } from '../../../topology/shared/seals.ts'
import { sequencerStores } from '../../../topology/stores.ts'
import { sequencerTopics } from '../../../topology/topics.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import type { SequencerSettings } from '../../settings/schema.ts'
import type { Ground } from '../ground.ts'
import { kafkaLogOptions, secretIn } from './connect.ts'
import { type ClusterSettings, readClusterSettings } from './settings-topic.ts'

export type ClusterAddress = Pick<SequencerSettings, 'appId' | 'kafka' | 'registry'>

export const openClusterLog = (
  { appId, kafka }: ClusterAddress,
  instanceId: string,
  warn?: (text: string) => void,
): Promise<KafkaLog> => openKafkaLog(kafkaLogOptions(kafka, `${appId}-${instanceId}`, warn))

export function openRegistry({ registry: { url, username, passwordFile, tls } }: ClusterAddress): ConfluentRegistry {
  const address = new URL(url)
  if (username !== undefined) address.username = encodeURIComponent(username)
  if (passwordFile !== undefined) address.password = encodeURIComponent(secretIn(passwordFile))
  const ca = tls.caFile === undefined ? undefined : readFileSync(tls.caFile, 'utf8')
  return createConfluentRegistry({ url: address.toString(), ...(ca !== undefined && { ca }) })
}

/** The deployed settings. Throws CliError when nothing is. */
async function deployedSettings(log: Log, appId: string): Promise<ClusterSettings> {
  const settings = await readClusterSettings(log, appId)
  if (settings) return settings
  throw new CliError(
    `nothing is deployed under the app id ${appId}`,
    'Run `sequencer deploy apply` with the same configuration first, or check --app-id.',
    EXIT.unavailable,
  )
}

export interface DeployedGround extends Required<Ground> {
  readonly settings: ClusterSettings
  readonly clusterId: string | undefined
  readonly log: KafkaLog
  close(): Promise<void>
}

/** The deployed log with its topics, for readers and for roles. Writes nothing, to the registry neither. */
export async function openGround(
  address: ClusterAddress,
  instanceId: string,
  warn?: (text: string) => void,
): Promise<DeployedGround> {
  const log = await openClusterLog(address, instanceId, warn)
  try {
    const settings = await deployedSettings(log, address.appId)
    const codec = await createCodec(registeredOnly(openRegistry(address)), settings.topicOptions.prefix)
    const topics = sealedTopics(sequencerTopics(codec, settings.topicOptions), settings.rules)
    return {
      settings,
      clusterId: log.clusterId,
      throttledMs: () => log.throttledMs,
      log,
      topics,
      stores: sequencerStores(codec),
      codec,
      close: () => log.close(),
    }
  } catch (error) {
    await log.close()
    throw error
  }
}

/** The registry as everything but `deploy` sees it: a schema that is not there is a fault of the deployment. */
function registeredOnly(registry: SchemaRegistry): SchemaRegistry {
  return {
    schemaOf: (id) => registry.schemaOf(id),
    versions: (subject) => registry.versions(subject),
    async register(subject, schema) {
      const known = (await registry.versions(subject)).findLast((version) => sameSchema(version.schema, schema))
      if (known) return known.id
      throw new CliError(
        `the registry has no version of ${subject} with this program's schema`,
        'Run `sequencer deploy plan` with this version of the program, then `deploy apply`.',
        EXIT.unavailable,
      )
    },
  }
}
