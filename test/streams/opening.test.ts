import { expect, test } from 'vitest'
import { createMemoryLog } from '../../connectors/log/memory/memory.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import type { Log, TopicPartition } from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import { sumsTopics, sumsTopology } from './sums.ts'

const topics = sumsTopics({ input: 1, middle: 1 })
const topology = sumsTopology(topics)
const INPUT = { topic: topics.numbers.name, partition: 0 }
const RECORDS = 5
const STAGE = topology.stages.find(({ sources }) => sources.some(({ name }) => name === INPUT.topic))!
const GROUP = `app-${STAGE.name}`

async function commit(log: Log, next: number): Promise<void> {
  const writer = await log.transactionalWriter('another')
  const burst = { records: [], offsets: { group: GROUP, commits: [{ ...INPUT, next, metadata: '' }] } }
  expect(await writer.commit(burst)).toMatchObject({ outcome: 'committed' })
}

/** Between the first two things that an opening task asks about its input, a newer owner commits all of it and purges. */
function withNewerOwner(log: Log): Log {
  let reads = 0
  const afterFirst = async <T>(asked: readonly TopicPartition[], answer: T): Promise<T> => {
    if (!asked.some(({ topic }) => topic === INPUT.topic) || ++reads > 1) return answer
    await commit(log, RECORDS)
    await log.deleteRecords([{ ...INPUT, offset: RECORDS }])
    return answer
  }
  return Object.assign(Object.create(log) as Log, {
    bounds: async (...[asked]: Parameters<Log['bounds']>) => afterFirst(asked, await log.bounds(asked)),
    committedOffsets: async (...[name, asked]: Parameters<Log['committedOffsets']>) =>
      afterFirst(asked, await log.committedOffsets(name, asked)),
  })
}

test('behavior: a task that opens while a newer owner commits and purges is not told that input was deleted', async () => {
  const log = createMemoryLog()
  await log.createTopics([
    ...topology.topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })),
    { name: 'dead', partitions: 1, cleanup: 'delete' },
  ])
  const appender = await log.appender()
  const value = topics.numbers.value.encode(1)
  const records = Array.from({ length: RECORDS }, () => ({ ...INPUT, timestamp: 0, key: Buffer.from('0/a'), value }))
  await appender.append(records)
  await commit(log, 1)
  const failures: Error[] = []
  const runtime = new StreamsRuntime(topology, {
    appId: 'app',
    instanceId: 'older',
    log: withNewerOwner(log),
    clock: systemClock,
    onFailure: (error) => failures.push(error),
  })
  await runtime.start()
  await expect.poll(() => runtime.state === 'running' || failures.length > 0).toBe(true)
  await runtime.close()
  expect(failures).toEqual([])
  expect((await log.bounds([INPUT]))[0]).toMatchObject({ start: RECORDS })
})
