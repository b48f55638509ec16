/** Whether the topics are kept as they were deployed: a topic may be there, and its records go all the same. */
import { topicSettings } from '../../../connectors/log/kafka/topics.ts'
import type { TopicConfig } from '../../../streams/ports.ts'
import { differing, type LiveTopic } from '../../deploy/diff.ts'
import type { Finding } from './finding.ts'

/** Topics that are named; the others are counted. */
const NAMED_MAX = 5
const AS_DEPLOYED =
  '`sequencer deploy plan` says what each difference means, and `deploy apply` puts right what can be.'

/** @param live as the cluster has them; one that is not there is another finding's */
export function examineTopicSettings(deployed: readonly TopicConfig[], live: readonly LiveTopic[]): Finding {
  const check = 'topic settings'
  const found = new Map(live.map((topic) => [topic.name, topic]))
  const wrong = deployed.flatMap((topic) => {
    const now = found.get(topic.name)
    const differs = now ? differencesOf(topic, now) : []
    return differs.length > 0 ? [`${topic.name}: ${differs.join(', ')}`] : []
  })
  if (wrong.length === 0) return { check, ok: true, detail: 'the topics keep their records as they were deployed' }
  const more = wrong.length > NAMED_MAX ? `; and ${wrong.length - NAMED_MAX} more topics` : ''
  return { check, ok: false, detail: `${wrong.slice(0, NAMED_MAX).join('; ')}${more}`, advice: AS_DEPLOYED }
}

function differencesOf(topic: TopicConfig, live: LiveTopic): string[] {
  const { partitions, configs } = live
  return [
    ...(partitions < topic.partitions ? [`${partitions} partitions, and not ${topic.partitions}`] : []),
    ...(partitions > topic.partitions ? [`${partitions} partitions, of which ${topic.partitions} are used`] : []),
    ...differing(topicSettings(topic), live).map(
      ([key, value]) => `${key} is ${configs[key] ?? 'unset'}, and not ${value}`,
    ),
  ]
}
