/** A burst that the log refuses: for how long it is tried, and what is told meanwhile. */
import { expect, test } from 'vitest'
import { createMemoryLog } from '../../connectors/log/memory/memory.ts'
import { Committer } from '../../streams/committer.ts'
import { type CommitOutcome, type Log, LogError } from '../../streams/ports.ts'
import { Task } from '../../streams/task.ts'
import { sumsTopics, sumsTopology } from './sums.ts'

const MEMBER = { memberId: 'm', generation: 1 }

/** A log that refuses so many commits, and a clock that waits for nothing. */
async function opened(refusals: number, cause: LogError) {
  const topics = sumsTopics({ input: 1, middle: 1 })
  const topology = sumsTopology(topics)
  const memory = createMemoryLog()
  const named = topology.topics.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup }))
  await memory.createTopics([...named, ...topology.internalTopics('app')])
  let attempts = 0
  const transactionalWriter: Log['transactionalWriter'] = async (id) => {
    const writer = await memory.transactionalWriter(id)
    const commit = async ({ records }: Parameters<typeof writer.commit>[0]): Promise<CommitOutcome> =>
      ++attempts <= refusals ? { outcome: 'aborted', cause } : writer.commit({ records })
    return { commit, close: () => writer.close() }
  }
  const task = new Task(topology.stages.find(({ name }) => name === 'forward')!, 0, {
    appId: 'app',
    deadLetterTopic: 'dead',
    countedTopics: topology.countedTopics,
    globalTable: () => {
      throw new Error('no table')
    },
  })
  let now = 0
  const sleep = async (ms: number): Promise<void> => {
    now += ms
  }
  const clock = { now: () => now, sleep }
  const committer = new Committer(
    task,
    {
      ...{ group: 'app-forward', transactionalId: 'app-forward-0', clock, observer: {}, identity: () => MEMBER },
      log: Object.assign(Object.create(memory) as Log, { transactionalWriter }),
    },
    new AbortController().signal,
  )
  await committer.open()
  return { committer, attempts: () => attempts }
}

const tooLarge = new LogError('MESSAGE_TOO_LARGE', 'raise max.message.bytes', { untilMended: true })

test('behavior: a refusal that an operator has to mend is waited for, without end', async () => {
  const { committer, attempts } = await opened(500, tooLarge)
  expect(await committer.commit()).toBe(true)
  expect(attempts()).toBe(501)
  expect(committer.trouble.lasting).toBe(undefined)
})

test('error: another refusal that may pass is tried for some minutes', async () => {
  const { committer, attempts } = await opened(500, new LogError('NOT_ENOUGH_REPLICAS', 'too few', { retriable: true }))
  await expect(committer.commit()).rejects.toThrow('app-forward-0: no commit in 60 attempts')
  expect(attempts()).toBe(60)
  expect(committer.trouble.lasting).toBe('too few')
})

test('error: one that cannot pass is tried once', async () => {
  const refusal = new LogError('TOPIC_AUTHORIZATION_FAILED', 'no right')
  const { committer, attempts } = await opened(500, refusal)
  await expect(committer.commit()).rejects.toBe(refusal)
  expect(attempts()).toBe(1)
})
