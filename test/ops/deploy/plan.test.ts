/** What a plan says of an empty cluster, of a deployed one, and of one with every kind of drift: golden outputs. */
import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { textOf } from '../../../ops/base/output.ts'
import type { Change } from '../../../ops/deploy/change.ts'
import { type Desired, desiredState } from '../../../ops/deploy/desired.ts'
import { differences, type Live, type LiveTopic } from '../../../ops/deploy/diff.ts'
import type { Ownership } from '../../../ops/deploy/ownership.ts'
import { renderDone, renderPlan, renderRewards } from '../../../ops/deploy/render.ts'
import type { ClusterSettings } from '../../../ops/ground/cluster/settings-topic.ts'
import type { AvroSchema } from '../../../schemas/load.ts'
import { ANCHOR_RULES_DEFAULTS } from '../../../topology/anchor-rules.ts'
import { rulesOf } from '../../topology/world.ts'

const settings: ClusterSettings = {
  appId: 'sequencer',
  topicOptions: {
    prefix: 'main-',
    partitions: { submissions: 6, validated: 6, admitted: 6, finalizations: 2, verdicts: 3 },
  },
  rules: rulesOf(),
  anchoring: ANCHOR_RULES_DEFAULTS,
  chain: { chainId: 31_337, protocolState: `0x${'b'.repeat(40)}` },
}
const replication = { replicationFactor: 3, minInsyncReplicas: 2 }
const principals = { intake: 'User:edge', validate: 'User:stages', admit: 'User:stages' }

type AvroRecord = Extract<AvroSchema, { type: 'record' }>

let desired: Desired
beforeAll(async () => {
  desired = await desiredState(settings, replication, { principals: {}, host: '*' })
})

const empty: Live = {
  brokers: 3,
  topics: [],
  subjects: new Map(),
  acls: undefined,
  settings: undefined,
  ownership: { owner: undefined, foreign: undefined, changed: new Map(), ids: {} },
  changelogs: [],
  activeGroups: [],
}

const idsOf = ({ recorded }: Desired) => Object.fromEntries(recorded.map((name) => [name, `id of ${name}`]))
const owned = (all: Desired): Ownership => {
  const owner = { appId: 'sequencer', clusterId: 'here', topics: idsOf(all) }
  return { owner, foreign: undefined, changed: new Map(), ids: idsOf(all) }
}

/** A cluster as a deployment leaves it; brokers answer with more settings than were asked for. */
const deployed = ({ topics, subjects, acls, settings: kept }: Desired): Live => ({
  brokers: 3,
  ownership: owned(desired),
  changelogs: [],
  topics: topics.map(({ configs, ...topic }) => ({
    ...topic,
    configs: { 'flush.ms': '9223372036854775807', ...configs },
    ownConfigs: new Set(Object.keys(configs)),
  })),
  subjects: new Map(subjects.map(({ name, schema }) => [name, [schema]])),
  acls,
  settings: kept,
  activeGroups: [],
})

const withTopic = (live: Live, name: string, change: (topic: LiveTopic) => LiveTopic): Live => ({
  ...live,
  topics: live.topics.map((topic) => (topic.name === name ? change(topic) : topic)),
})
const withConfig = (live: Live, name: string, key: string, value: string): Live =>
  withTopic(live, name, (topic) => ({ ...topic, configs: { ...topic.configs, [key]: value } }))
const withSubject = (live: Live, name: string, ...versions: AvroSchema[]): Live => ({
  ...live,
  subjects: new Map([...live.subjects, [name, versions]]),
})
const schemaOf = (name: string) => desired.subjects.find((subject) => subject.name === name)!.schema as AvroRecord
const classesOf = (changes: readonly Change[]) => changes.map(({ class: what, name }) => `${what} ${name}`)

describe('golden', () => {
  test('default: an empty cluster', async () => {
    await expect(textOf(renderPlan(differences(desired, empty)))).toMatchFileSnapshot('empty.golden.txt')
  })

  test('behavior: docs/operations.md shows as many objects', () => {
    const page = readFileSync('docs/operations.md', 'utf8')
    const [count, subjects] = [differences(desired, empty).length, desired.subjects.length]
    for (const text of [`\n${count} to create.\nDone: ${count} created.\n`, `/v7: ${subjects} subjects\n`])
      expect(page).toContain(text)
    expect(page).toContain(`\n${subjects} schemas of ${subjects} subjects in schemas\n`)
  })

  test('default: a deployed one has nothing to do', () => {
    expect(textOf(renderPlan(differences(desired, deployed(desired))))).toBe(
      'Nothing to do: the cluster is as it should be.\n',
    )
  })

  test('default: what was done is said as done', () => {
    const created = differences(desired, empty)
    expect(renderDone(created)).toEqual([`Done: ${created.length} created.`])
    expect(renderDone([...created.slice(0, 2), { ...created[0]!, class: 'safe' }])).toEqual([
      'Done: 2 created, 1 changed.',
    ])
    expect(renderDone([])).toEqual([])
  })

  test('default: what becomes of the days of each market is said with it', () => {
    const { rules } = desired.settings
    const market = { ...rules.markets[0]!, rewards: 'on' as const }
    expect(renderRewards({ ...rules, markets: [market] })).toEqual([
      '',
      `rewards  ${market.dataMarket}  on: days are counted, and the contract is told and pays`,
      'rewards  markets that are added  counts: days are counted, and the contract is told nothing',
    ])
  })

  test('default: one with drift', async () => {
    let live = deployed(desired)
    live = {
      ...live,
      topics: live.topics.filter(({ name }) => name !== 'main-slots'),
      activeGroups: ['sequencer-batch'],
    }
    live = withTopic(live, 'main-submissions', (topic) => ({ ...topic, partitions: 4 }))
    live = withTopic(live, 'main-verdicts', (topic) => ({ ...topic, partitions: 12, replicationFactor: 1 }))
    live = withConfig(live, 'main-batches', 'min.insync.replicas', '1')
    live = withConfig(live, 'main-admitted', 'retention.ms', '-1')
    live = withConfig(live, 'main-finalizations', 'retention.ms', '3600000')
    live = withConfig(live, 'sequencer-heads-changelog', 'cleanup.policy', 'delete')
    live = withSubject(live, 'main-slots-key', {
      type: 'record',
      name: 'SlotKey',
      fields: [{ name: 'slot', type: 'long' }],
    })
    const verdict = schemaOf('main-verdicts-value')
    live = withSubject(live, 'main-verdicts-value', { ...verdict, fields: verdict.fields.slice(1) } as AvroSchema)
    const anchor = schemaOf('main-anchors-value')
    const older = { ...anchor, fields: anchor.fields.filter((field) => !('default' in field)) }
    live = withSubject(live, 'main-anchors-value', older as AvroSchema)
    live = { ...live, settings: { ...settings, rules: rulesOf({ votesMin: 2 }) } }
    await expect(textOf(renderPlan(differences(desired, live)))).toMatchFileSnapshot('drift.golden.txt')
  })

  test('default: the rights of roles', async () => {
    const guarded = await desiredState(settings, replication, { principals, host: '*' })
    const changes = differences(guarded, { ...deployed(guarded), acls: [] })
    await expect(textOf(renderPlan(changes))).toMatchFileSnapshot('acls.golden.txt')
  })
})

describe('differences', () => {
  test('behavior: fewer brokers than copies is refused before anything is made', () => {
    const changes = differences(desired, { ...empty, brokers: 1 }).filter(({ kind }) => kind === 'topic')
    expect(new Set(changes.map((change) => change.class))).toEqual(new Set(['refused']))
    expect(changes[0]!.advice).toContain('at most 1')
  })

  test('error: a changelog that was made anew under its stage is shown, and nothing is done about it', () => {
    const one = { name: 'sequencer-votes-changelog', stage: 'consensus', before: 'a' }
    const lost = [
      { ...one, now: 'b' },
      { ...one, now: undefined },
    ]
    const changes = differences(desired, { ...deployed(desired), changelogs: lost })
    expect(changes.map(({ class: what, name, detail }) => [what, name, detail])).toEqual([
      ['refused', one.name, 'made anew: id a → b'],
      ['refused', one.name, 'its id was a, and it is gone'],
    ])
    expect(changes[0]!.advice).toContain('The state of stage consensus was in it')
    expect(changes[0]!.action).toBe(undefined)
  })

  test('behavior: a setting that the brokers have by default need not be the topic’s own', () => {
    const live = withTopic(deployed(desired), 'main-slots', (topic) => ({ ...topic, ownConfigs: new Set() }))
    expect(differences(desired, live)).toEqual([])
  })

  test('behavior: a change keeps what others set on the topic, since the whole set is replaced', () => {
    const live = withTopic(deployed(desired), 'main-slots', (topic) => ({
      ...topic,
      configs: { ...topic.configs, 'max.message.bytes': '1000', 'segment.ms': '60000' },
      ownConfigs: new Set([...topic.ownConfigs, 'segment.ms']),
    }))
    const [change] = differences(desired, live)
    expect(change!.action).toMatchObject({
      type: 'set-configs',
      configs: { 'segment.ms': '60000', 'cleanup.policy': 'compact,delete' },
    })
    expect(change!.action).not.toHaveProperty('configs.flush.ms')
  })

  test('behavior: a longer retention is safe, a shorter one deletes', () => {
    const week = 7 * 86_400_000
    const longer = differences(
      desired,
      withConfig(deployed(desired), 'main-submissions', 'retention.ms', String(week - 1)),
    )
    const shorter = differences(
      desired,
      withConfig(deployed(desired), 'main-submissions', 'retention.ms', String(week + 1)),
    )
    expect(classesOf([...longer, ...shorter])).toEqual(['safe main-submissions', 'deletes main-submissions'])
  })

  test('behavior: a newer version in the registry is left alone while ours is one of its versions', () => {
    const ours = schemaOf('main-anchors-value')
    const newer = { ...ours, fields: [...ours.fields, { name: 'later', type: 'string', default: '' }] } as AvroSchema
    expect(differences(desired, withSubject(deployed(desired), 'main-anchors-value', ours, newer))).toEqual([])
  })

  test('behavior: other rules wait until every process is stopped', () => {
    const live = { ...deployed(desired), settings: { ...settings, rules: rulesOf({ votesMin: 5 }) } }
    expect(differences(desired, live)).toMatchObject([{ class: 'safe', detail: 'rules.markets.0.votesMin 5 → 1' }])
    expect(differences(desired, { ...live, activeGroups: ['sequencer-admit'] })).toMatchObject([{ class: 'drain' }])
  })

  test('behavior: another chain or other partitions are not for these records', () => {
    const chain = { ...deployed(desired), settings: { ...settings, chain: { ...settings.chain, chainId: 1 } } }
    expect(differences(desired, chain)).toMatchObject([{ class: 'refused', detail: 'chain.chainId 1 → 31337' }])
  })

  test('error: rights on brokers without access control', async () => {
    const guarded = await desiredState(settings, replication, { principals, host: '*' })
    expect(differences(guarded, { ...deployed(guarded), acls: undefined })).toMatchObject([
      { class: 'refused', kind: 'acl' },
    ])
  })
})

describe('owner', () => {
  const withOwnership = (change: Partial<Ownership>): Live => ({
    ...deployed(desired),
    ownership: { ...owned(desired), ...change },
  })

  test('error: topics of another deployment are left alone, whatever else there is to do', () => {
    const live = {
      ...withOwnership({ foreign: 'the topics belong to a', owner: { appId: 'a', topics: {} } }),
      topics: [],
    }
    expect(classesOf(differences(desired, live))).toEqual(['refused main-owner'])
    const taken = classesOf(differences(desired, live, { takeOver: true }))
    expect(taken).toContain('create main-submissions')
    expect(taken.at(-1)).toBe('safe main-owner')
  })

  test('behavior: a deployment of an older release gets its owner on record', () => {
    const live = withOwnership({ owner: undefined })
    expect(classesOf(differences(desired, live))).toEqual(['create main-owner'])
  })

  test('error: a topic that was made anew, or is gone, is not taken for the one on record', () => {
    const changed = new Map([
      ['main-submissions', 'another'],
      ['main-slots', undefined],
    ])
    const there = withOwnership({ changed })
    const live = { ...there, topics: there.topics.filter(({ name }) => name !== 'main-slots') }
    const changes = differences(desired, live)
    expect(classesOf(changes).sort()).toEqual(['refused main-slots', 'refused main-submissions'])
    expect(changes.find(({ name }) => name === 'main-submissions')!.detail).toBe(
      'made anew: id id of main-submissions → another',
    )
    const accepted = classesOf(differences(desired, live, { acceptRecreated: true }))
    expect(accepted).toEqual(['create main-slots', 'safe main-owner'])
  })

  test('behavior: ids of topics that a newer release adds go on record too', () => {
    const { owner, ids } = owned(desired)
    const { 'main-slots': _, ...topics } = owner!.topics
    expect(classesOf(differences(desired, withOwnership({ owner: { ...owner!, topics }, ids })))).toEqual([
      'safe main-owner',
    ])
    expect(differences(desired, withOwnership({ owner: { ...owner!, topics: {} }, ids: {} }))).toEqual([])
  })
})
