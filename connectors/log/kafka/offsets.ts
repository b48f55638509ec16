import type { CommittedOffset, FetchPosition, PartitionBounds, TopicPartition } from '../../../streams/ports.ts'
import { attempts } from './attempts.ts'
import type { KafkaCluster } from './cluster.ts'
import { Code, expectNoError, isStale } from './errors.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import { perLeader } from './per-leader.ts'
import { deleteRecords as deleteRequest } from './requests/delete-records.ts'
import { listOffsets } from './requests/list-offsets.ts'
import { type FetchedOffset, offsetFetch } from './requests/offset-fetch.ts'

/** How long a leader may be missing, or an offset unstable, before the caller hears of it. */
const OFFSETS_LIMIT_MS = 10_000

export async function bounds(
  cluster: KafkaCluster,
  partitions: readonly TopicPartition[],
): Promise<readonly PartitionBounds[]> {
  const options = { what: 'bounds', limitMs: OFFSETS_LIMIT_MS }
  const [starts, stables] = await Promise.all([
    perLeader(cluster, partitions, (asked) => listOffsets(asked, 'start'), options),
    perLeader(cluster, partitions, (asked) => listOffsets(asked, 'stable'), options),
  ])
  return partitions.map((_, at) => ({ start: starts[at]!.offset, stable: stables[at]!.offset }))
}

export async function ends(cluster: KafkaCluster, partitions: readonly TopicPartition[]): Promise<readonly number[]> {
  const options = { what: 'ends', limitMs: OFFSETS_LIMIT_MS }
  const found = await perLeader(cluster, partitions, (asked) => listOffsets(asked, 'end'), options)
  return found.map(({ offset }) => offset)
}

/** Waits for transactions that are being ended, so that what it returns does not change by itself. */
export async function committedOffsets(
  cluster: KafkaCluster,
  group: string,
  partitions: readonly TopicPartition[],
  epochs: LeaderEpochs,
): Promise<readonly (CommittedOffset | undefined)[]> {
  if (partitions.length === 0) return []
  const ask = async (): Promise<FetchedOffset[]> => {
    const coordinator = await cluster.coordinatorOf('group', group)
    const found = await cluster.send(coordinator, offsetFetch(group, partitions))
    for (const { topic, partition, errorCode } of found)
      expectNoError(errorCode, `offset of ${topic}/${partition} in group ${group}`)
    return found
  }
  const found = await attempts(cluster.limits(OFFSETS_LIMIT_MS), ask, (error) => {
    if (isStale(error, 'coordinator')) cluster.forgetCoordinator('group', group)
  })
  return partitions.map(({ topic, partition }) => {
    const one = found.find((offset) => offset.topic === topic && offset.partition === partition)
    if (one === undefined || one.offset < 0) return undefined
    epochs.committed(one, one.leaderEpoch)
    return { next: one.offset, metadata: one.metadata ?? '' }
  })
}

/** What the topic's policy forbids to delete is kept. */
export async function deleteRecords(cluster: KafkaCluster, before: readonly FetchPosition[]): Promise<void> {
  const { requestTimeoutMs } = cluster.settings
  const furthest = new Map<string, FetchPosition>()
  for (const position of before) {
    const name = `${position.topic}/${position.partition}`
    if (position.offset > (furthest.get(name)?.offset ?? -1)) furthest.set(name, position)
  }
  await perLeader(cluster, [...furthest.values()], (asked) => deleteRequest(asked, requestTimeoutMs), {
    what: 'deleting records',
    limitMs: OFFSETS_LIMIT_MS,
    accept: [Code.POLICY_VIOLATION],
  })
}
