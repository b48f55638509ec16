import { LogError, type OffsetCommit, type TopicConfig } from '../../streams/ports.ts'
import type { LevelOperation, LevelRange } from './level-store.ts'
import { rowKey } from './rows.ts'

/**
 * The rows beside the records: `f` format, `q` number of the last write, `t` topics, `b` bounds of partitions, `o` committed
 * offsets. The format number goes up whenever an older program would read a row wrongly.
 */
export const FORMAT = 1

export interface StoredTopic {
  readonly id: number
  readonly config: TopicConfig
}

/** Bounds of a partition and how far compaction has come: below `clean` each key stood once among `kept` records. */
export interface StoredBounds {
  readonly start: number
  readonly end: number
  readonly clean: number
  readonly kept: number
}

export const formatKey = Buffer.from('f')
export const sequenceKey = Buffer.from('q')
export const topicRange: LevelRange = { gte: Buffer.from('t'), lt: Buffer.from('u') }
export const boundsRange: LevelRange = { gte: Buffer.from('b'), lt: Buffer.from('c') }
export const offsetRange: LevelRange = { gte: Buffer.from('o'), lt: Buffer.from('p') }

export function putFormat(): LevelOperation {
  return { type: 'put', key: formatKey, value: Buffer.from(String(FORMAT)) }
}

/** @throws LogError `FORMAT_NEWER` */
export function checkFormat(value: Buffer, directory: string): void {
  const format = Number(value.toString())
  if (format === FORMAT) return
  const message = `the log in ${directory} has format ${value.toString()}, this program reads up to ${FORMAT}`
  throw new LogError('FORMAT_NEWER', `${message}: use the program that wrote it, or a newer one`)
}

export function putSequence(sequence: number): LevelOperation {
  return { type: 'put', key: sequenceKey, value: doubles(sequence) }
}

export function readSequence(value: Buffer | undefined): number {
  return value?.readDoubleLE(0) ?? 0
}

export function putTopic(topic: StoredTopic): LevelOperation {
  return { type: 'put', key: Buffer.from(`t${topic.config.name}`), value: Buffer.from(JSON.stringify(topic)) }
}

export function readTopic(value: Buffer): StoredTopic {
  return JSON.parse(value.toString()) as StoredTopic
}

export function putBounds(topicId: number, partition: number, bounds: StoredBounds): LevelOperation {
  const key = Buffer.allocUnsafe(9)
  key.write('b')
  key.writeUInt32BE(topicId, 1)
  key.writeUInt32BE(partition, 5)
  return { type: 'put', key, value: doubles(bounds.start, bounds.end, bounds.clean, bounds.kept) }
}

export function readBounds(key: Buffer, value: Buffer): StoredBounds & { topicId: number; partition: number } {
  return {
    topicId: key.readUInt32BE(1),
    partition: key.readUInt32BE(5),
    start: value.readDoubleLE(0),
    end: value.readDoubleLE(8),
    clean: value.readDoubleLE(16),
    kept: value.readDoubleLE(24),
  }
}

export function putOffset(group: string, topicId: number, { partition, next, metadata }: OffsetCommit): LevelOperation {
  const name = Buffer.from(group)
  const key = Buffer.allocUnsafe(9 + name.length)
  key.write('o')
  key.writeUInt32BE(topicId, 1)
  key.writeUInt32BE(partition, 5)
  name.copy(key, 9)
  return { type: 'put', key, value: Buffer.concat([doubles(next), Buffer.from(metadata)]) }
}

export function readOffset(key: Buffer, value: Buffer) {
  return {
    topicId: key.readUInt32BE(1),
    partition: key.readUInt32BE(5),
    group: key.toString('utf8', 9),
    next: value.readDoubleLE(0),
    metadata: value.toString('utf8', 8),
  }
}

/** The rows of a partition whose last offset lies in [from, to). */
export function rowRange(topicId: number, partition: number, from: number, to: number): LevelRange {
  return { gte: rowKey(topicId, partition, from), lt: rowKey(topicId, partition, to) }
}

function doubles(...values: readonly number[]): Buffer {
  const buffer = Buffer.allocUnsafe(values.length * 8)
  values.forEach((value, index) => {
    buffer.writeDoubleLE(value, index * 8)
  })
  return buffer
}
