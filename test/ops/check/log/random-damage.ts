/** Damages a log of many epochs at random, and tells what became of each damage: nothing may be lost in silence. */
import { createHash } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { checkLog, isWhole } from '../../../../connectors/log/embedded/repair.ts'
import { SeededRandom } from '../../../../connectors/log/simulated/seeded-random.ts'
import { scan } from '../../../../ops/reading/scan.ts'
import { type Log, LogError } from '../../../../streams/ports.ts'
import { runScenario } from '../audit/scenario.ts'

export const EPOCHS = 50
/** Two markets have them. */
const EPOCHS_PER_MARKET = EPOCHS / 2
const RECORDS_PER_BURST = 40

/**
 * - `refused`: the log was not opened, and says why.
 * - `reported`: it opens, and `log check` tells of the damage.
 * - `harmless`: everything is there as it was; the damage was to bytes that hold nothing.
 * - `silent`: none of them. There must be none.
 */
export type Fate = 'refused' | 'reported' | 'harmless' | 'silent'

export interface Damaged {
  readonly seed: number
  readonly damage: string
  readonly fate: Fate
}

interface Place {
  readonly topic: string
  readonly partition: number
}

export interface SoundLog {
  readonly directory: string
  readonly places: readonly Place[]
  /** Of everything that it holds. */
  readonly digest: string
  remove(): void
}

/** A log of 50 epochs in a folder of its own: written in three runs, so that tables and a `.log` hold it. */
export async function writeSoundLog(): Promise<SoundLog> {
  const folder = mkdtempSync(join(tmpdir(), 'random-damage-'))
  const directory = join(folder, 'log')
  const { log: frozen, topics } = await runScenario({ seed: 1, epochs: EPOCHS_PER_MARKET })
  const { deadLetters: _, ...all } = topics
  const list = Object.values(all)
  const places = list.flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition })),
  )
  for (let part = 0; part < 3; part++) {
    const log = await openEmbeddedLog({ directory })
    await log.createTopics(list.map(({ name, partitions, cleanup }) => ({ name, partitions, cleanup })))
    const writer = await log.transactionalWriter('writer')
    for (const { topic, partition } of places) {
      const records = frozen.records({ name: topic }, partition)
      const from = Math.floor((records.length * part) / 3)
      const to = Math.floor((records.length * (part + 1)) / 3)
      for (let at = from; at < to; at += RECORDS_PER_BURST) {
        const burst = records.slice(at, Math.min(to, at + RECORDS_PER_BURST)).map((record) => ({
          topic,
          partition,
          ...record,
        }))
        const commits = [{ topic, partition, next: at, metadata: '' }]
        const { outcome } = await writer.commit({ records: burst, offsets: { group: `of ${topic}`, commits } })
        if (outcome !== 'committed') throw new Error(outcome)
      }
    }
    await log.close()
  }
  const copy = join(folder, 'copy')
  copyLog(directory, copy)
  const log = await openEmbeddedLog({ directory: copy })
  const digest = await digestOf(log, places)
  await log.close()
  rmSync(copy, { recursive: true })
  return { directory, places, digest, remove: () => rmSync(folder, { recursive: true }) }
}

export async function damageOnce({ directory, places, digest }: SoundLog, seed: number): Promise<Damaged> {
  const copy = `${directory}-${seed}`
  copyLog(directory, copy)
  try {
    const damage = damageFiles(copy, new SeededRandom(seed))
    return { seed, damage, fate: await fateOf(copy, places, digest) }
  } finally {
    rmSync(copy, { recursive: true })
  }
}

async function fateOf(directory: string, places: readonly Place[], digest: string): Promise<Fate> {
  const reported = !isWhole(await checkLog(directory))
  let log: Log
  try {
    log = await openEmbeddedLog({ directory, mustExist: true, tailSizeBytes: 0 })
  } catch (error) {
    if (error instanceof LogError && (error.code === 'CORRUPT' || error.code === 'FORMAT_NEWER')) return 'refused'
    throw error
  }
  try {
    const isSame = (await digestOf(log, places).catch(toldAs)) === digest
    return reported ? 'reported' : isSame ? 'harmless' : 'silent'
  } finally {
    await log.close()
  }
}

const toldAs = (error: unknown): string => {
  if (error instanceof LogError) return error.code
  throw error
}

async function digestOf(log: Log, places: readonly Place[]): Promise<string> {
  const hash = createHash('sha256')
  for (const place of places) {
    hash.update(
      JSON.stringify([
        place,
        ...(await log.bounds([place])),
        ...(await log.committedOffsets(`of ${place.topic}`, [place])),
      ]),
    )
    for await (const records of scan(log, place))
      for (const { offset, timestamp, key, value } of records)
        hash
          .update(`${offset} ${timestamp}`)
          .update(key ?? '')
          .update(value ?? '')
  }
  return hash.digest('hex')
}

function copyLog(from: string, to: string): void {
  mkdirSync(to)
  for (const name of readdirSync(from)) copyFileSync(join(from, name), join(to, name))
}

/** LevelDB's own words for people, and its lock, hold nothing. */
const holdsSomething = (name: string): boolean => !['LOG', 'LOG.old', 'LOCK'].includes(name)

/** One to three damages: a flipped bit, a file cut off, a file that is gone. */
function damageFiles(directory: string, random: SeededRandom): string {
  const done: string[] = []
  for (let count = random.next() < 0.7 ? 1 : 1 + Math.floor(random.next() * 3); count > 0; count--) {
    const names = readdirSync(directory).filter(holdsSomething).sort()
    const name = names[Math.floor(random.next() * names.length)]!
    done.push(damageFile(join(directory, name), name, random))
  }
  return done.join(', ')
}

function damageFile(path: string, name: string, random: SeededRandom): string {
  const { size } = statSync(path)
  const kind = random.next()
  if (kind < 0.15 || size === 0) {
    rmSync(path)
    return `${name} removed`
  }
  const at = Math.floor(random.next() * size)
  if (kind < 0.4) {
    truncateSync(path, at)
    return `${name} cut from ${size} to ${at}`
  }
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, Math.min(at, fstatSync(file).size - 1))
  byte[0]! ^= 1 << Math.floor(random.next() * 8)
  writeSync(file, byte, 0, 1, at)
  closeSync(file)
  return `${name} byte ${at} of ${size}`
}
