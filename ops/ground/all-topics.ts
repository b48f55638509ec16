/** Every topic of a deployment, in one list: a question to all of them is asked of each. */
import type { TopicConfig } from '../../streams/ports.ts'
import type { Topology } from '../../streams/topology.ts'
import type { Topics } from '../../topology/topics.ts'
import { ownerTopicOf } from './cluster/owner.ts'
import { settingsTopic } from './cluster/settings-topic.ts'

/** Topics of stages first, then topics that no stage reads or writes, the changelogs, and the two of the deployment itself. */
export function allTopics(
  appId: string,
  topology: Pick<Topology, 'topics' | 'internalTopics'>,
  topics: Topics,
): TopicConfig[] {
  const ofStages = new Set(topology.topics.map(({ name }) => name))
  const { deadLetters, ...others } = topics
  const outside = [deadLetters, ...Object.values<TopicConfig>(others).filter(({ name }) => !ofStages.has(name))]
  return [...topology.topics, ...outside, ...topology.internalTopics(appId), settingsTopic(appId), ownerTopicOf(topics)]
}
