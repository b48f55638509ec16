/** Which rights each role needs: what it reads, writes and deletes, its group, its transactional ids. Nothing more. */
import { changelogsOf, nodesOf, type Topology } from '../../streams/topology.ts'
import type { Topics } from '../../topology/topics.ts'
import { clockGroup, isStage, ROLES, type Role } from '../base/roles.ts'
import { ownerTopicOf } from '../ground/cluster/owner.ts'
import { settingsTopic } from '../ground/cluster/settings-topic.ts'

/** `All` is never planned, but others may have given it. */
export type AclOperation = 'Read' | 'Write' | 'Delete' | 'Describe' | 'All'

export interface Acl {
  readonly principal: string
  readonly host: string
  readonly resource: 'topic' | 'group' | 'transactional-id'
  readonly name: string
  readonly pattern: 'literal' | 'prefixed'
  readonly operation: AclOperation
}

export interface AclOptions {
  readonly principals: Readonly<Partial<Record<string, string>>>
  readonly host: string
}

/** Sorted and without repetitions: principals may share roles. None for roles without a principal. */
export function aclsOf(appId: string, topology: Topology, topics: Topics, { principals, host }: AclOptions): Acl[] {
  const every = [
    ...topology.topics.map(({ name }) => name),
    topics.deadLetters.name,
    ...topology.internalTopics(appId).map(({ name }) => name),
  ]
  const acls = new Map<string, Acl>()
  for (const role of ROLES) {
    const principal = principals[role]
    if (principal === undefined) continue
    const rights = isStage(role)
      ? stageRights(appId, topology, role, every)
      : connectorRights(role, appId, topics, every)
    for (const right of [
      ...rights,
      ...grant('topic', [settingsTopic(appId).name, ownerTopicOf(topics).name], 'Read'),
      ...grant('topic', [topics.processes.name], 'Read', 'Write'), // how its process is
    ]) {
      const acl: Acl = { principal, host, ...right }
      acls.set(aclText(acl), acl)
    }
  }
  const needed = [...acls.values()].filter((acl) => !isImplied(acl, acls))
  return needed.sort((a, b) => (aclText(a) < aclText(b) ? -1 : 1))
}

/** A right to read, write or delete a thing implies the right to describe it. */
const isImplied = (acl: Acl, acls: ReadonlyMap<string, Acl>): boolean =>
  acl.operation === 'Describe' &&
  acl.resource === 'topic' &&
  (['Read', 'Write', 'Delete'] as const).some((operation) => acls.has(aclText({ ...acl, operation })))

export const aclText = ({ principal, host, resource, name, pattern, operation }: Acl): string =>
  `${principal} ${operation} ${resource} ${name}${pattern === 'prefixed' ? '*' : ''}${host === '*' ? '' : ` from ${host}`}`

type Right = Omit<Acl, 'principal' | 'host'>

const grant = (resource: Acl['resource'], names: readonly string[], ...operations: readonly AclOperation[]): Right[] =>
  names.flatMap((name) => operations.map((operation): Right => ({ resource, name, pattern: 'literal', operation })))

const transactions = (name: string, pattern: Acl['pattern']): Right[] =>
  (['Write', 'Describe'] as const).map(
    (operation): Right => ({ resource: 'transactional-id', name, pattern, operation }),
  )

/** The rights of a stage. Its runtime compares every topic with the topology before it runs, so it may describe them all. */
function stageRights(appId: string, topology: Topology, role: Role, every: readonly string[]): Right[] {
  const stage = topology.stages.find(({ name }) => name === role)!
  const sources = stage.sources.map(({ name }) => name)
  const written = [...nodesOf(stage)].flatMap((node) => (node.type === 'sink' ? [node.topic.name] : []))
  const purged = sources.filter((name) => topology.repartitionTopics.has(name))
  return [
    ...grant('topic', [...sources, ...topology.globalTables.map(({ name }) => name)], 'Read'),
    ...grant('topic', [...written, ...(topology.deadLetterTopic ? [topology.deadLetterTopic] : [])], 'Write'),
    ...grant('topic', changelogsOf(appId, stage), 'Read', 'Write', 'Delete'), // Delete: what lies before the oldest live state
    ...grant('topic', purged, 'Delete'),
    ...grant('topic', every, 'Describe'),
    ...grant('group', [`${appId}-${role}`], 'Read'),
    ...transactions(`${appId}-${role}-`, 'prefixed'),
  ]
}

function connectorRights(role: Role, appId: string, topics: Topics, every: readonly string[]): Right[] {
  const { submissions, deadLetters, epochTicks, slots, tickRequests, anchorIntents, anchorResults, batches } = topics
  const { marketRequests, markets, payouts, peerBans, intakeReports } = topics
  const own = (...of: readonly { readonly name: string }[]) => of.map(({ name }) => name)
  const holder = [...grant('group', [`${appId}-${role}`], 'Read'), ...transactions(`${appId}-${role}`, 'literal')]
  if (role === 'intake')
    return [
      ...grant('topic', own(submissions, deadLetters, intakeReports), 'Write'),
      ...grant('topic', own(slots, epochTicks, peerBans, intakeReports), 'Read'),
      ...grant('group', [`${appId}-validate`], 'Describe'), // its lag
    ]
  if (role === 'clock')
    return [
      ...grant('topic', own(epochTicks, slots, markets), 'Read', 'Write'),
      ...grant('topic', own(tickRequests, marketRequests), 'Read'),
      ...grant('group', [clockGroup(appId)], 'Read'),
      ...holder,
    ]
  if (role === 'anchor-effects')
    return [
      ...grant('topic', own(anchorIntents, batches, payouts), 'Read'),
      ...grant('topic', own(anchorIntents), 'Delete'),
      ...grant('topic', own(anchorResults), 'Write'),
      ...holder,
    ]
  return grant('topic', [...every, ...own(marketRequests, markets, peerBans, intakeReports)], 'Read') // api
}
