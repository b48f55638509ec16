import { copyFile, link, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { LogError } from '../../../streams/ports.ts'
import { type LogContents, type LostRange, type PartitionDamage, readContents, scanPartitions } from './damage.ts'
import { EndFile, type EndMark } from './end-file.ts'
import type { LevelOperation } from './level-operation.ts'
import { LevelStore } from './level-store.ts'
import { inspectFiles } from './leveldb/inspect.ts'
import { soundPart } from './leveldb/table.ts'
import type { FileFault } from './leveldb/write-logs.ts'
import {
  boundsRange,
  offsetRange,
  putBounds,
  putFormat,
  putOffset,
  putSequence,
  putTopic,
  readSequence,
  rowRange,
  sequenceKey,
  topicRange,
} from './meta-rows.ts'
import { MetaSum } from './meta-sum.ts'
import { readKeptTopics } from './topics-file.ts'

/** The faults of a log, and the losses. */
export interface LogDamage {
  readonly directory: string
  readonly files: readonly FileFault[]
  /** The faults beside the records: topics, bounds, offsets of groups. */
  readonly others: readonly string[]
  readonly lost: readonly LostRange[]
  /** Rows of records whose checksum differs; what they held is among `lost`. */
  readonly damagedRows: number
  readonly partitions: number
}

/** The effect of a repair. */
export interface LogRepair extends LogDamage {
  /** The place where the damaged log is kept. */
  readonly keptAs: string
}

const OWNER_ONLY = 0o700
const OPERATIONS_PER_WRITE = 1_000

export const isWhole = ({ files, others, lost, damagedRows }: LogDamage): boolean =>
  files.length + others.length + lost.length + damagedRows === 0

/**
 * Reads a whole log, every row of it, and says what is damaged and what is lost. Works on a copy (of tables, which LevelDB
 * never changes, a hard link), so that nothing in the directory changes.
 * @throws LogError `NOT_FOUND`, `LOCKED`
 */
export async function checkLog(directory: string): Promise<LogDamage> {
  const copy = `${directory}.check-${process.pid}`
  try {
    const { damage, store } = await examine(directory, copy)
    await store.close()
    return damage
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

/**
 * Makes a log of what is left, and puts it in the place of the damaged one, which is kept beside it. A lost record leaves an
 * empty range: no offset is given a second time.
 * @param tell told of the damage before anything changes; what it answers decides whether to go on
 * @returns undefined when nothing was done
 */
export async function repairLog(
  directory: string,
  now: number,
  tell: (damage: LogDamage) => boolean,
): Promise<LogRepair | undefined> {
  const copy = `${directory}.repaired`
  await rm(copy, { recursive: true, force: true })
  try {
    const { damage, store, contents, partitions, end } = await examine(directory, copy)
    try {
      if (!tell(damage)) return undefined
      await mend(store, contents, partitions, end)
    } finally {
      await store.close()
    }
    const keptAs = `${directory}.damaged-${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}`
    await rename(directory, keptAs)
    await rename(copy, directory)
    return { ...damage, keptAs }
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

interface Examination {
  readonly damage: LogDamage
  readonly store: LevelStore
  readonly contents: LogContents
  readonly partitions: readonly PartitionDamage[]
  readonly end: EndMark | undefined
}

async function examine(directory: string, copy: string): Promise<Examination> {
  const kept = await EndFile.read(directory)
  const end = kept === 'damaged' ? undefined : kept
  const read = (value: Buffer): number => readSequence(value).sequence
  const numbers = { key: sequenceKey, read, acknowledged: end?.sequence }
  await new LevelStore(directory).checkUnlocked()
  const { exists, faults } = await inspectFiles(directory, numbers, kept !== undefined, Number.MAX_SAFE_INTEGER)
  if (!exists) throw new LogError('NOT_FOUND', `there is no log in ${directory}`)
  const files = kept === 'damaged' ? [...faults, { file: 'END', message: 'neither of its copies can be read' }] : faults
  await copyFiles(directory, copy, new Set(faults.map(({ file }) => file)))
  // When more than a `.log` is damaged LevelDB opens nothing; its repair takes up every table and log that it can read.
  if (faults.some(({ file }) => !file.endsWith('.log'))) await ClassicLevel.repair(copy)
  const store = new LevelStore(copy)
  try {
    await store.openAsItIs().catch(async () => {
      await store.close()
      await ClassicLevel.repair(copy)
      await store.openAsItIs()
    })
    const contents = await readContents(store, end, await readKeptTopics(directory))
    const partitions: PartitionDamage[] = []
    for await (const partition of scanPartitions(store, contents, end)) partitions.push(partition)
    const isUnmarked = kept === undefined && contents.format > 1 && contents.sequence > 0
    const damage = {
      directory,
      files: isUnmarked ? [...files, { file: 'END', message: 'it is missing' }] : files,
      others: contents.faults,
      lost: partitions.flatMap(({ lost }) => lost),
      damagedRows: partitions.reduce((sum, { damagedRows }) => sum + damagedRows, 0),
      partitions: partitions.length,
    }
    return { damage, store, contents, partitions, end }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Copies only the sound part of a table with faults: LevelDB's use of the rest may end the process. */
async function copyFiles(directory: string, copy: string, faulty: ReadonlySet<string>): Promise<void> {
  await mkdir(copy, { mode: OWNER_ONLY })
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const { name } = entry
    if (!entry.isFile() || name === 'LOCK' || name.startsWith('LOG')) continue
    const [from, to] = [join(directory, name), join(copy, name)]
    const isTable = /\.(ldb|sst)$/.test(name)
    if (!isTable) await copyFile(from, to)
    else if (faulty.has(name)) await copySoundPart(from, to)
    else await link(from, to).catch(() => copyFile(from, to)) // not every file system has hard links
  }
}

async function copySoundPart(from: string, to: string): Promise<void> {
  const file = await open(from)
  try {
    const sound = await soundPart(file, (await file.stat()).size)
    if (sound) await writeFile(to, sound)
  } finally {
    await file.close()
  }
}

/** Makes a whole log of the copy. */
async function mend(
  store: LevelStore,
  { topics, offsets, bounds, sequence }: LogContents,
  partitions: readonly PartitionDamage[],
  end: EndMark | undefined,
): Promise<void> {
  const named = partitions.filter(({ topicId }) => topics.has(topicId))
  for (const { topicId, partition } of partitions)
    if (!topics.has(topicId)) await store.erase(rowRange(topicId, partition, 0, Number.MAX_SAFE_INTEGER))
  for (const { repairs } of named)
    for (let at = 0; at < repairs.length; at += OPERATIONS_PER_WRITE)
      await store.write(repairs.slice(at, at + OPERATIONS_PER_WRITE))
  for (const range of [topicRange, boundsRange, offsetRange]) await store.erase(range)
  const operations: LevelOperation[] = [...topics].map(([id, config]) => putTopic({ id, config }))
  for (const { topicId, partition, start, end: next } of named) {
    const { clean, kept } = bounds.get(`${topicId}/${partition}`) ?? { clean: 0, kept: 0 }
    operations.push(putBounds(topicId, partition, { start, end: next, clean, kept }))
  }
  for (const { group, topicId, ...commit } of offsets)
    if (topics.has(topicId)) operations.push(putOffset(group, topicId, { ...commit, topic: topics.get(topicId)!.name }))
  const { sum } = new MetaSum().after(operations)
  const next = Math.max(sequence, end?.sequence ?? 0) + 1
  await store.keepEnd({ sequence: next, ends: named })
  await store.write([putFormat(), ...operations, putSequence({ sequence: next, sum })])
}
