/** Topics that were deleted and made anew, and the findings that follow from that alone: told as one, and counted as what they are. */
import type { Topics } from '../../../topology/topics.ts'

/** A topic of the log that is not the one that was deployed. */
export interface TopicMadeAnew {
  readonly topic: keyof Topics
  /** Name of the topic in the log. */
  readonly name: string
  /** Ids of the topic, the former and the present one. */
  readonly ids: readonly [before: string, now: string]
  /** When it was put on record as it is, ms since 1970; undefined when it is not yet. What came later does not follow from it. */
  readonly recordedAt: number | undefined
}

const GONE = 'what was in it is gone'
const CONSEQUENCES: Partial<Readonly<Record<keyof Topics, string>>> = {
  submissions: 'what was acknowledged and lay in it is gone, and verdicts of before name other places',
  verdicts: 'the verdicts that were in it are gone; `sequencer replay` makes those of an epoch again',
  anchors: 'the rows that were in it are gone; what was anchored stands in the contract',
  payments: 'the rows that were in it are gone; `sequencer rewards --reconcile` asks the contract for what was paid',
  slots: 'it knows the owners of slots from the blocks on at which they were read again',
  markets: 'it knows markets from the decisions on that were made again',
}

interface Example {
  readonly where: string
  readonly message: string
}

/** The findings that follow from one topic. */
export class Consequences<Kind extends string> {
  private readonly of: TopicMadeAnew
  private readonly found = new Map<Kind, { count: number; readonly first: Example; last: string }>()

  constructor(of: TopicMadeAnew) {
    this.of = of
  }

  /** The first kind of what was found; undefined when nothing was. */
  get kind(): Kind | undefined {
    return this.found.keys().next().value
  }

  get isOnRecord(): boolean {
    return this.of.recordedAt !== undefined
  }

  /** @param at of what the finding is about, ms since 1970; undefined when that is not known */
  holds(at: number | undefined): boolean {
    return at === undefined || at < (this.of.recordedAt ?? Number.POSITIVE_INFINITY)
  }

  add(kind: Kind, where: string, message: string): void {
    const known = this.found.get(kind)
    if (!known) this.found.set(kind, { count: 1, first: { where, message }, last: where })
    else {
      known.count++
      known.last = where
    }
  }

  /** @param wordOf the kinds, as they are printed */
  inWords(wordOf: (kind: Kind) => string): Example {
    const { topic, name, ids, recordedAt } = this.of
    const record =
      recordedAt === undefined
        ? 'it is not on record as it is (`deploy apply --accept-recreated`)'
        : `on record as it is since ${new Date(recordedAt).toISOString()}`
    const follow = [...this.found].map(([kind, { count, first, last }]) => {
      const example = `${first.where}: ${first.message}`
      return `${count} ${wordOf(kind)} (${count === 1 ? example : `${example}, up to ${last}`})`
    })
    const told = follow.length === 0 ? 'Nothing here shows it.' : `From that alone follow: ${follow.join('; ')}.`
    const what = `the topic was deleted and made anew: its id was ${ids[0]} and is ${ids[1]}, ${record}`
    return { where: name, message: `${what}. So ${CONSEQUENCES[topic] ?? GONE}. ${told}` }
  }
}
