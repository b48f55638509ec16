/** The differences between what is to be and what is, each with what it means to make it so. Pure. */
import { type Incompatibility, incompatibilities } from '../../schemas/compatibility.ts'
import type { AvroSchema } from '../../schemas/load.ts'
import { sameSchema } from '../../schemas/same-schema.ts'
import { type ClusterSettings, changedParts, settingsTopic } from '../ground/cluster/settings-topic.ts'
import { type Acl, aclText } from './acls.ts'
import type { Action, Change } from './change.ts'
import { changelogChanges, type LostChangelog } from './changelogs.ts'
import type { Desired, DesiredSubject, DesiredTopic } from './desired.ts'
import { type Accepts, foreignChange, lostTopics, type Ownership, ownerChanges } from './ownership.ts'

export interface LiveTopic {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  /** Every setting with its value, and which of them the topic has of its own. */
  readonly configs: Readonly<Record<string, string>>
  readonly ownConfigs: ReadonlySet<string>
}

export interface Live {
  readonly brokers: number
  readonly topics: readonly LiveTopic[]
  /** Versions of each subject, oldest first. */
  readonly subjects: ReadonlyMap<string, readonly AvroSchema[]>
  /** Undefined when the brokers have no access control. */
  readonly acls: readonly Acl[] | undefined
  readonly settings: ClusterSettings | undefined
  readonly ownership: Ownership
  readonly changelogs: readonly LostChangelog[]
  /** Groups of ours that have members. */
  readonly activeGroups: readonly string[]
}

/** In a fixed order: topics as the topology has them, subjects, rights, settings, owner. Nothing else of topics that are another's. */
export function differences(desired: Desired, live: Live, accepts: Accepts = {}): readonly Change[] {
  const { ownership } = live
  if (ownership.foreign !== undefined && !accepts.takeOver) return [foreignChange(desired, ownership.foreign)]
  const topics = new Map(live.topics.map((topic) => [topic.name, topic]))
  const lost = lostTopics(desired, ownership, accepts)
  const gone = new Set(lost.map(({ name }) => name))
  const ours = desired.topics.filter(({ name }) => topics.has(name) || !gone.has(name))
  return [
    ...lost,
    ...changelogChanges(live.changelogs),
    ...ours.flatMap((topic) => topicChanges(topic, topics.get(topic.name), live.brokers)),
    ...desired.subjects.flatMap((subject) => subjectChanges(subject, live.subjects.get(subject.name) ?? [])),
    ...aclChanges(desired.acls, live.acls),
    ...settingsChanges(desired.settings, live),
    ...ownerChanges(desired, ownership, lost.length > 0),
  ]
}

function topicChanges(topic: DesiredTopic, live: LiveTopic | undefined, brokers: number): Change[] {
  const { name, partitions, replicationFactor, configs } = topic
  const about = { kind: 'topic', name } as const
  if (!live) {
    const detail = describeTopic(topic)
    if (replicationFactor <= brokers)
      return [{ ...about, class: 'create', detail, action: { type: 'create-topic', topic } }]
    const advice = `Start more brokers, or set kafka.replicationFactor and kafka.minInsyncReplicas to at most ${brokers}.`
    return [{ ...about, class: 'refused', detail: `${replicationFactor} copies on ${brokers} brokers`, advice }]
  }
  const changes: Change[] = []
  if (live.partitions < partitions)
    changes.push({
      ...about,
      class: 'drain',
      detail: `partitions ${live.partitions} → ${partitions}`,
      advice: MORE_PARTITIONS,
    })
  if (live.partitions > partitions)
    changes.push({
      ...about,
      class: 'refused',
      detail: `${live.partitions} partitions, of which ${partitions} are used`,
      advice: FEWER_PARTITIONS,
    })
  if (live.replicationFactor !== replicationFactor)
    changes.push({
      ...about,
      class: 'refused',
      detail: `copies ${live.replicationFactor} → ${replicationFactor}`,
      advice: OTHER_COPIES,
    })
  return [...changes, ...configChanges(configs, live)]
}

/** The wanted settings that the topic does not have. */
export const differing = (wanted: Readonly<Record<string, string>>, live: LiveTopic): [key: string, value: string][] =>
  Object.entries(wanted).filter(([key, value]) => live.configs[key] !== value)

function configChanges(configs: DesiredTopic['configs'], live: LiveTopic): Change[] {
  const wrong = differing(configs, live)
  if (wrong.length === 0) return []
  const own = Object.entries(live.configs).filter(([key]) => live.ownConfigs.has(key))
  const deletes = wrong.some(([key, value]) => mayDelete(key, live.configs[key], value))
  return [
    {
      class: deletes ? 'deletes' : 'safe',
      kind: 'topic',
      name: live.name,
      detail: wrong.map(([key, value]) => `${key} ${live.configs[key] ?? 'unset'} → ${value}`).join(', '),
      ...(deletes && { advice: 'Records go that are kept now. `deploy apply --yes-delete` does it.' }),
      action: {
        type: 'set-configs',
        topic: live.name,
        configs: Object.fromEntries([...own, ...Object.entries(configs)]),
      },
    },
  ]
}

/** Another cleanup deletes by age or by key what was kept so far; a shorter retention by age. */
function mayDelete(key: string, from: string | undefined, to: string): boolean {
  if (key === 'cleanup.policy') return true
  if (key !== 'retention.ms' && key !== 'retention.bytes') return false
  const kept = (text: string | undefined) =>
    text === undefined || text === '-1' ? Number.POSITIVE_INFINITY : Number(text)
  return kept(to) < kept(from)
}

function subjectChanges(subject: DesiredSubject, versions: readonly AvroSchema[]): Change[] {
  const { name, schema } = subject
  const about = { kind: 'subject', name } as const
  const action: Action = { type: 'register', subject }
  if (versions.length === 0) return [{ ...about, class: 'create', detail: 'version 1', action }]
  if (versions.some((version) => sameSchema(version, schema))) return []
  if (name.endsWith('-key'))
    return [{ ...about, class: 'refused', detail: 'another schema of keys', advice: OTHER_KEYS }]
  const broken = versions.flatMap((version) => [
    ...incompatibilities(version, schema),
    ...incompatibilities(schema, version),
  ])
  if (broken.length > 0)
    return [
      { ...about, class: 'refused', detail: [...new Set(broken.map(describeRule))].join(', '), advice: OTHER_SHAPE },
    ]
  return [{ ...about, class: 'safe', detail: `version ${versions.length + 1}, compatible with all before it`, action }]
}

export function aclChanges(desired: readonly Acl[], live: readonly Acl[] | undefined): Change[] {
  if (desired.length === 0) return []
  if (live === undefined)
    return [
      { class: 'refused', kind: 'acl', name: '*', detail: 'the brokers have no access control', advice: NO_AUTHORIZER },
    ]
  const present = new Set(live.map(aclText))
  return desired
    .filter((acl) => !present.has(aclText(acl)))
    .map((acl) => ({
      class: 'create',
      kind: 'acl',
      name: acl.principal,
      detail: aclText(acl).slice(acl.principal.length + 1),
      action: { type: 'create-acl', acl },
    }))
}

function settingsChanges(settings: ClusterSettings, live: Live): Change[] {
  const about = { kind: 'settings', name: settingsTopic(settings.appId).name } as const
  const action: Action = { type: 'write-settings', settings }
  if (!live.settings) return [{ ...about, class: 'create', detail: 'rules, partitions, chain', action }]
  const different = changedParts(live.settings, settings)
  if (different.length === 0) return []
  const detail = different.join(', ')
  const fixed = different.filter((part) => /^(appId|topicOptions\.|chain\.)/.test(part))
  if (fixed.length > 0) return [{ ...about, class: 'refused', detail, advice: OTHER_CHAIN }]
  if (live.activeGroups.length > 0)
    return [{ ...about, class: 'drain', detail, advice: `${STOP_FIRST} Members now: ${live.activeGroups.join(', ')}.` }]
  return [{ ...about, class: 'safe', detail, action }]
}

const describeRule = ({ field, rule }: Incompatibility): string => `${field}: ${rule}`

export function describeTopic({ partitions, replicationFactor, configs }: DesiredTopic): string {
  const copies = `${partitions} × ${replicationFactor}`
  const retention = configs['retention.ms']
  if (configs['cleanup.policy'] !== 'delete') return `${copies}, compacted`
  return `${copies}, ${retention === '-1' ? 'kept until purged' : `kept ${Number(retention) / 86_400_000} d`}`
}

const MORE_PARTITIONS =
  'Keys would move to other partitions, away from the state that knows them. Let every epoch close and be anchored, stop all roles, then deploy under a new appId and prefix, with clock.startBlock at the block after the last epoch.'
const FEWER_PARTITIONS =
  'Somebody has added them, and Kafka takes none away. Nothing stands still: nobody here writes or reads them, and what lies in them is of somebody else.'
const OTHER_COPIES = 'Move the replicas with kafka-reassign-partitions.sh; afterwards the plan has nothing to say here.'
const OTHER_KEYS =
  'The same key would lie in another partition. A new shape of keys needs a topic of its own, e.g. with the ending .v2.'
const OTHER_SHAPE =
  'Records and readers of both versions must understand each other: add fields with defaults only, or use a new topic.'
const NO_AUTHORIZER = 'Give the brokers an authorizer.class.name, or leave acls.principals out.'
const OTHER_CHAIN =
  'The records belong to the chain and the partitions they were written for. Deploy under a new appId and prefix.'
const STOP_FIRST = 'All processes must decide by the same rules: stop every one, apply, start them again.'
