/** Carries out a plan, and takes a deployment away. Everything here can be done again. */
import kafkajs, { type AclEntry, type Admin } from 'kafkajs'
import { systemClock } from '../../connectors/system-clock.ts'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import type { Clock } from '../../streams/ports.ts'
import type { ClusterSettings } from '../ground/cluster/settings-topic.ts'
import type { Acl } from './acls.ts'
import type { Action, Change } from './change.ts'
import { onceSteady } from './cluster-steady.ts'
import type { DesiredTopic } from './desired.ts'
import { OPERATIONS, RESOURCES } from './live.ts'

const { AclPermissionTypes, ConfigResourceTypes, ResourcePatternTypes } = kafkajs

export interface Target {
  readonly admin: Admin
  readonly registry: Pick<SchemaRegistry, 'register'>
  readonly writeSettings: (settings: ClusterSettings) => Promise<void>
  readonly writeOwner: () => Promise<void>
}

/** Whether apply does this change. */
export const isApplied = ({ class: what }: Change, yesDelete: boolean): boolean =>
  what === 'create' || what === 'safe' || (what === 'deletes' && yesDelete)

/** Subjects registered at a time. */
const REGISTER_AT_ONCE = 8

/** Topics at once, then the subjects, then the rest; settings and owner come last, since they say that all of it is there. */
export async function applyChanges(changes: readonly Change[], target: Target): Promise<void> {
  const actions = changes.flatMap(({ action }) => action ?? [])
  await createTopics(
    actions.flatMap((action) => (action.type === 'create-topic' ? [action.topic] : [])),
    target.admin,
  )
  const subjects = actions.filter((action) => action.type === 'register')
  for (let at = 0; at < subjects.length; at += REGISTER_AT_ONCE)
    await Promise.all(subjects.slice(at, at + REGISTER_AT_ONCE).map((action) => apply(action, target)))
  for (const action of actions)
    if (action.type !== 'register') await onceSteady(systemClock, () => apply(action, target))
}

export async function createTopics(
  topics: readonly DesiredTopic[],
  admin: Admin,
  clock: Clock = systemClock,
): Promise<void> {
  await onceSteady(clock, async (failures) => {
    const there = failures === 0 ? [] : await admin.listTopics()
    await create(
      topics.filter(({ name }) => !there.includes(name)),
      admin,
    )
  })
}

async function create(topics: readonly DesiredTopic[], admin: Admin): Promise<void> {
  if (topics.length === 0) return
  await admin.createTopics({
    waitForLeaders: true,
    topics: topics.map(({ name, partitions, replicationFactor, configs }) => ({
      topic: name,
      numPartitions: partitions,
      replicationFactor,
      configEntries: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    })),
  })
}

async function apply(action: Action, { admin, registry, writeSettings, writeOwner }: Target): Promise<void> {
  if (action.type === 'set-configs')
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: action.topic,
          configEntries: Object.entries(action.configs).map(([name, value]) => ({ name, value })),
        },
      ],
    })
  if (action.type === 'register') await registry.register(action.subject.name, action.subject.schema)
  if (action.type === 'create-acl') await admin.createAcls({ acl: [entryOf(action.acl)] })
  if (action.type === 'write-settings') await writeSettings(action.settings)
  if (action.type === 'write-owner') await writeOwner()
}

export const entryOf = ({ principal, host, resource, name, pattern, operation }: Acl): AclEntry => ({
  principal,
  host,
  resourceType: RESOURCES.find(([text]) => text === resource)![1],
  resourceName: name,
  resourcePatternType: pattern === 'prefixed' ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
  operation: OPERATIONS.find(([text]) => text === operation)![1],
  permissionType: AclPermissionTypes.ALLOW,
})
