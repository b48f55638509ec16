/** The transactions that are open in partitions and hold back their readers, as far as the brokers tell. */
import type { TopicPartition } from '../../../streams/ports.ts'
import type { KafkaCluster } from './cluster.ts'
import { expectNoError } from './errors.ts'
import { perLeader } from './per-leader.ts'
import {
  type DescribedTransaction,
  describeProducers,
  describeTransactions,
  listTransactions,
} from './requests/transactions.ts'

const LIMIT_MS = 10_000
const DESCRIBE_PRODUCERS = 61

export interface OpenTransaction extends TopicPartition {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** -1 before its producer has ended a transaction in the partition. */
  readonly coordinatorEpoch: number
  /** Readers get nothing from this offset on. */
  readonly startOffset: number
  /** When its last record was written, ms, by its producer's clock. */
  readonly lastTimestamp: number
  /** Undefined where no coordinator knows it, or the asker has no right to see it. */
  readonly transactionalId: string | undefined
  readonly state: string | undefined
  /** After so long the broker ends it. */
  readonly timeoutMs: number | undefined
  /** Ms since 1970. */
  readonly startedAt: number | undefined
  /** Whether a coordinator is to end it; it hangs where none is. Undefined while a broker does not answer. */
  readonly isCoordinated: boolean | undefined
}

/** The oldest of each partition; undefined where brokers are too old to tell. */
export async function openTransactions(
  cluster: KafkaCluster,
  partitions: readonly TopicPartition[],
): Promise<readonly OpenTransaction[] | undefined> {
  if (!cluster.versions.newest.has(DESCRIBE_PRODUCERS)) return undefined
  const options = { what: 'open transactions', limitMs: LIMIT_MS }
  const described = await perLeader(cluster, partitions, describeProducers, options)
  const oldest = described.flatMap(({ topic, partition, producers }) => {
    const open = producers.filter(({ startOffset }) => startOffset >= 0)
    const first = open.toSorted((a, b) => a.startOffset - b.startOffset)[0]
    return first ? [{ topic, partition, ...first }] : []
  })
  const { known, all } = await coordinated(cluster, [...new Set(oldest.map(({ producerId }) => producerId))])
  return oldest.map((one) => {
    const transaction = known.get(one.producerId)
    const { transactionalId, state, timeoutMs, startedAt } = transaction ?? NOT_KNOWN
    const isCoordinated = transaction ? isUnderWay(transaction, one) : all ? false : undefined
    // the coordinator tells of the newest transaction: of one that hangs here it knows no beginning
    const began = isCoordinated && startedAt !== -1 ? startedAt : undefined
    return { ...one, transactionalId, state, timeoutMs, startedAt: began, isCoordinated }
  })
}

const NOT_KNOWN = { transactionalId: undefined, state: undefined, timeoutMs: undefined, startedAt: undefined }
/** States of a transaction in which its coordinator is to write its end, now or after the time-out. */
const UNDER_WAY = new Set(['Ongoing', 'PrepareCommit', 'PrepareAbort', 'PrepareEpochFence'])

const isUnderWay = ({ state, partitions }: DescribedTransaction, { topic, partition }: TopicPartition): boolean =>
  UNDER_WAY.has(state) && partitions.some((one) => one.topic === topic && one.partition === partition)

interface Coordinated {
  readonly known: ReadonlyMap<bigint, DescribedTransaction>
  /** Every broker has answered. */
  readonly all: boolean
}

/** Each broker knows the transactions that it coordinates. */
async function coordinated(cluster: KafkaCluster, producerIds: readonly bigint[]): Promise<Coordinated> {
  const known = new Map<bigint, DescribedTransaction>()
  if (producerIds.length === 0) return { known, all: true }
  const ask = async (nodeId: number): Promise<void> => {
    const listed = await cluster.send(nodeId, listTransactions(producerIds))
    if (listed.length === 0) return
    const ids = listed.map(({ transactionalId }) => transactionalId)
    for (const described of await cluster.send(nodeId, describeTransactions(ids))) {
      const one = listed.find(({ transactionalId }) => transactionalId === described.transactionalId)
      if (!one) continue
      expectNoError(described.errorCode, `transaction ${described.transactionalId}`)
      known.set(one.producerId, described)
    }
  }
  const asked = await Promise.allSettled(cluster.nodeIds.map(ask)) // an unanswered broker leaves its transactions unnamed
  return { known, all: asked.every(({ status }) => status === 'fulfilled') }
}
