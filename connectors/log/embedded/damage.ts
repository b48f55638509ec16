import type { TopicConfig } from '../../../streams/ports.ts'
import type { EndMark } from './end-file.ts'
import type { LevelOperation, LevelRange } from './level-operation.ts'
import type { LevelStore } from './level-store.ts'
import {
  boundsRange,
  contentOf,
  FORMAT,
  formatKey,
  offsetRange,
  readBounds,
  readOffset,
  readSequence,
  readTopic,
  recordRange,
  type StoredBounds,
  type StoredTopic,
  sequenceKey,
  topicRange,
  whatOf,
} from './meta-rows.ts'
import { MetaSum } from './meta-sum.ts'
import { coversFrom, firstOffsetOf, isSound, lastOffsetOf, repackRow, rowKey } from './rows.ts'

const CHUNK_BYTES = 1024 * 1024

/** Records that are no longer there. */
export interface LostRange {
  readonly topic: string
  readonly partition: number
  readonly from: number
  /** Last offset that is lost. */
  readonly to: number
}

/** Everything in a log but the records, as far as it can be read. */
export interface LogContents {
  readonly format: number
  readonly sequence: number
  readonly topics: ReadonlyMap<number, TopicConfig>
  /** By `topic number/partition`. */
  readonly bounds: ReadonlyMap<string, StoredBounds & { readonly topicId: number; readonly partition: number }>
  readonly offsets: readonly ReturnType<typeof readOffset>[]
  /** The faults, unreadable or wrong, in words. */
  readonly faults: readonly string[]
}

/** Reads the rows beside the records, and tells of each that is not what was written, and of topics that have none. */
export async function readContents(
  store: LevelStore,
  end: EndMark | undefined,
  kept: readonly StoredTopic[],
): Promise<LogContents> {
  const written = Number((await store.get(formatKey))?.toString())
  const format = written === 1 ? 1 : FORMAT
  const faults: string[] = written >= 1 && written <= FORMAT ? [] : ['the format of the log cannot be read']
  const sum = new MetaSum()
  async function* contents(range: LevelRange): AsyncGenerator<[Buffer, Buffer]> {
    for await (const [key, value] of store.entries(range, CHUNK_BYTES))
      try {
        yield [key, format === 1 ? value : contentOf(key, value)]
        sum.add(key, value)
      } catch {
        faults.push(`${whatOf(key)} is damaged`)
      }
  }
  const topics = new Map<number, TopicConfig>()
  for await (const [, content] of contents(topicRange)) {
    const { id, config } = readTopic(content)
    topics.set(id, config)
  }
  for (const { id, config } of kept) {
    if (topics.has(id)) continue
    topics.set(id, config)
    faults.push(`the row of topic ${config.name} is missing`)
  }
  const bounds = new Map<string, ReturnType<typeof readBounds>>()
  for await (const [key, content] of contents(boundsRange)) {
    const row = readBounds(key, content)
    bounds.set(`${row.topicId}/${row.partition}`, row)
  }
  const offsets: ReturnType<typeof readOffset>[] = []
  for await (const [key, content] of contents(offsetRange)) offsets.push(readOffset(key, content))
  const stored = await sequenceOf(store, faults)
  const { sequence } = stored
  if (end && sequence < end.sequence)
    faults.push(`the log ends with write ${sequence}, and write ${end.sequence} was acknowledged`)
  if (format === FORMAT && faults.length === 0 && stored.sum !== sum.sum)
    faults.push('a write is missing: bounds or the offsets of groups are older than the last write')
  return { format, sequence, topics, bounds, offsets, faults }
}

async function sequenceOf(store: LevelStore, faults: string[]): Promise<ReturnType<typeof readSequence>> {
  try {
    return readSequence(await store.get(sequenceKey))
  } catch (error) {
    faults.push((error as Error).message)
    return { sequence: 0, sum: 0 }
  }
}

/** The rows of one partition against its bounds and against each other. */
export interface PartitionDamage {
  readonly topicId: number
  readonly partition: number
  readonly start: number
  readonly end: number
  readonly lost: readonly LostRange[]
  readonly damagedRows: number
  /** Operations that make a chain of the rows again: without the damaged rows, and with an empty row in the place of each lost one. */
  readonly repairs: readonly LevelOperation[]
}

/** Reads every row, one partition at a time. */
export async function* scanPartitions(
  store: LevelStore,
  contents: LogContents,
  end: EndMark | undefined,
): AsyncGenerator<PartitionDamage> {
  const ends = new Map(end?.ends.map((one) => [`${one.topicId}/${one.partition}`, one.end]))
  const places = new Set([...contents.bounds.keys(), ...ends.keys()])
  for await (const key of placesOfRows(store)) places.add(key)
  for (const place of places) {
    const [topicId, partition] = place.split('/').map(Number) as [number, number]
    const config = contents.topics.get(topicId)
    const bounds = contents.bounds.get(place)
    const known = Math.max(bounds?.end ?? -1, ends.get(place) ?? -1)
    const scan = new PartitionScan({
      topicId,
      partition,
      config,
      start: bounds?.start,
      knownEnd: known < 0 ? undefined : known,
    })
    const range = { gte: rowKey(topicId, partition, 0), lt: rowKey(topicId, partition + 1, 0) }
    for await (const [key, value] of store.entries(range, CHUNK_BYTES)) scan.take(key, value)
    yield scan.end()
  }
}

/** Topic number and partition of every row, each once: goes from place to place by seeking. */
async function* placesOfRows(store: LevelStore): AsyncGenerator<string> {
  let from = recordRange.gte
  for (;;) {
    const key = await store.firstKey({ gte: from, lt: recordRange.lt })
    if (key === undefined) return
    const [topicId, partition] = [key.readUInt32BE(1), key.readUInt32BE(5)]
    yield `${topicId}/${partition}`
    from = rowKey(topicId, partition + 1, 0)
  }
}

/** A partition, and its bounds as far as the other rows know them. */
interface ScannedPartition {
  readonly topicId: number
  readonly partition: number
  readonly config: TopicConfig | undefined
  readonly start: number | undefined
  readonly knownEnd: number | undefined
}

class PartitionScan {
  private readonly topicId: number
  private readonly partition: number
  private readonly config: TopicConfig | undefined
  private readonly knownEnd: number | undefined
  private start: number | undefined
  /** First offset that no row covers so far; undefined before the first row of a partition whose start is not known. */
  private covered: number | undefined
  private damagedRows = 0
  private readonly lost: LostRange[] = []
  private readonly repairs: LevelOperation[] = []

  constructor({ topicId, partition, config, start, knownEnd }: ScannedPartition) {
    this.topicId = topicId
    this.partition = partition
    this.config = config
    this.start = start
    this.covered = start
    this.knownEnd = knownEnd
  }

  take(key: Buffer, value: Buffer): void {
    if (!isSound(key, value)) {
      this.damagedRows++
      this.repairs.push({ type: 'del', key })
      return
    }
    const last = lastOffsetOf(key)
    if (last < (this.start ?? 0)) return // waits to be cleared
    const covers = this.coversOf(value)
    this.start ??= covers
    this.covered ??= covers
    // Left of a transaction that a crash cut short.
    if (covers >= (this.knownEnd ?? Number.POSITIVE_INFINITY)) this.repairs.push({ type: 'del', key })
    else {
      if (covers > this.covered) this.lose(this.covered, covers - 1)
      this.covered = last + 1
    }
  }

  end(): PartitionDamage {
    const end = Math.max(this.knownEnd ?? 0, this.covered ?? 0)
    const start = this.start ?? 0
    const covered = this.covered ?? start
    if (covered < end) this.lose(covered, end - 1)
    const { topicId, partition, lost, damagedRows, repairs } = this
    return { topicId, partition, start, end, lost, damagedRows, repairs }
  }

  /** Rows of format 1 do not tell; in a topic that is not compacted they begin with their first record. */
  private coversOf(value: Buffer): number {
    const covered = this.covered ?? firstOffsetOf(value)
    return coversFrom(value) ?? (this.config?.cleanup === 'delete' ? Math.max(covered, firstOffsetOf(value)) : covered)
  }

  private lose(from: number, to: number): void {
    const topic = this.config?.name ?? `topic number ${this.topicId}`
    this.lost.push({ topic, partition: this.partition, from, to })
    this.repairs.push({ type: 'put', ...repackRow(rowKey(this.topicId, this.partition, to), [], from) })
  }
}
