import { expect, test } from 'vitest'
import { topicSettings } from '../../../../connectors/log/kafka/topics.ts'
import { examineTopicSettings } from '../../../../ops/look/doctor/topic-settings.ts'
import type { TopicConfig } from '../../../../streams/ports.ts'

const DAY_MS = 86_400_000
const submissions: TopicConfig = { name: 'submissions', partitions: 4, cleanup: 'delete', retentionMs: 7 * DAY_MS }
const slots: TopicConfig = { name: 'slots', partitions: 1, cleanup: 'compact' }
const liveOf = (topic: TopicConfig, configs = {}, partitions = topic.partitions) => ({
  name: topic.name,
  partitions,
  replicationFactor: 1,
  configs: { ...topicSettings(topic), 'min.insync.replicas': '2', ...configs },
  ownConfigs: new Set<string>(),
})

test('default: topics that are kept as they were deployed; one that is not there is another finding’s', () => {
  expect(examineTopicSettings([submissions, slots], [liveOf(submissions)])).toMatchObject({ ok: true })
})

test('error: what would drop records, or refuse them, is named with both values', () => {
  const live = [
    liveOf(submissions, { 'retention.ms': '60000', 'max.message.bytes': '700' }),
    liveOf(slots, { 'cleanup.policy': 'delete' }, 2),
  ]
  const { ok, detail, advice } = examineTopicSettings([submissions, slots], live)
  expect(ok).toBe(false)
  expect(detail).toContain('submissions: retention.ms is 60000, and not 604800000, max.message.bytes is 700, and not ')
  expect(detail).toContain('slots: 2 partitions, of which 1 are used, cleanup.policy is delete, and not compact,delete')
  expect(advice).toContain('deploy plan')
})

test('bound: five topics are named, the others counted', () => {
  const many = Array.from({ length: 8 }, (_, n): TopicConfig => ({ ...slots, name: `t${n}` }))
  const { detail } = examineTopicSettings(
    many,
    many.map((topic) => liveOf(topic, {}, 2)),
  )
  expect(detail).toMatch(/^t0: 2 partitions.*t4: 2 partitions, of which 1 are used; and 3 more topics$/)
})
