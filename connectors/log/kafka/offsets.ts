import type { CommittedOffset, FetchPosition, PartitionBounds, TopicPartition } from '../../../streams/ports.ts'
import { attempts } from './attempts.ts'
import type { KafkaCluster } from './cluster.ts'
import { Code, expectNoError, isStale } from './errors.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import { perLeader } from './per-leader.ts'
import { deleteRecords as deleteRequest } from './requests/delete-records.ts'
import { listOffsets } from './requests/list-offsets.ts'
import { type FetchedOffset, offsetFetch } from './requests/offset-fetch.ts'

/** How long a leader may be missing before the caller hears of it. */
const OFFSETS_LIMIT_MS = 10_000
/** Beyond a transaction's own time: brokers look every 10 s for transactions that nobody ended. */
const ABORT_DELAY_MS = 15_000

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

/**
 * Waits for transactions that are being ended, each partition for its own: in a busy group there is always one. A process that
 * was killed leaves one open until the brokers abort it.
 */
export async function committedOffsets(
  cluster: KafkaCluster,
  group: string,
  partitions: readonly TopicPartition[],
  epochs: LeaderEpochs,
): Promise<readonly (CommittedOffset | undefined)[]> {
  const found = new Map<string, FetchedOffset>()
  const ask = async (): Promise<void> => {
    const missing = partitions.filter((at) => !found.has(nameOf(at)))
    if (missing.length === 0) return
    const coordinator = await cluster.coordinatorOf('group', group)
    const answer = await cluster.send(coordinator, offsetFetch(group, missing))
    for (const offset of answer) if (offset.errorCode === 0) found.set(nameOf(offset), offset)
    for (const { errorCode, ...at } of answer) expectNoError(errorCode, `offset of ${nameOf(at)} in group ${group}`)
  }
  const limits = cluster.limits(cluster.settings.transactionTimeoutMs + ABORT_DELAY_MS)
  await attempts(limits, ask, (error) => {
    if (isStale(error, 'coordinator')) cluster.forgetCoordinator('group', group)
  })
  return partitions.map((at) => {
    const one = found.get(nameOf(at))
    if (one === undefined || one.offset < 0) return undefined
    epochs.committed(one, one.leaderEpoch)
    return { next: one.offset, metadata: one.metadata ?? '' }
  })
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** A record that the topic's policy forbids to delete is kept. */
export async function deleteRecords(cluster: KafkaCluster, before: readonly FetchPosition[]): Promise<void> {
  const { requestTimeoutMs } = cluster.settings
  const furthest = new Map<string, FetchPosition>()
  for (const position of before) {
    const name = nameOf(position)
    if (position.offset > (furthest.get(name)?.offset ?? -1)) furthest.set(name, position)
  }
  await perLeader(cluster, [...furthest.values()], (asked) => deleteRequest(asked, requestTimeoutMs), {
    what: 'deleting records',
    limitMs: OFFSETS_LIMIT_MS,
    accept: [Code.POLICY_VIOLATION],
  })
}
