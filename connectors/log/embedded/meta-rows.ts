import { crc32 } from 'node:zlib'
import { LogError, type OffsetCommit, type TopicConfig } from '../../../streams/ports.ts'
import type { LevelOperation, LevelRange } from './level-operation.ts'
import { rowKey } from './rows.ts'

/**
 * The rows beside the records: `f` format, `q` number of the last write, `n` the time of retention, `t` topics, `b` bounds of partitions, `o` committed
 * offsets. All but `f` end with the CRC-32 of their key and content. The format number goes up whenever an older program
 * would read a row wrongly. Format 1 had no checksums there, no sum in `q`, and no chain in the rows of records.
 */
export const FORMAT = 2

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

/** The number of the last write, and the sum of all topics, bounds and offsets after it (see MetaSum). */
export interface StoredSequence {
  readonly sequence: number
  readonly sum: number
}

export const formatKey = Buffer.from('f')
export const sequenceKey = Buffer.from('q')
export const timeKey = Buffer.from('n')
export const topicRange: LevelRange = { gte: Buffer.from('t'), lt: Buffer.from('u') }
export const boundsRange: LevelRange = { gte: Buffer.from('b'), lt: Buffer.from('c') }
export const offsetRange: LevelRange = { gte: Buffer.from('o'), lt: Buffer.from('p') }
export const recordRange: LevelRange = { gte: Buffer.from('r'), lt: Buffer.from('s') }

const CHECKSUM_BYTES = 4
const SEQUENCE_BYTES_V1 = 8

export function putFormat(): LevelOperation {
  return { type: 'put', key: formatKey, value: Buffer.from(String(FORMAT)) }
}

/** @throws LogError `FORMAT_NEWER`, `CORRUPT` */
export function readFormat(value: Buffer, directory: string): number {
  const format = Number(value.toString())
  if (format >= 1 && format <= FORMAT) return format
  if (!(format > FORMAT)) throw new LogError('CORRUPT', `the log in ${directory} is damaged: its format cannot be read`)
  const message = `the log in ${directory} has format ${value.toString()}, this program reads up to ${FORMAT}`
  throw new LogError('FORMAT_NEWER', `${message}: use the program that wrote it, or a newer one`)
}

export function putSequence({ sequence, sum }: StoredSequence): LevelOperation {
  return put(sequenceKey, doubles(sequence, sum))
}

/** @param value as it lies there @throws LogError `CORRUPT` */
export function readSequence(value: Buffer | undefined): StoredSequence {
  if (value === undefined) return { sequence: 0, sum: 0 }
  if (value.length === SEQUENCE_BYTES_V1) return { sequence: value.readDoubleLE(0), sum: 0 }
  const content = contentOf(sequenceKey, value)
  return { sequence: content.readDoubleLE(0), sum: content.readDoubleLE(8) }
}

/** @param time ms since 1970 */
export function putTime(time: number): LevelOperation {
  return put(timeKey, doubles(time))
}

/** Undefined where there is none that can be read; it decides only what is old. */
export function readTime(value: Buffer | undefined): number | undefined {
  return value && isSoundMeta(timeKey, value) ? value.readDoubleLE(0) : undefined
}

export function putTopic(topic: StoredTopic): LevelOperation {
  return put(Buffer.from(`t${topic.config.name}`), Buffer.from(JSON.stringify(topic)))
}

export function readTopic(content: Buffer): StoredTopic {
  return JSON.parse(content.toString()) as StoredTopic
}

export function putBounds(topicId: number, partition: number, bounds: StoredBounds): LevelOperation {
  const key = Buffer.allocUnsafe(9)
  key.write('b')
  key.writeUInt32BE(topicId, 1)
  key.writeUInt32BE(partition, 5)
  return put(key, doubles(bounds.start, bounds.end, bounds.clean, bounds.kept))
}

export function readBounds(key: Buffer, content: Buffer): StoredBounds & { topicId: number; partition: number } {
  return {
    topicId: key.readUInt32BE(1),
    partition: key.readUInt32BE(5),
    start: content.readDoubleLE(0),
    end: content.readDoubleLE(8),
    clean: content.readDoubleLE(16),
    kept: content.readDoubleLE(24),
  }
}

export function putOffset(group: string, topicId: number, { partition, next, metadata }: OffsetCommit): LevelOperation {
  const name = Buffer.from(group)
  const key = Buffer.allocUnsafe(9 + name.length)
  key.write('o')
  key.writeUInt32BE(topicId, 1)
  key.writeUInt32BE(partition, 5)
  name.copy(key, 9)
  return put(key, Buffer.concat([doubles(next), Buffer.from(metadata)]))
}

export function readOffset(key: Buffer, content: Buffer) {
  return {
    topicId: key.readUInt32BE(1),
    partition: key.readUInt32BE(5),
    group: key.toString('utf8', 9),
    next: content.readDoubleLE(0),
    metadata: content.toString('utf8', 8),
  }
}

/** Whether a row of this kind is still what was written under this key. */
function isSoundMeta(key: Buffer, value: Buffer): boolean {
  const end = value.length - CHECKSUM_BYTES
  return end >= 0 && value.readUInt32LE(end) === crc32(value.subarray(0, end), crc32(key))
}

/** The content of such a row, without its checksum. @throws LogError `CORRUPT` */
export function contentOf(key: Buffer, value: Buffer): Buffer {
  if (isSoundMeta(key, value)) return value.subarray(0, value.length - CHECKSUM_BYTES)
  throw new LogError('CORRUPT', `${whatOf(key)} is damaged (its checksum differs)`)
}

/** The kind of a row beside the records, in words. */
export function whatOf(key: Buffer): string {
  switch (key.toString('latin1', 0, 1)) {
    case 't':
      return `the row of topic ${key.toString('utf8', 1)}`
    case 'b':
      return key.length === 9
        ? `the bounds of partition ${key.readUInt32BE(5)} of topic number ${key.readUInt32BE(1)}`
        : 'a row of bounds'
    case 'o':
      return key.length > 9 ? `an offset of group ${key.toString('utf8', 9)}` : 'a row of offsets'
    case 'q':
      return 'the number of the last write'
    default:
      return 'a row of no known kind'
  }
}

/** The rows of a partition whose last offset lies in [from, to). */
export function rowRange(topicId: number, partition: number, from: number, to: number): LevelRange {
  return { gte: rowKey(topicId, partition, from), lt: rowKey(topicId, partition, to) }
}

function put(key: Buffer, content: Buffer): LevelOperation {
  const value = Buffer.allocUnsafe(content.length + CHECKSUM_BYTES)
  content.copy(value)
  value.writeUInt32LE(crc32(content, crc32(key)), content.length)
  return { type: 'put', key, value }
}

function doubles(...values: readonly number[]): Buffer {
  const buffer = Buffer.allocUnsafe(values.length * 8)
  values.forEach((value, index) => {
    buffer.writeDoubleLE(value, index * 8)
  })
  return buffer
}
