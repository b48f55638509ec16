/**
 * Seals: records that decide something carry the seal of who may write them, and readers believe no other. Others may have the right
 * to write the topic; the secret they have not. In a topic of markers and data the markers are sealed.
 */
import type { OutgoingRecord, RecordHeader, TopicPartition } from './ports.ts'

/**
 * The place where a record was made, which grows from record to record of a writer, so that a copy of one is not behind the newest.
 * Of a marker: the record in hand of the stage that wrote it, and the number of the marker among those of that record. Of
 * another record: the end of its topic when the writer began, and the number of the record since then.
 */
export interface SealPlace {
  /** Number of the task, where several write the topic; undefined of markers, which one task writes. */
  readonly writer?: number
  /** At least 0. */
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

export interface Seal extends SealPlace {
  /** Number of the key that made it, a safe integer. */
  readonly key: number
}

/** How the records of one topic are sealed, and how a seal is checked: pure, the same everywhere. */
export interface Seals {
  /** @throws where the secret is not known */
  seal(record: Sealable, place: SealPlace): RecordHeader
  /** @returns undefined when there is no seal. @throws ForgedError when there is one that does not hold */
  read(record: Sealable, headers: readonly RecordHeader[]): Seal | undefined
  /** True when seals by this key may come behind a seal by the other key: a key that was replaced seals nothing any more. */
  mayFollow(key: number, before: number): boolean
  /** Records without a seal are taken as long as no sealed one has come: the log was begun by a release that had none. */
  readonly unsealedFirst: boolean
}

/** A record is of the form that its topic asks for, but who may write there did not write it. */
export class ForgedError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ForgedError'
  }
}

type Sealed = Sealable & { readonly headers: readonly RecordHeader[] }

/**
 * Looks at one record alone: a copy passes, and one without a seal where the log was begun without. For readers that decide nothing.
 * @throws ForgedError
 */
export function checkSeal(seals: Seals, { headers, ...record }: Sealed): void {
  if (seals.read(record, headers) === undefined && !seals.unsealedFirst) throw unsealed()
}

export const unsealed = (): ForgedError => new ForgedError('it has no seal of who writes the topic')

/** A partition in which each record is sealed. */
export interface SealedPartition extends TopicPartition {
  readonly seals: Seals
}

/** Seals the bursts of one task. */
export class Sealers {
  private readonly task: number
  private readonly sealers = new Map<string, Sealer>()

  constructor(task: number) {
    this.task = task
  }

  /** @param end of the partition when no older writer could add to it any more */
  begin({ topic, partition, seals }: SealedPartition, end: number): void {
    this.sealers.set(`${topic}/${partition}`, new Sealer(seals, end, this.task))
  }

  /**
   * The records of a burst for one attempt to commit them. Each attempt has seals of its own: who puts in a record of an attempt that was
   * aborted makes it a repeated one, and voids none of the next attempt.
   */
  seal(records: readonly OutgoingRecord[]): readonly OutgoingRecord[] {
    if (this.sealers.size === 0) return records
    return records.map((record) => this.sealers.get(`${record.topic}/${record.partition}`)?.seal(record) ?? record)
  }
}

/** Seals what one writer writes into a partition, from its beginning to its end. */
export class Sealer {
  private readonly seals: Seals
  private readonly from: number
  private readonly writer: number
  private made = 0

  /** @param from end of the partition when every older writer of this number had been fenced */
  constructor(seals: Seals, from: number, writer = 0) {
    this.seals = seals
    this.from = from
    this.writer = writer
  }

  seal(record: OutgoingRecord): OutgoingRecord {
    const sealable = { ...record, key: record.key!, value: record.value! } // no topic of sealed records has others
    const header = this.seals.seal(sealable, { writer: this.writer, offset: this.from, index: this.made++ })
    return { ...record, headers: [...(record.headers ?? []), header] }
  }
}
