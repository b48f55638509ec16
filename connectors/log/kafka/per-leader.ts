import { LogError, type TopicPartition } from '../../../streams/ports.ts'
import { attempts } from './attempts.ts'
import type { KafkaCluster } from './cluster.ts'
import { isStale, KafkaRefusal } from './errors.ts'
import type { KafkaRequest } from './request.ts'
import type { PartitionResult } from './requests/by-topic.ts'

export interface PerLeaderOptions {
  readonly what: string
  readonly limitMs: number
  readonly lane?: string
  /** Errors that are an answer too. */
  readonly accept?: readonly number[]
}

/**
 * Asks the leader of each partition, each broker once, and again for the partitions that were refused for a while. Only for
 * what may be asked twice.
 * @param items at most one for each partition
 * @returns an answer for each item, in their order
 */
export async function perLeader<I extends TopicPartition, R extends PartitionResult>(
  cluster: KafkaCluster,
  items: readonly I[],
  request: (items: readonly I[]) => KafkaRequest<R[]>,
  { what, limitMs, lane, accept = [] }: PerLeaderOptions,
): Promise<R[]> {
  const answers = new Map<string, R>()
  const ask = async (nodeId: number, asked: readonly I[]): Promise<void> => {
    let refused: R | undefined
    for (const answer of await cluster.send(nodeId, request(asked), lane)) {
      if (answer.errorCode === 0 || accept.includes(answer.errorCode)) answers.set(nameOf(answer), answer)
      else refused ??= answer
    }
    if (refused) throw new KafkaRefusal(refused.errorCode, `${what} of ${nameOf(refused)}`, refused.message)
  }
  const step = async (): Promise<void> => {
    const missing = items.filter((item) => !answers.has(nameOf(item)))
    const leaders = await groupByLeader(cluster, missing)
    const results = await Promise.allSettled([...leaders].map(([nodeId, asked]) => ask(nodeId, asked)))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
  const forget = (error: LogError): void => {
    if (isStale(error, 'leader')) for (const { topic } of items) cluster.forgetLeaders(topic)
  }
  await attempts(cluster.limits(limitMs), step, forget)
  return items.map((item) => answers.get(nameOf(item)) ?? missingAnswer(what, item))
}

/** @throws LogError `UNKNOWN_TOPIC`, `UNKNOWN_PARTITION`, `LEADER_NOT_AVAILABLE` */
export async function groupByLeader<I extends TopicPartition>(
  cluster: KafkaCluster,
  items: readonly I[],
): Promise<Map<number, I[]>> {
  const leaders = new Map<number, I[]>()
  for (const item of items) {
    const nodeId = cluster.knownLeader(item) ?? (await cluster.leaderOf(item))
    const group = leaders.get(nodeId)
    if (group === undefined) leaders.set(nodeId, [item])
    else group.push(item)
  }
  return leaders
}

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

function missingAnswer(what: string, item: TopicPartition): never {
  throw new LogError('CORRUPT', `${what}: no answer for ${nameOf(item)}`)
}
