/** The partitions that wait for a schema. */

import type { Codec } from '../../schemas/codec.ts'
import { envelopeOf } from '../../schemas/envelope.ts'
import type { SubjectName } from '../../schemas/subjects.ts'
import { doubling } from '../../streams/back-off.ts'
import {
  type Clock,
  type FetchedPartition,
  type FetchPosition,
  type Log,
  LogError,
  type TopicPartition,
} from '../../streams/ports.ts'
import { SchemaRegistryError } from './errors.ts'

const pauseMs = doubling({ firstMs: 100, mostMs: 5_000 })
/** Between two waits for schemas that the registry does not have; meanwhile its first word is taken. */
const PATIENT_AGAIN_MS = 600_000
/** A partition that nobody has asked for this long was assigned to another member: the next question parks it anew. */
const UNWANTED_MS = 60_000

export interface ParkingObserver {
  /** After each try that failed. */
  parked?(at: TopicPartition, cause: Error): void
  /** The schemas are known, or nobody wants the partition any more. */
  resumed?(at: TopicPartition): void
}

export interface ParkingOptions {
  readonly log: Pick<Log, 'bounds'>
  readonly clock: Clock
  readonly codec: Pick<Codec, 'learn' | 'missing' | 'learnVersions'>
  /**
   * Topics that others than our stages may write, with their subjects. An id that the registry does not have under these is
   * nobody's of ours: its record is handed out after `foreignWaitMs`, in case the registry is behind. Such a wait comes once
   * in PATIENT_AGAIN_MS at most, so that nobody holds a partition up by one id after the other.
   */
  readonly foreign?: ReadonlyMap<string, readonly SubjectName[]>
  readonly foreignWaitMs?: number
  readonly observer?: ParkingObserver
  /** Ends the waiting, as `close` does. */
  readonly signal?: AbortSignal
}

interface Place {
  readonly at: TopicPartition
  readonly bounds: Pick<FetchedPartition, 'start' | 'stable'>
  /** Offset of the first record of an unknown schema. */
  readonly offset: number
  /** Behind its records. */
  readonly next: number
  readonly parkedAt: number
  readonly ids: ReadonlySet<number>
  readonly freed: Promise<void>
  askedAt: number
  cause: Error | undefined
}

export class Parking {
  private readonly options: ParkingOptions
  private readonly places = new Map<string, Place>()
  private readonly closing = new AbortController()
  private readonly over: AbortSignal
  /** Per partition: records below are handed out, whatever schema they name. */
  private readonly passed = new Map<string, number>()
  private patientAt = Number.NEGATIVE_INFINITY

  constructor(options: ParkingOptions) {
    this.options = options
    this.over = AbortSignal.any([this.closing.signal, ...(options.signal ? [options.signal] : [])])
  }

  /** Keeps the partition until the schemas are known. */
  park({ topic, partition, start, stable, next }: FetchedPartition, offset: number, ids: ReadonlySet<number>): void {
    const name = `${topic}/${partition}`
    if (this.places.has(name)) return
    const place: Place = {
      at: { topic, partition },
      bounds: { start, stable },
      offset,
      next,
      parkedAt: this.options.clock.now(),
      ids,
      freed: Promise.resolve().then(() => this.learn(place)),
      askedAt: this.options.clock.now(),
      cause: undefined,
    }
    this.places.set(name, place)
  }

  /** Offset below which the registry was asked for the schemas of a partition's records, and had no more of them. */
  passedBefore({ topic, partition }: TopicPartition): number {
    return this.passed.get(`${topic}/${partition}`) ?? 0
  }

  /** The answer of a parked partition; undefined for a partition that is not parked. A caller that asks wants it. */
  answer(position: FetchPosition): FetchedPartition | undefined {
    const place = this.places.get(`${position.topic}/${position.partition}`)
    if (!place) return undefined
    place.askedAt = this.options.clock.now()
    return nothingNew(position, place.bounds)
  }

  /** Resolves when one of the partitions is free, after the time, or when the signal is aborted. */
  async released(positions: readonly FetchPosition[], ms: number, signal: AbortSignal | undefined): Promise<void> {
    const over = new AbortController()
    const places = positions.map(({ topic, partition }) => this.places.get(`${topic}/${partition}`))
    for (const place of places) void (place?.freed ?? Promise.resolve()).then(() => over.abort())
    const signals = [over.signal, this.over, ...(signal ? [signal] : [])]
    await this.options.clock.sleep(ms, AbortSignal.any(signals))
    if (this.over.aborted) throw new LogError('CLOSED', 'the log is closed')
  }

  /** Why a fetch of these partitions can give nothing. */
  failure(positions: readonly FetchPosition[]): LogError {
    const { cause } =
      positions.map(({ topic, partition }) => this.places.get(`${topic}/${partition}`)).find(Boolean) ?? {}
    const names = positions.map(({ topic, partition }) => `${topic}/${partition}`).join(', ')
    const why = cause?.message ?? 'the registry has not answered yet'
    return new LogError('SCHEMA_MISSING', `${names} cannot be read: ${why}`, { retriable: true, cause })
  }

  /** Lets those go whose schemas the registry says it does not have. @returns the ids that they waited for */
  freeUnknown(positions: readonly FetchPosition[]): readonly number[] {
    const freed: number[] = []
    for (const { topic, partition } of positions) {
      const place = this.places.get(`${topic}/${partition}`)
      if (!(place?.cause instanceof SchemaRegistryError) || place.cause.code !== 'UNKNOWN_SCHEMA') continue
      this.places.delete(`${topic}/${partition}`)
      for (const id of place.ids) freed.push(id)
    }
    return freed
  }

  /** Nobody waits any more. */
  close(): void {
    this.closing.abort()
  }

  private async learn(place: Place): Promise<void> {
    const { clock, observer } = this.options
    const name = `${place.at.topic}/${place.at.partition}`
    const signal = this.over
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        if (await this.know(place)) break
      } catch (error) {
        place.cause = error instanceof Error ? error : new Error(String(error))
        observer?.parked?.(place.at, place.cause)
      }
      if (await this.isDeleted(place)) break
      await clock.sleep(pauseMs(failures), signal)
      if (this.places.get(name) !== place) return // it was let go
      if (clock.now() - place.askedAt > UNWANTED_MS) break
    }
    this.places.delete(name)
    if (place.cause) observer?.resumed?.(place.at)
  }

  /** Whether an operator has deleted the record: a reader that goes on finds the partition to begin behind it. */
  private async isDeleted({ at, offset }: Place): Promise<boolean> {
    const [bounds] = await this.options.log.bounds([at]).catch(() => [])
    return bounds !== undefined && bounds.start > offset
  }

  /** Learns the schemas. @returns true when the partition may go on. @throws while it may not */
  private async know({ at, ids, next, parkedAt }: Place): Promise<boolean> {
    const { clock, codec, foreign, foreignWaitMs = 0 } = this.options
    const subjects = foreign?.get(at.topic)
    if (!subjects) {
      await Promise.all([...ids].map((id) => codec.learn(id)))
      return true
    }
    await codec.learnVersions(subjects)
    const unknown = [...ids].filter((id) => codec.missing(envelopeOf(id)) !== undefined)
    if (unknown.length === 0) return true
    const isPatient = parkedAt - this.patientAt >= PATIENT_AGAIN_MS
    if (isPatient && clock.now() - parkedAt < foreignWaitMs)
      throw new SchemaRegistryError(
        'UNKNOWN_SCHEMA',
        `the registry has no schema id ${unknown.slice(0, IDS_TOLD).join(', ')} under ${subjects.join(' or ')}`,
      )
    if (isPatient) this.patientAt = clock.now()
    this.passed.set(`${at.topic}/${at.partition}`, next)
    return true
  }
}

/** Ids that a message names. */
const IDS_TOLD = 5

/** The answer of a partition that has no record beyond the position. */
export const nothingNew = (
  { topic, partition, offset }: FetchPosition,
  { start, stable }: Pick<FetchedPartition, 'start' | 'stable'>,
): FetchedPartition => ({ topic, partition, records: [], next: offset, start, stable, outOfRange: false })
