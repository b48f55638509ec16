import { type ByteReader, corrupt } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { AbortedTransaction } from './read-committed.ts'
import type { KafkaRequest } from './request.ts'

/** The question about one partition. */
export interface FetchedFrom {
  readonly topic: string
  /** Id of the topic; needed from version 13 on. */
  readonly topicId?: string | undefined
  readonly partition: number
  readonly offset: number
  /** Epoch of the leader, as known here: a leader that has gone on, or is behind, refuses it. */
  readonly leaderEpoch?: number
  /** Epoch of the leader that wrote the record before `offset`. */
  readonly lastEpoch?: number
}

export interface FetchAnswer {
  /** Error of the request as a whole; 0 is none. Those of partitions are their own. */
  readonly errorCode: number
  readonly partitions: readonly PartitionAnswer[]
}

export interface PartitionAnswer {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  /** Behind everything written; -1 beside an error. */
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly abortedTransactions: readonly AbortedTransaction[]
  /** The records that were read before `offset` are not in this log: it has only this much of that epoch. */
  readonly divergence?: { readonly leaderEpoch: number; readonly endOffset: number }
  /** Record batches; the last may be cut off. */
  readonly records: Buffer
}

export interface FetchLimits {
  readonly maxWaitMs: number
  readonly maxBytesPerPartition: number
  /** Also what lies behind a transaction that is open. */
  readonly uncommitted?: boolean
}

const FETCH = 1
/** First version with ids of topics. */
const BY_ID = 13

/**
 * 11 is what brokers from 2.3 on speak, 12 (flexible) those from 2.7 on, both with names of topics. 13 (from 3.1 on) names
 * topics by their ids: what lies in a topic made anew is never taken for what was in the one before.
 */
const FETCH_VERSIONS = { oldest: 11, newestByName: 12, newest: BY_ID } as const

/** The newest version in which these can be asked for. @param offered by the brokers: API → its newest version */
export function fetchVersion(offered: ReadonlyMap<number, number>, from: readonly FetchedFrom[]): number {
  const { oldest, newestByName, newest } = FETCH_VERSIONS
  const known = from.every(({ topicId }) => topicId !== undefined)
  return Math.min(known ? newest : newestByName, offered.get(FETCH) ?? oldest)
}

const DIVERGENCE_TAG = 0
const CONSUMER = -1
const READ_UNCOMMITTED = 0
const READ_COMMITTED = 1
const NO_SESSION = 0
const SESSIONLESS_EPOCH = -1
const NO_EPOCH = -1
const NO_LOG_START = -1
/** Bytes of a whole answer: the partitions that it cuts off come first the next time. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
const EMPTY = Buffer.alloc(0)

/** Asks for records, committed ones if not said otherwise. Answers at once when a single byte is there, else after `maxWaitMs`. */
export function fetchRequest(
  apiVersion: number,
  from: readonly FetchedFrom[],
  limits: FetchLimits,
): KafkaRequest<FetchAnswer> {
  return {
    apiKey: FETCH,
    apiName: 'Fetch',
    apiVersion,
    flexible: apiVersion >= 12,
    encode: (writer) => encodeFetch(writer, from, limits, apiVersion >= BY_ID),
    decode: (reader) => decodeFetch(reader, apiVersion >= BY_ID ? namesOf(from) : undefined),
  }
}

/** Topic id → name. */
const namesOf = (from: readonly FetchedFrom[]): ReadonlyMap<string, string> =>
  new Map(from.map(({ topic, topicId }) => [topicId!, topic]))

function encodeFetch(writer: ByteWriter, from: readonly FetchedFrom[], limits: FetchLimits, byId: boolean): void {
  writer.int32(CONSUMER)
  writer.int32(limits.maxWaitMs)
  writer.int32(1) // bytes to wait for
  writer.int32(ANSWER_BYTES_MAX)
  writer.int8(limits.uncommitted ? READ_UNCOMMITTED : READ_COMMITTED)
  writer.int32(NO_SESSION)
  writer.int32(SESSIONLESS_EPOCH)
  writer.structures(byTopic(from), ([topic, partitions]) => {
    if (byId) writer.uuid(partitions[0]!.topicId!)
    else writer.string(topic)
    writer.structures(partitions, ({ partition, offset, leaderEpoch = NO_EPOCH, lastEpoch = NO_EPOCH }) => {
      writer.int32(partition)
      writer.int32(leaderEpoch)
      writer.int64(offset)
      if (writer.flexible) writer.int32(lastEpoch)
      writer.int64(NO_LOG_START)
      writer.int32(limits.maxBytesPerPartition)
    })
  })
  writer.array([], () => {}) // topics a session forgets
  writer.string('') // rack
  writer.endStructure()
}

/** Neighbours of one topic together; their order is kept, since the broker fills its answer in that order. */
function byTopic(from: readonly FetchedFrom[]): readonly (readonly [topic: string, FetchedFrom[]])[] {
  const topics: [string, FetchedFrom[]][] = []
  for (const one of from) {
    const last = topics.at(-1)
    if (last?.[0] === one.topic) last[1].push(one)
    else topics.push([one.topic, [one]])
  }
  return topics
}

/** @param names names of the topics by their ids, where they are answered so */
function decodeFetch(reader: ByteReader, names?: ReadonlyMap<string, string>): FetchAnswer {
  reader.throttle()
  const errorCode = reader.int16()
  reader.int32() // session
  const partitions: PartitionAnswer[] = []
  reader.array(() => {
    const topic = names ? nameOf(names, reader.uuid()) : reader.string()
    reader.array(() => partitions.push(decodePartition(reader, topic)))
    reader.endStructure()
  })
  reader.endStructure()
  return { errorCode, partitions }
}

function nameOf(names: ReadonlyMap<string, string>, id: string): string {
  const name = names.get(id)
  if (name === undefined) throw corrupt(`an answer for the topic with the id ${id}, which was not asked for`)
  return name
}

function decodePartition(reader: ByteReader, topic: string): PartitionAnswer {
  const partition = reader.int32()
  const errorCode = reader.int16()
  const highWatermark = reader.int64()
  const lastStableOffset = reader.int64()
  const logStartOffset = reader.int64()
  const abortedTransactions = reader.structures(() => ({
    producerId: reader.bigint64(),
    firstOffset: reader.int64(),
  }))
  reader.int32() // replica to read from rather
  const records = reader.nullableBytes() ?? EMPTY
  let divergence: PartitionAnswer['divergence']
  reader.endStructure((tag, value) => {
    if (tag === DIVERGENCE_TAG) divergence = { leaderEpoch: value.int32(), endOffset: value.int64() }
  })
  const offsets = { highWatermark, lastStableOffset, logStartOffset }
  const answer = { topic, partition, errorCode, ...offsets, abortedTransactions, records }
  return divergence === undefined ? answer : { ...answer, divergence }
}
