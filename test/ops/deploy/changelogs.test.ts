/** Changelogs that were made anew are known by the ids that the positions of their stages keep. */
import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import { lostChangelogs } from '../../../ops/deploy/changelogs.ts'
import { type Log, LogError } from '../../../streams/ports.ts'
import { sumsTopics, sumsTopology } from '../../streams/sums.ts'

const topics = sumsTopics({ input: 1, middle: 1 })
const topology = sumsTopology(topics)
const CHANGELOG = 'app-sums-changelog'
const IDS: Readonly<Record<string, string>> = { [CHANGELOG]: 'anew', 'app-sum-engine-changelog': 'same' }

async function committed(metadata: string): Promise<Log> {
  const memory = createMemoryLog()
  await memory.createTopics([
    ...topology.topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })),
    ...topology.internalTopics('app'),
  ])
  const writer = await memory.transactionalWriter('any')
  const commits = [{ topic: topics.byName.name, partition: 0, next: 1, metadata }]
  await writer.commit({ records: [], offsets: { group: 'app-sum', commits } })
  const topicIds: Log['topicIds'] = async (names) => new Map(names.map((name) => [name, IDS[name]!]))
  return Object.assign(Object.create(memory) as Log, { topicIds })
}

const place = (kept: Readonly<Record<string, string>>) => JSON.stringify({ place: 1, topics: kept, ends: {} })

test('error: one with another id is named, with its stage; other topics are on the record of the owner', async () => {
  const kept = { [CHANGELOG]: 'before', 'app-sum-engine-changelog': 'same', [topics.byName.name]: 'before' }
  expect(await lostChangelogs(await committed(place(kept)), topology, 'app')).toEqual([
    { name: CHANGELOG, stage: 'sum', before: 'before', now: 'anew' },
  ])
})

test('behavior: behind a reset, and while a transaction on the positions is open, nothing is said', async () => {
  const log = await committed('')
  expect(await lostChangelogs(log, topology, 'app')).toEqual([])
  const committedOffsets: Log['committedOffsets'] = async () => {
    throw new LogError('UNSTABLE_OFFSET_COMMIT', 'open', { retriable: true })
  }
  expect(await lostChangelogs(Object.assign(Object.create(log) as Log, { committedOffsets }), topology, 'app')).toEqual(
    [],
  )
})
