/** Topics on a cluster whose brokers are still coming. */
import type { Admin } from 'kafkajs'
import { expect, test } from 'vitest'
import { createTopics } from '../../../ops/deploy/apply.ts'
import type { DesiredTopic } from '../../../ops/deploy/desired.ts'
import type { Clock } from '../../../streams/ports.ts'

const topic = (name: string): DesiredTopic => ({ name, partitions: 1, replicationFactor: 3, configs: {} })
const tooFew = () => Object.assign(new Error('too few'), { errors: [{ type: 'INVALID_REPLICATION_FACTOR' }] })

/** Pauses take no time here. */
function clockOfPauses(): Clock {
  let now = 0
  return {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms
    },
  } as unknown as Clock
}

/** @param refusals how often it says that there are too few brokers; one topic is made meanwhile */
function adminWith(refusals: number) {
  const asked: string[][] = []
  const admin = {
    listTopics: async () => ['a'],
    createTopics: async ({ topics }: { topics: readonly { topic: string }[] }) => {
      asked.push(topics.map(({ topic: name }) => name))
      if (asked.length <= refusals) throw tooFew()
    },
  }
  return { admin: admin as unknown as Admin, asked }
}

test('behavior: too few brokers is asked again for a while, of what is still missing', async () => {
  const { admin, asked } = adminWith(2)
  await createTopics([topic('a'), topic('b')], admin, clockOfPauses())
  expect(asked).toEqual([['a', 'b'], ['b'], ['b']])
})

test('error: not for ever, and nothing else', async () => {
  await expect(createTopics([topic('b')], adminWith(100).admin, clockOfPauses())).rejects.toThrow('too few')
  const refused = { createTopics: async () => Promise.reject(new Error('no')) } as unknown as Admin
  await expect(createTopics([topic('b')], refused)).rejects.toThrow('no')
})
