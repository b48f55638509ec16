import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import {
  changedTopics,
  type Owner,
  ownerTopic,
  readOwner,
  unrecordedOwner,
  whyForeign,
  writeOwner,
} from '../../../../ops/ground/cluster/owner.ts'
import { type ClusterSettings, writeClusterSettings } from '../../../../ops/ground/cluster/settings-topic.ts'
import { expectOwnTopics } from '../../../../ops/run/own-topics.ts'
import { type Log, LogError } from '../../../../streams/ports.ts'
import { ANCHOR_RULES_DEFAULTS } from '../../../../topology/anchor-rules.ts'
import { rulesOf } from '../../../topology/world.ts'

const partitions = { submissions: 2, validated: 2, admitted: 2, finalizations: 2, verdicts: 2 }
const settingsOf = (appId: string, prefix: string): ClusterSettings => ({
  appId,
  topicOptions: { prefix, partitions },
  rules: rulesOf(),
  anchoring: ANCHOR_RULES_DEFAULTS,
  chain: { chainId: 1, protocolState: `0x${'b'.repeat(40)}` },
})
const owner: Owner = { appId: 'a', clusterId: 'here', topics: { 'p-t': '1', 'p-u': '1' } }

/** @param ids of the topics; those without one do not exist, `denied` may not be looked at */
function withIds(log: Log, ids: Record<string, string>): Log {
  const topicIds: Log['topicIds'] = async (names) => {
    if (names.some((name) => ids[name] === 'denied')) throw new LogError('TOPIC_AUTHORIZATION_FAILED', 'no')
    if (names.some((name) => ids[name] === undefined)) throw new LogError('UNKNOWN_TOPIC', 'none')
    return new Map(names.map((name) => [name, ids[name]!]))
  }
  return Object.assign(Object.create(log) as Log, { topicIds })
}

test('default: the newest record is read back; none where there is no topic', async () => {
  const log = createMemoryLog()
  expect(await readOwner(log, 'p-')).toBe(undefined)
  await writeOwner(log, 'p-', { ...owner, appId: 'before' }, 0)
  await writeOwner(log, 'p-', owner, 0)
  expect(await readOwner(log, 'p-')).toMatchObject(owner)
  expect(await readOwner(log, 'q-')).toBe(undefined)
})

test('error: a record of somebody else is no owner', async () => {
  const log = createMemoryLog()
  await log.createTopics([ownerTopic('p-')])
  const appender = await log.appender()
  for (const value of ['x', '{}', '{"format":2}'])
    await appender.append([{ topic: 'p-owner', partition: 0, timestamp: 0, key: null, value: Buffer.from(value) }])
  expect(await readOwner(log, 'p-')).toBe(undefined)
})

test('default: another app id and another cluster are told in words', () => {
  const ours = { appId: 'a', prefix: 'p-', clusterId: 'here' }
  expect(whyForeign(undefined, ours)).toBe(undefined)
  expect(whyForeign(owner, ours)).toBe(undefined)
  expect(whyForeign(owner, { ...ours, clusterId: undefined })).toBe(undefined)
  expect(whyForeign(owner, { ...ours, appId: 'b' })).toBe(
    'the topics with the prefix p- belong to the app id a, not to b',
  )
  expect(whyForeign(owner, { ...ours, clusterId: 'there' })).toContain('the cluster here, and this one is there')
})

test('behavior: a deployment without a record is found by its settings', async () => {
  const log = createMemoryLog()
  await writeClusterSettings(log, settingsOf('a', 'p-'), 0)
  const topics = ['a-settings', 'gone-settings', 'p-submissions']
  expect(await unrecordedOwner(log, { appId: 'b', prefix: 'p-' }, topics)).toBe('a')
  expect(await unrecordedOwner(log, { appId: 'b', prefix: 'q-' }, topics)).toBe(undefined)
  expect(await unrecordedOwner(log, { appId: 'a', prefix: 'p-' }, topics)).toBe(undefined)
})

test('behavior: what is there in the place of a topic; what may not be looked at is left out', async () => {
  const log = createMemoryLog()
  expect(await changedTopics(withIds(log, { 'p-t': '1', 'p-u': '1' }), owner)).toEqual(new Map())
  expect(await changedTopics(withIds(log, { 'p-t': '2' }), owner)).toEqual(
    new Map([
      ['p-t', '2'],
      ['p-u', undefined],
    ]),
  )
  expect(await changedTopics(withIds(log, { 'p-t': 'denied', 'p-u': 'denied' }), owner)).toEqual(new Map())
})

test('error: a process refuses topics of another deployment, and tells of those that were made anew', async () => {
  const log = createMemoryLog()
  const said: string[] = []
  const start = (appId: string, ids: Record<string, string> = {}) =>
    expectOwnTopics({ log: withIds(log, ids), settings: settingsOf(appId, 'p-'), clusterId: 'here' }, (text) =>
      said.push(text),
    )
  await start('b') // nobody on record
  await writeOwner(log, 'p-', owner, 0)
  await expect(start('b')).rejects.toThrow('belong to the app id a, not to b')
  await start('a', { 'p-t': '2', 'p-u': '1' })
  expect(said).toEqual([expect.stringContaining('topic p-t was deleted and made anew: its id was 1 and is 2')])
})
