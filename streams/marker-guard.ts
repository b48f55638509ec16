/** Markers of a topic that others write too: each is sealed by the stage that may write it, and readers take no other. */
import type { EngineState, Tally } from './engine-state.ts'
import type { LogRecord, RecordHeader } from './ports.ts'

/**
 * The place where a marker was made: the record in hand of the stage that wrote it, and the number of the marker among those of
 * that record.
 */
export interface MarkerPlace {
  /** Offset in the stage's input, at least 0. */
  readonly offset: number
  /** 0 for the first. */
  readonly index: number
}

/** The content that a seal covers beside its place. */
export interface Sealable {
  readonly topic: string
  readonly partition: number
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export interface Seal extends MarkerPlace {
  /** Number of the key that made it, a safe integer. */
  readonly key: number
}

/** How the markers of one topic are sealed, and how a seal is checked: pure, the same everywhere. */
export interface MarkerSeals {
  /** @throws where the secret is not known */
  seal(marker: Sealable, place: MarkerPlace): RecordHeader
  /** @returns undefined when there is no seal. @throws ForgedMarkerError when there is one that does not hold */
  read(marker: Sealable, headers: readonly RecordHeader[]): Seal | undefined
  /** True when seals by this key may come behind a seal by the other key: a key that was replaced seals nothing any more. */
  mayFollow(key: number, before: number): boolean
  /** Markers without a seal are taken as long as no sealed one has come: the log was begun by a release that had none. */
  readonly unsealedFirst: boolean
}

/** A record looks like a marker, but no writer of markers wrote it there. */
export class ForgedMarkerError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ForgedMarkerError'
  }
}

/**
 * The markers of one partition, as one task reads them: takes each that is sealed for this partition and comes behind those
 * taken before it. So a copy of a marker changes nothing, wherever it is put.
 */
export class MarkerGuard {
  private readonly topic: string
  private readonly partition: number
  private readonly seals: MarkerSeals
  private readonly state: EngineState

  constructor(topic: string, partition: number, seals: MarkerSeals, state: EngineState) {
    this.topic = topic
    this.partition = partition
    this.seals = seals
    this.state = state
  }

  /** @throws ForgedMarkerError: the record is none of the stage's, or was taken before */
  take({ key, value, headers }: LogRecord): void {
    const { topic, partition, seals, state } = this
    const seal = seals.read({ topic, partition, key: key!, value: value! }, headers)
    const last = state.find(this.lastKey)
    if (seal === undefined) {
      if (seals.unsealedFirst && last === undefined) return
      throw new ForgedMarkerError('a marker without a signature')
    }
    if (last) this.expectBehind(last, seal)
    const row = last ?? state.findOrCreate(this.lastKey, LAST_FIELDS)
    row.counts.splice(0, LAST_FIELDS, seal.offset, seal.index, seal.key)
    state.touch(row)
  }

  private expectBehind(last: Tally, seal: Seal): void {
    const [offset, index, before] = last.counts as [number, number, number]
    if (!this.seals.mayFollow(seal.key, before))
      throw new ForgedMarkerError('a marker signed by a key that was replaced before')
    if (seal.offset < offset || (seal.offset === offset && seal.index <= index))
      throw new ForgedMarkerError(
        `a marker for the second time: it was made at ${seal.offset}.${seal.index}, the newest at ${offset}.${index}`,
      )
  }

  private get lastKey(): string {
    return `sealed/${this.topic}`
  }
}

/** Offset, index, key. */
const LAST_FIELDS = 3
