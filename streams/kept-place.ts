/**
 * The base of a committed position, kept with it as the text beside a group's offset: the ids of the topics without which it
 * means nothing, and the ends of their logs. A reader that goes on from it compares both with the log.
 */

export interface KeptPlace {
  /** Topic → id, of inputs, changelogs, global tables, and topics of orders that it has written. */
  readonly topics: Readonly<Record<string, string>>
  /** Changelog → an offset up to which its partition was written before. */
  readonly ends: Readonly<Record<string, number>>
}

const FORMAT = 1

const placeText = ({ topics, ends }: KeptPlace): string => JSON.stringify({ place: FORMAT, topics, ends })

/** Undefined when the text says nothing of it: an older release, or another tool has committed. */
export function placeIn(text: string | undefined): KeptPlace | undefined {
  if (!text?.startsWith('{')) return undefined
  try {
    const { place, topics, ends } = JSON.parse(text) as { place?: unknown } & Partial<KeptPlace>
    return place === FORMAT && isObject(topics) && isObject(ends) ? { topics, ends } : undefined
  } catch {
    return undefined
  }
}

const isObject = <T>(value: T | undefined): value is T => typeof value === 'object' && value !== null

/** Keeps the place of one task, from the ids that it was opened with and the bursts that it has written. */
export class PlaceKeeper {
  private topics: KeptPlace['topics'] | undefined
  private readonly ends = new Map<string, number>()
  /** Changelog → its records in the sealed burst. */
  private readonly sealed = new Map<string, number>()

  /** @param topics undefined where topics cannot be deleted: then nothing is kept */
  restsOn(topics: KeptPlace['topics'] | undefined): void {
    this.topics = topics
  }

  /** Text for the next commit. */
  get text(): string {
    return this.topics ? placeText({ topics: this.topics, ends: Object.fromEntries(this.ends) }) : ''
  }

  seals(changelog: string, records: number): void {
    this.sealed.set(changelog, records)
  }

  /** The sealed burst is in the log; its first record of this changelog lies there. */
  wrote(changelog: string, baseOffset: number): void {
    this.ends.set(changelog, baseOffset + this.sealed.get(changelog)!)
  }
}
