/**
 * The base of a committed position, kept with it as the text beside a group's offset: the ids of the topics without which it
 * means nothing, the ends of their logs, and the rows that the state of then rests on. A reader that goes on from it compares all of it
 * with the log.
 */
import type { CommittedOffset } from './ports.ts'
import { nameOf } from './position-loss.ts'

export interface KeptPlace {
  /** Topic → id, of inputs, changelogs, global tables, and topics of orders that it has written. */
  readonly topics: Readonly<Record<string, string>>
  /** Changelog → an offset up to which its partition was written before. */
  readonly ends: Readonly<Record<string, number>>
  /**
   * `topic/partition` of a changelog or a table → the first offset that the state needs. A log that begins behind it has lost rows of
   * the state: nobody deletes as much, and compaction moves no beginning. Undefined in places of older releases.
   */
  readonly needs?: Readonly<Record<string, number>> | undefined
}

const FORMAT = 1

const placeText = (place: KeptPlace): string => JSON.stringify({ place: FORMAT, ...place })

/** Undefined when the text says nothing of it: an older release, or another tool has committed. */
export function placeIn(text: string | undefined): KeptPlace | undefined {
  if (!text?.startsWith('{')) return undefined
  try {
    const { place, topics, ends, needs } = JSON.parse(text) as { place?: unknown } & Partial<KeptPlace>
    if (place !== FORMAT || !isObject(topics) || !isObject(ends)) return undefined
    return { topics, ends, needs: isObject(needs) ? needs : undefined }
  } catch {
    return undefined
  }
}

/** The first offset of each place that the state behind these positions needs: the newest of what they say. */
export function needsIn(committed: readonly (CommittedOffset | undefined)[]): ReadonlyMap<string, number> {
  const needs = new Map<string, number>()
  for (const one of committed)
    for (const [place, offset] of Object.entries(placeIn(one?.metadata)?.needs ?? {}))
      if (Number.isSafeInteger(offset)) needs.set(place, Math.max(offset, needs.get(place) ?? 0))
  return needs
}

const isObject = <T>(value: T | undefined): value is T => typeof value === 'object' && value !== null

/** Keeps the place of one task, from the ids that it was opened with and the bursts that it has written. */
export class PlaceKeeper {
  private topics: KeptPlace['topics'] | undefined
  private readonly ends = new Map<string, number>()
  /** Changelog → its records in the sealed burst. */
  private readonly sealed = new Map<string, number>()
  private needs = new Map<string, number>()
  /** As the log has them. */
  private committedNeeds: ReadonlyMap<string, number> = new Map()
  private readonly partition: number

  constructor(partition: number) {
    this.partition = partition
  }

  /**
   * @param topics undefined where topics cannot be deleted: then nothing is kept
   * @param needs of the state as it was found
   */
  restsOn(topics: KeptPlace['topics'] | undefined, needs: ReadonlyMap<string, number>): void {
    this.topics = topics
    this.needs = new Map(needs)
    this.committedNeeds = needs
  }

  /** Text for the next commit. */
  get text(): string {
    const { topics, ends, needs } = this
    return topics ? placeText({ topics, ends: Object.fromEntries(ends), needs: Object.fromEntries(needs) }) : ''
  }

  /** The state needs a changelog from this offset on, once the burst that is to be sealed is in the log; never from an earlier one again. */
  needsFrom(changelog: string, offset: number): void {
    const place = this.placeIn(changelog)
    this.needs.set(place, Math.max(offset, this.needs.get(place) ?? 0))
  }

  /** The first offset of a changelog that the state needs as it is in the log: what lies before may go. */
  neededFrom(changelog: string): number {
    return this.committedNeeds.get(this.placeIn(changelog)) ?? 0
  }

  private placeIn(topic: string): string {
    return nameOf({ topic, partition: this.partition })
  }

  /** The sealed burst is in the log, and so is its text. */
  applied(): void {
    this.committedNeeds = new Map(this.needs)
  }

  seals(changelog: string, records: number): void {
    this.sealed.set(changelog, records)
  }

  /** The sealed burst is in the log; its first record of this changelog lies there. */
  wrote(changelog: string, baseOffset: number): void {
    this.ends.set(changelog, baseOffset + this.sealed.get(changelog)!)
  }
}
