/**
 * Whose topics with a prefix are: the app id and the cluster that they were deployed for, and their ids. Written by `deploy
 * apply`, into a topic that every user of the same prefix finds. Two app ids on one prefix ruin both: each counts the other's
 * markers. Topics copied to another cluster have other ids and offsets there.
 */
import { z } from 'zod'
import { configOf } from '../../../streams/kafka-topic.ts'
import { type Log, LogError, type TopicConfig } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { askMany } from '../ask-many.ts'
import { readNewest } from './newest-record.ts'
import { readClusterSettings } from './settings-topic.ts'

export interface Owner {
  readonly appId: string
  /** Undefined where the cluster has none. */
  readonly clusterId?: string | undefined
  /** Topic → id; without topics of a cluster that gives none, and without changelogs, which a reset makes anew. */
  readonly topics: Readonly<Record<string, string>>
  /** Topic → when it was put on record that it was made anew, the last time, and its id before. Absent in records of older releases. */
  readonly anew?: Readonly<Record<string, MadeAnew>> | undefined
}

export interface MadeAnew {
  /** Ms since 1970. */
  readonly at: number
  readonly before: string
}

const KEY = Buffer.from('owner')
const schema = z.object({
  format: z.literal(1),
  appId: z.string().min(1),
  clusterId: z.string().optional(),
  topics: z.record(z.string(), z.string()),
  anew: z.record(z.string(), z.object({ at: z.number().int().nonnegative(), before: z.string() })).optional(),
})

export const ownerTopic = (prefix: string): TopicConfig => ({
  name: `${prefix}owner`,
  partitions: 1,
  cleanup: 'compact',
})

export const prefixOf = ({ submissions: { name } }: Topics): string => name.slice(0, -'submissions'.length)

/** The one beside these topics. */
export const ownerTopicOf = (topics: Topics): TopicConfig => ownerTopic(prefixOf(topics))

/** Undefined when there is no record, when it may not be read (rights come with the next `deploy apply`), or is none of ours. */
export async function readOwner(log: Log, prefix: string): Promise<Owner | undefined> {
  try {
    return await readNewest(log, ownerTopic(prefix).name, KEY, ownerIn)
  } catch (error) {
    if (error instanceof LogError && error.code === DENIED) return undefined
    throw error
  }
}

function ownerIn(value: Uint8Array): Owner | undefined {
  try {
    return schema.safeParse(JSON.parse(Buffer.from(value).toString())).data
  } catch {
    return undefined // somebody else's
  }
}

export async function writeOwner(log: Log, prefix: string, owner: Owner, timestamp: number): Promise<void> {
  const topic = ownerTopic(prefix)
  await log.createTopics([configOf(topic)])
  const appender = await log.appender()
  try {
    const value = Buffer.from(JSON.stringify({ format: 1, ...owner }))
    await appender.append([{ topic: topic.name, partition: 0, timestamp, key: KEY, value }])
  } finally {
    await appender.close()
  }
}

/** Settings topics of others that are looked into. */
const OTHERS_MAX = 100
const SETTINGS = '-settings'

/** Another app id with the same prefix, deployed by a release that kept no owner. @param topics all of the cluster */
export async function unrecordedOwner(
  log: Log,
  { appId, prefix }: { readonly appId: string; readonly prefix: string },
  topics: readonly string[],
): Promise<string | undefined> {
  const others = topics
    .filter((name) => name.endsWith(SETTINGS))
    .map((name) => name.slice(0, -SETTINGS.length))
    .filter((other) => other !== appId && other !== '')
  for (const other of others.slice(0, OTHERS_MAX)) {
    const settings = await readClusterSettings(log, other).catch(() => undefined) // not ours to read, or no settings
    if (settings?.appId === other && settings.topicOptions?.prefix === prefix) return other
  }
  return undefined
}

export interface Deployed {
  readonly appId: string
  readonly prefix: string
  readonly clusterId: string | undefined
}

/** Why these topics are not this deployment's, in words; undefined when they are, or when nobody is on record. */
export function whyForeign(owner: Owner | undefined, { appId, prefix, clusterId }: Deployed): string | undefined {
  if (!owner) return undefined
  const topics = prefix === '' ? 'the topics without a prefix' : `the topics with the prefix ${prefix}`
  if (owner.appId !== appId) return `${topics} belong to the app id ${owner.appId}, not to ${appId}`
  if (owner.clusterId === undefined || clusterId === undefined || owner.clusterId === clusterId) return undefined
  return `${topics} were deployed for the cluster ${owner.clusterId}, and this one is ${clusterId}`
}

export const FOREIGN_ADVICE =
  'Two app ids on one prefix ruin both, as each counts the other’s markers. Choose another prefix, or the app id on record. Only when that deployment is gone for good: `sequencer deploy apply --take-over`.'

/** Topic → what is there in its place: another id, or nothing. Those that may not be looked at are left out. */
export async function changedTopics(log: Log, { topics }: Owner): Promise<ReadonlyMap<string, string | undefined>> {
  const found = await lookAt(log, Object.keys(topics))
  return new Map(found.filter(([name, now]) => now !== UNSEEN && now !== topics[name]))
}

/** The topics that were made anew, with those that the owner on record knows of when other ids take the place of its own. */
export function anewWith({ topics, anew }: Owner, ids: Owner['topics'], at: number): Required<Owner>['anew'] {
  const changed = Object.entries(ids).filter(([name, id]) => (topics[name] ?? id) !== id)
  return { ...anew, ...Object.fromEntries(changed.map(([name]) => [name, { at, before: topics[name]! }])) }
}

/** Ids of the topics that are there, may be looked at, and have one. */
export async function idsOf(log: Log, names: readonly string[]): Promise<Record<string, string>> {
  const found = await lookAt(log, names)
  return Object.fromEntries(found.filter((one): one is [string, string] => one[1] !== undefined && one[1] !== UNSEEN))
}

const GONE = ['UNKNOWN_TOPIC', 'TOPIC_DELETED']
const DENIED = 'TOPIC_AUTHORIZATION_FAILED'
/** The id of a topic that may exist but may not be looked at. */
const UNSEEN = ''

type Looked = readonly [name: string, id: string | undefined]

const lookAt = (log: Log, names: readonly string[]): Promise<readonly Looked[]> =>
  askMany<string, Looked>(
    names,
    async (some) => {
      const ids = await log.topicIds(some)
      return some.map((name) => [name, ids?.get(name) ?? UNSEEN])
    },
    (error, name) => {
      if (error instanceof LogError && GONE.includes(error.code)) return [[name, undefined]]
      if (error instanceof LogError && error.code === DENIED) return [[name, UNSEEN]]
      throw error
    },
  )
