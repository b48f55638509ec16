/** How a transaction that hangs in one partition ended in others, and the writing of the end that it lacks (KIP-664, KIP-890). */
import type { TopicPartition } from '../../../streams/ports.ts'
import type { KafkaCluster } from './cluster.ts'
import { Code, expectNoError } from './errors.ts'
import { fetchRequest, fetchVersion } from './fetch-request.ts'
import type { OpenTransaction } from './open-transactions.ts'
import { nameOf, perLeader } from './per-leader.ts'
import { endIn, isDamaged, isOld, producerEpochOf, readBatches } from './record-batch-read.ts'
import { listOffsets } from './requests/list-offsets.ts'
import { describeProducers, type EndMarker, writeTxnMarkers } from './requests/transactions.ts'

const LIMIT_MS = 10_000
const ANSWER_BYTES_MAX = 4 * 1024 * 1024
/** Bytes of one partition that are looked through; a busy partition has them in minutes. */
const SEARCHED_BYTES_MAX = 512 * 1024 * 1024
/** Clocks of producers and brokers differ; the search begins so much before the last record of the transaction. */
const BEFORE_MS = 600_000
/** Brokers wait this long for more; there is more already. */
const WAIT_MS = 100

/** An end of one of its producer's transactions that a partition has. */
export interface FoundEnd extends TopicPartition {
  readonly offset: number
  readonly end: EndMarker['end']
  /** Whether its epoch is the next one: brokers give each transaction an epoch of its own since transactions version 2. */
  readonly isNextEpoch: boolean
}

export interface EndSearch {
  readonly ends: readonly FoundEnd[]
  /** Partitions that may have more, each with the reason. */
  readonly unsearched: readonly string[]
}

/**
 * Looks for ends of the producer's transactions, of the epoch of this one or the next, in partitions that remember the producer.
 * @param partitions all that the transaction may have written to
 * @throws LogError
 */
export async function searchEnds(
  cluster: KafkaCluster,
  transaction: OpenTransaction,
  partitions: readonly TopicPartition[],
): Promise<EndSearch> {
  const { producerId, lastTimestamp } = transaction
  const others = partitions.filter(
    ({ topic, partition }) => topic !== transaction.topic || partition !== transaction.partition,
  )
  const options = { what: 'producers', limitMs: LIMIT_MS, accept: [Code.TOPIC_AUTHORIZATION_FAILED] }
  const described = await perLeader(cluster, others, describeProducers, options)
  const unsearched = described
    .filter(({ errorCode }) => errorCode !== 0)
    .map((one) => `${nameOf(one)} (no right to read it)`)
  const written = described.filter(({ producers }) => producers.some((one) => one.producerId === producerId))
  const since = Math.max(0, lastTimestamp - BEFORE_MS)
  const limits = { what: 'offsets by time', limitMs: LIMIT_MS }
  const [froms, tos] = await Promise.all([
    perLeader(cluster, written, (asked) => listOffsets(asked, { since }), limits),
    perLeader(cluster, written, (asked) => listOffsets(asked, 'end'), limits),
  ])
  const ends: FoundEnd[] = []
  for (const [at, one] of written.entries()) {
    const from = froms[at]!.offset
    if (from < 0) continue // nothing is that new
    const why = await searchPartition(cluster, { ...one, from, to: tos[at]!.offset }, transaction, ends)
    if (why !== undefined) unsearched.push(`${nameOf(one)} (${why})`)
  }
  return { ends, unsearched }
}

interface SearchedPartition extends TopicPartition {
  readonly from: number
  /** Behind the last offset. */
  readonly to: number
}

/** @returns why it is not looked through to its end */
async function searchPartition(
  cluster: KafkaCluster,
  { topic, partition, from, to }: SearchedPartition,
  { producerId, producerEpoch }: OpenTransaction,
  into: FoundEnd[],
): Promise<string | undefined> {
  let bytes = 0
  for (let offset = from; offset < to; ) {
    const records = await fetchAll(cluster, { topic, partition, offset })
    bytes += records.length
    const before = offset
    for (const batch of readBatches(records)) {
      if (isDamaged(batch)) return batch.error.message
      offset = batch.lastOffset + 1
      if (isOld(batch) || batch.producerId !== producerId) continue
      const end = endIn(batch)
      const ahead = producerEpochOf(batch) - producerEpoch
      if (end && (ahead === 0 || ahead === 1))
        into.push({ topic, partition, offset: batch.baseOffset, end, isNextEpoch: ahead === 1 })
    }
    if (offset === before) return `nothing to be had from offset ${offset} on`
    if (bytes > SEARCHED_BYTES_MAX) return `more than ${SEARCHED_BYTES_MAX / 2 ** 20} MiB`
  }
  return undefined
}

async function fetchAll(cluster: KafkaCluster, at: TopicPartition & { readonly offset: number }): Promise<Buffer> {
  const limits = { maxWaitMs: WAIT_MS, maxBytesPerPartition: ANSWER_BYTES_MAX, uncommitted: true }
  const request = fetchRequest(fetchVersion(cluster.versions.newest, [at]), [at], limits)
  const { errorCode, partitions } = await cluster.send(await cluster.leaderOf(at), request)
  expectNoError(errorCode, `reading ${nameOf(at)}`)
  expectNoError(partitions[0]!.errorCode, `reading ${nameOf(at)}`)
  return partitions[0]!.records
}

/** Writes the end that a transaction lacks in its partition. Not tried twice. @throws LogError */
export async function writeEnd(
  cluster: KafkaCluster,
  { topic, partition, producerId, producerEpoch, coordinatorEpoch }: OpenTransaction,
  end: EndMarker['end'],
): Promise<void> {
  const marker = { producerId, producerEpoch, coordinatorEpoch: Math.max(0, coordinatorEpoch), end }
  const leader = await cluster.leaderOf({ topic, partition })
  for (const { errorCode } of await cluster.send(leader, writeTxnMarkers(marker, [{ topic, partition }])))
    expectNoError(errorCode, `the end of a transaction in ${nameOf({ topic, partition })}`)
}
