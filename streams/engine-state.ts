import type { LogRecord, OutgoingRecord } from './ports.ts'
import { UnreadableError } from './read-record.ts'
import type { StateStore } from './state.ts'

/** Counts of data records per partition with the XOR of the CRC-32 of their values; for an alignment also who was seen. */
export class Tally {
  readonly key: string
  readonly counts: number[]
  readonly checksums: number[]
  readonly seen: number[]
  dirty = false
  /** True when the changelog knows the entry. */
  logged = false

  constructor(key: string, counts: number[], checksums: number[], seen: number[]) {
    this.key = key
    this.counts = counts
    this.checksums = checksums
    this.seen = seen
  }
}

const OFFSETS_KEY = 'offsets'
const TOPICS_KEY = 'topics'

interface TallyRow {
  readonly counts: number[]
  readonly checksums: number[]
  readonly seen: number[]
}

/**
 * The memory of the engine about a task, in the same transaction as everything else: the offsets processed, the markers that have
 * not come from every sender yet, and the counts of the records sent and received within a scope. Its rows change in place, so
 * that counting a record is no lookup; JSON rows, one per changed key and burst.
 */
export class EngineState implements StateStore {
  readonly name: string
  readonly changelog: string
  /** Next offset to process per source topic, as of the last seal or restore. */
  offsets: Readonly<Record<string, number>> | undefined
  /** Ids of the topics that those belong to, as far as the changelog says. */
  topicIds: Readonly<Record<string, string>> = {}
  /** Offset behind the last changelog record known. */
  end = 0
  private topicsChanged = false
  private readonly rows = new Map<string, Tally>()
  private dirty: Tally[] = []
  private readonly dropped = new Set<string>()
  private sealed = 0

  constructor(name: string, changelog: string) {
    this.name = name
    this.changelog = changelog
  }

  get rowCount(): number {
    return this.rows.size
  }

  find(key: string): Tally | undefined {
    return this.rows.get(key)
  }

  findOrCreate(key: string, partitions: number): Tally {
    const found = this.rows.get(key)
    if (found) return found
    const created = new Tally(key, new Array<number>(partitions).fill(0), new Array<number>(partitions).fill(0), [])
    created.logged = this.dropped.delete(key)
    this.rows.set(key, created)
    return created
  }

  add(tally: Tally, partition: number, count: number, checksum: number): void {
    tally.counts[partition]! += count
    tally.checksums[partition] = (tally.checksums[partition]! ^ checksum) >>> 0
    this.touch(tally)
  }

  touch(tally: Tally): void {
    if (tally.dirty) return
    tally.dirty = true
    this.dirty.push(tally)
  }

  drop(tally: Tally): void {
    this.rows.delete(tally.key)
    tally.dirty = false
    if (tally.logged) this.dropped.add(tally.key)
  }

  restsOn(topicIds: Readonly<Record<string, string>>): void {
    const names = Object.keys({ ...topicIds, ...this.topicIds })
    if (names.every((name) => topicIds[name] === this.topicIds[name])) return
    this.topicIds = topicIds
    this.topicsChanged = true
  }

  seal(records: OutgoingRecord[], partition: number, timestamp: number): void {
    const topic = this.changelog
    const before = records.length
    const write = (key: string, value: object | null): void => {
      const bytes = value === null ? null : Buffer.from(JSON.stringify(value))
      records.push({ topic, partition, timestamp, key: Buffer.from(key), value: bytes })
    }
    for (const key of this.dropped) write(key, null)
    for (const tally of this.dirty) {
      if (!tally.dirty) continue // dropped since
      tally.dirty = false
      tally.logged = true
      const { counts, checksums, seen } = tally
      write(tally.key, { counts, checksums, seen })
    }
    if (this.topicsChanged) write(TOPICS_KEY, this.topicIds)
    this.topicsChanged = false
    write(OFFSETS_KEY, this.offsets ?? {})
    this.dropped.clear()
    this.dirty = []
    this.sealed = records.length - before
  }

  committed(baseOffset: number | undefined): void {
    if (baseOffset !== undefined) this.end = baseOffset + this.sealed
  }

  /** The offsets in a record of this changelog; undefined when it holds something else. */
  offsetsOf({ key, value }: LogRecord): Readonly<Record<string, number>> | undefined {
    if (value === null || key === null || Buffer.from(key).toString() !== OFFSETS_KEY) return undefined
    return rowIn(value) as Record<string, number>
  }

  restore({ key, value, offset }: LogRecord): void {
    this.end = offset + 1
    const name = Buffer.from(key!).toString()
    if (value === null) return void this.rows.delete(name)
    const row = rowIn(value)
    if (name === OFFSETS_KEY) {
      this.offsets = row as Record<string, number>
      return
    }
    if (name === TOPICS_KEY) {
      this.topicIds = row as Record<string, string>
      return
    }
    const { counts, checksums, seen } = row as TallyRow
    if (![counts, checksums, seen].every(Array.isArray)) throw new UnreadableError('undecodable', 'no row of counts')
    const tally = new Tally(name, counts, checksums, seen)
    tally.logged = true
    this.rows.set(name, tally)
  }

  clear(): void {
    this.rows.clear()
    this.offsets = undefined
    this.topicIds = {}
    this.end = 0
  }

  purgeBefore(): number {
    return 0
  }
}

/** @throws UnreadableError: every release writes JSON here */
function rowIn(value: Uint8Array): object {
  let row: unknown
  try {
    row = JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString())
  } catch (error) {
    throw new UnreadableError('undecodable', `no JSON: ${value.length} bytes`, error)
  }
  if (typeof row !== 'object' || row === null) throw new UnreadableError('undecodable', 'no JSON object')
  return row
}
