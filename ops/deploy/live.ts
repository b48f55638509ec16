/** Reads what is deployed: the cluster through kafkajs' admin client, the registry, the settings. */
import kafkajs, { type Admin, type DescribeAclResource } from 'kafkajs'
import type { SchemaRegistry } from '../../schemas/registry.ts'
import type { Acl, AclOperation } from './acls.ts'
import type { Desired } from './desired.ts'
import type { Live, LiveTopic } from './diff.ts'

// an older module: not all of its exports have names of their own for ours
const {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  ConfigResourceTypes,
  ConfigSource,
  ResourcePatternTypes,
} = kafkajs

/** Kafka's code for a cluster without an authorizer. */
const SECURITY_DISABLED = 54

export async function liveState(
  desired: Desired,
  admin: Admin,
  registry: Pick<SchemaRegistry, 'versions'>,
  known: Pick<Live, 'settings' | 'ownership' | 'changelogs'>,
): Promise<Live> {
  const [{ brokers }, topics, acls, activeGroups] = await Promise.all([
    admin.describeCluster(),
    liveTopics(
      admin,
      desired.topics.map(({ name }) => name),
    ),
    liveAcls(admin),
    groupsWithMembers(admin, desired.groups),
  ])
  const subjects = await Promise.all(
    desired.subjects.map(async ({ name }) => [name, await versionsOf(registry, name)] as const),
  )
  return { brokers: brokers.length, topics, subjects: new Map(subjects), acls, ...known, activeGroups }
}

const versionsOf = async (registry: Pick<SchemaRegistry, 'versions'>, subject: string) =>
  (await registry.versions(subject)).map(({ schema }) => schema)

export async function liveTopics(admin: Admin, names: readonly string[]): Promise<LiveTopic[]> {
  const there = new Set(await admin.listTopics()) // asking for one that is not there takes kafkajs 15 s
  const topics = names.filter((name) => there.has(name))
  if (topics.length === 0) return []
  const [metadata, configs] = await Promise.all([
    admin.fetchTopicMetadata({ topics }),
    admin.describeConfigs({
      resources: topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name })),
      includeSynonyms: false,
    }),
  ])
  const entries = new Map(configs.resources.map(({ resourceName, configEntries }) => [resourceName, configEntries]))
  return metadata.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.length,
    replicationFactor: partitions[0]!.replicas.length,
    configs: Object.fromEntries(
      (entries.get(name) ?? []).map(({ configName, configValue }) => [configName, configValue]),
    ),
    ownConfigs: new Set(
      (entries.get(name) ?? []).flatMap(({ configName, configSource }) =>
        configSource === ConfigSource.TOPIC_CONFIG ? [configName] : [],
      ),
    ),
  }))
}

export async function groupsWithMembers(admin: Admin, groups: readonly string[]): Promise<string[]> {
  const known = new Set((await admin.listGroups()).groups.map(({ groupId }) => groupId))
  const ours = groups.filter((group) => known.has(group))
  if (ours.length === 0) return []
  const { groups: described } = await admin.describeGroups(ours)
  return described.filter(({ members }) => members.length > 0).map(({ groupId }) => groupId)
}

/** Every ALLOW on a topic, group or transactional id; undefined when the brokers have no access control. */
export async function liveAcls(admin: Pick<Admin, 'describeAcls'>): Promise<readonly Acl[] | undefined> {
  try {
    const { resources } = await admin.describeAcls({
      resourceType: AclResourceTypes.ANY,
      resourcePatternType: ResourcePatternTypes.ANY,
      permissionType: AclPermissionTypes.ALLOW,
      operation: AclOperationTypes.ANY,
    })
    return resources.flatMap(aclsOfResource)
  } catch (error) {
    if ((error as { code?: unknown }).code === SECURITY_DISABLED) return undefined
    throw error
  }
}

function aclsOfResource({ resourceType, resourceName, resourcePatternType, acls }: DescribeAclResource): Acl[] {
  const resource = RESOURCES.find(([, type]) => type === resourceType)?.[0]
  const pattern = resourcePatternType === ResourcePatternTypes.PREFIXED ? 'prefixed' : 'literal'
  return acls.flatMap(({ principal, host, operation }) => {
    const does = OPERATIONS.find(([, type]) => type === operation)?.[0]
    return resource && does ? [{ principal, host, resource, name: resourceName, pattern, operation: does }] : []
  })
}

export const RESOURCES: readonly (readonly [Acl['resource'], number])[] = [
  ['topic', AclResourceTypes.TOPIC],
  ['group', AclResourceTypes.GROUP],
  ['transactional-id', AclResourceTypes.TRANSACTIONAL_ID],
]
export const OPERATIONS: readonly (readonly [AclOperation, number])[] = [
  ['Read', AclOperationTypes.READ],
  ['Write', AclOperationTypes.WRITE],
  ['Delete', AclOperationTypes.DELETE],
  ['Describe', AclOperationTypes.DESCRIBE],
  ['All', AclOperationTypes.ALL],
]
