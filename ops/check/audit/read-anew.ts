/** The topics that are not those that were deployed, as the owner on record knows them. */
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { changedTopics, prefixOf, readOwner } from '../../ground/cluster/owner.ts'
import type { TopicMadeAnew } from './made-anew.ts'

/** None where nobody is on record: a data directory, whose topics cannot be deleted, or a deployment of an older release. */
export async function readAnew({
  log,
  topics,
}: {
  readonly log: Log
  readonly topics: Topics
}): Promise<readonly TopicMadeAnew[]> {
  const owner = await readOwner(log, prefixOf(topics))
  if (!owner) return []
  const changed = await changedTopics(log, owner)
  return (Object.keys(topics) as (keyof Topics)[]).flatMap<TopicMadeAnew>((topic) => {
    const { name } = topics[topic]
    const known = owner.topics[name]
    const now = changed.get(name)
    if (known !== undefined && now !== undefined) return [{ topic, name, ids: [known, now], recordedAt: undefined }]
    const before = owner.anew?.[name]
    if (known === undefined || before === undefined) return []
    return [{ topic, name, ids: [before.before, known], recordedAt: before.at }]
  })
}
