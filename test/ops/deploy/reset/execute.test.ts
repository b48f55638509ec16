/** A reset on brokers that do not know yet what was just deleted and made. */
import type { Admin } from 'kafkajs'
import { expect, test } from 'vitest'
import type { Deployment } from '../../../../ops/deploy/deployment.ts'
import { executeReset } from '../../../../ops/deploy/reset/execute.ts'

type Call = 'listTopics' | 'deleteTopics' | 'createTopics' | 'fetchTopicOffsets' | 'setOffsets'

const changelog = { name: 'app-stage-changelog', partitions: 1, replicationFactor: 1, configs: {} }
const plan = {
  moves: [{ group: 'app-stage', topic: 'input', position: { to: 'latest' as const } }],
  changelogs: [changelog.name],
  givenAgain: [],
}

/** As kafkajs throws it: by itself, or as the cause once it has tried several times. */
const passing = () => Object.assign(new Error('This server does not host this topic-partition'), { retriable: true })
const exceeded = () => Object.assign(new Error('retries exceeded'), { retriable: false, cause: passing() })

/** Brokers that refuse the first two of these calls. */
function deploymentWith(refused: Call, error: () => Error): { deployment: Deployment; moved: unknown[] } {
  const topics = new Set([changelog.name, 'input'])
  const moved: unknown[] = []
  let refusals = 2
  const answer = (call: Call): void => {
    if (call === refused && refusals-- > 0) throw error()
  }
  const admin = {
    listTopics: async () => {
      answer('listTopics')
      return [...topics]
    },
    deleteTopics: async (given: { readonly topics: readonly string[] }) => {
      answer('deleteTopics')
      for (const name of given.topics) topics.delete(name)
    },
    createTopics: async (given: { readonly topics: readonly { readonly topic: string }[] }) => {
      answer('createTopics')
      for (const { topic } of given.topics) topics.add(topic)
    },
    fetchTopicOffsets: async () => {
      answer('fetchTopicOffsets')
      return [{ partition: 0, low: '3', high: '9', offset: '9' }]
    },
    setOffsets: async (given: unknown) => {
      answer('setOffsets')
      moved.push(given)
    },
  } as unknown as Admin
  return { deployment: { admin, desired: { topics: [changelog] } } as unknown as Deployment, moved }
}

test.each<Call>(['listTopics', 'deleteTopics', 'createTopics', 'fetchTopicOffsets', 'setOffsets'])(
  'behavior: %s that fails for what passes is tried again, and the reset comes to its end',
  async (call) => {
    for (const error of [passing, exceeded]) {
      const { deployment, moved } = deploymentWith(call, error)
      await executeReset(plan, deployment)
      expect(moved).toEqual([{ groupId: 'app-stage', topic: 'input', partitions: [{ partition: 0, offset: '9' }] }])
    }
  },
)

test('error: what does not pass ends it at once', async () => {
  const { deployment } = deploymentWith('deleteTopics', () => new Error('not authorized'))
  await expect(executeReset(plan, deployment)).rejects.toThrow('not authorized')
})
