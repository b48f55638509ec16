/** The parts of a deployment, opened: for `deploy`, and for `reset`. */
import type { Admin } from 'kafkajs'
import type { KafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import type { ConfluentRegistry } from '../../connectors/schema-registry/confluent.ts'
import { Lifecycle } from '../base/lifecycle.ts'
import { stderr } from '../base/output.ts'
import { openAdmin } from '../ground/cluster/connect.ts'
import { openClusterLog, openRegistry } from '../ground/cluster/open.ts'
import { agreedWith, clusterSettingsOf, readClusterSettings } from '../ground/cluster/settings-topic.ts'
import { type Need, readConfiguration } from '../settings/parse.ts'
import type { FlagValues } from '../settings/sources.ts'
import type { AclOptions } from './acls.ts'
import { type Desired, desiredState } from './desired.ts'

export interface Deployment {
  readonly desired: Desired
  readonly log: KafkaLog
  readonly admin: Admin
  readonly registry: ConfluentRegistry
  /** Role → its login, as configured. */
  readonly principals: AclOptions['principals']
}

/** Opens everything that a deployment touches, and closes it behind the work. */
export async function withDeployment(
  flags: FlagValues,
  work: (deployment: Deployment) => Promise<void>,
  need?: Need,
): Promise<void> {
  const configuration = readConfiguration(flags, process.env, need)
  const { settings } = configuration
  const parts = new Lifecycle((text) => stderr.print(`warning: ${text}`))
  try {
    const log = await parts.add('log', openClusterLog(settings, 'deploy'))
    const agreed = agreedWith(configuration, await readClusterSettings(log, settings.appId))
    const desired = await desiredState(clusterSettingsOf(agreed), settings.kafka, settings.acls)
    const admin = await openAdmin(settings.kafka, `${settings.appId}-deploy`)
    await parts.add('admin', { close: () => admin.disconnect() })
    await work({ desired, log, admin, registry: openRegistry(settings), principals: settings.acls.principals })
  } finally {
    await parts.close()
  }
}
