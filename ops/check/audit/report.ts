import type { OnUnreadable } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { Consequences, type TopicMadeAnew } from './made-anew.ts'

/**
 * - `lost`: an acknowledged submission without a verdict, though every stage is past it.
 * - `duplicated`: a second verdict for a submission, a submission in two batches, a project anchored twice in an epoch.
 * - `skipped`: a block, an epoch, or a part of one (close, batches, summary, anchor) that is missing though later ones are there.
 * - `mismatches`: anything recomputed that differs from what the log or the chain has, and records that cannot be decoded.
 */
export type DifferenceKind = 'lost' | 'duplicated' | 'skipped' | 'mismatches'

export interface Difference {
  readonly kind: DifferenceKind
  /** The place of the difference, e.g. `epoch 12 of 0x…, batch 0` or `submissions[2] offset 17`. */
  readonly where: string
  readonly message: string
}

export interface AuditReport {
  readonly epochsReleased: number
  readonly epochsClosed: number
  /** Epochs that the owners of their markets skipped (forceSkipEpoch): no fault, there is nothing of them. */
  readonly epochsPassedOver: number
  /** Epochs whose batches and ending call are all final on the chain. */
  readonly epochsAnchored: number
  /** Submissions in the topic `submissions`. */
  readonly acknowledged: number
  /** Submissions with a verdict. */
  readonly verdicts: number
  /** Submissions that wait: their epoch is open, or a stage is not past them yet. */
  readonly pending: number
  /** Submissions among them whose epoch is not released yet: they wait until it is, or until a later one is. */
  readonly early: number
  /** Closed epochs among them that are not recomputed: some that was sent for them, or took a place from what was, may have expired. */
  readonly epochsNotWhole: number
  /** Submissions that cannot be judged because what decides about them may have expired. */
  readonly beyondRetention: number
  /** Closed epochs whose close cannot be recomputed: their windows are in blocks of another chain, and an older clock did not say which. */
  readonly windowsUnchecked: number
  /** Epochs whose release left the chain after their batches were cut: counted once, by the first release. No fault. */
  readonly releasesLost: number
  readonly lost: number
  readonly duplicated: number
  readonly skipped: number
  readonly mismatches: number
  /** Epochs compared with the state of the contract; null when no node was asked. */
  readonly epochsOnChain: number | null
  /** Days whose rows, and the runs of payouts that follow from them, were recomputed. */
  readonly daysCompared: number
  /** Days of which the log no longer holds every epoch, or whose market keeps no days now: they cannot be recomputed. */
  readonly daysUnchecked: number
  /** Payouts in the log. */
  readonly payouts: number
  /** Payouts whose payment was compared with them. */
  readonly payments: number
  /** Payouts that came when the contract took nothing of their day any more (E38). No fault of the log: each has a note. */
  readonly payoutsUnpaid: number
  /** Runs of payments compared with the contract: closings, and the newest counts of a day that is not closed; null when no node was asked. */
  readonly runsOnChain: number | null
  /** The first of each kind, DIFFERENCES_KEPT at most. */
  readonly differences: readonly Difference[]
  /** The first NOTES_KEPT: what became of `releasesLost` and `payoutsUnpaid`, and releases with numbers that cannot be. */
  readonly notes: readonly Note[]
}

/** Something to know that is no fault. */
export type Note = Omit<Difference, 'kind'>

/** As the commands print them. */
export const KIND_WORDS: Readonly<Record<DifferenceKind, string>> = {
  lost: 'lost',
  duplicated: 'duplicated',
  skipped: 'skipped',
  mismatches: 'different',
}

const DIFFERENCES_KEPT = 100
const NOTES_KEPT = 25

export class Findings {
  readonly counts: Record<DifferenceKind, number> = { lost: 0, duplicated: 0, skipped: 0, mismatches: 0 }
  /** Differences that are told one by one. */
  private readonly listed: Record<DifferenceKind, number> = { lost: 0, duplicated: 0, skipped: 0, mismatches: 0 }
  /** Releases that left the chain, also those without a note. */
  told = 0
  private readonly kept: Difference[] = []
  private readonly noted: Note[] = []
  /** By topic. */
  private readonly following = new Map<keyof Topics, Following>()

  /** @param anew topics that are not those that were deployed: that is a mismatch as long as it is not on record */
  constructor(anew: readonly TopicMadeAnew[] = []) {
    for (const one of anew) this.following.set(one.topic, new Following(this, new Consequences(one)))
    this.counts.mismatches += anew.filter(({ recordedAt }) => recordedAt === undefined).length
  }

  add(kind: DifferenceKind, where: string, message: string): void {
    this.counts[kind]++
    if (++this.listed[kind] <= DIFFERENCES_KEPT / 4) this.kept.push({ kind, where, message })
  }

  /**
   * For findings that rest on these topics: where one of them was made anew, they follow from that, and are told together.
   * @param at of what they are about, ms since 1970; undefined when that is not known
   */
  of(at: number | undefined, ...topics: readonly (keyof Topics)[]): Findings {
    if (this.following.size === 0) return this
    for (const topic of topics) {
      const following = this.following.get(topic)
      if (following?.consequences.holds(at)) return following
    }
    return this
  }

  /** Reports a release that left the chain. */
  tell(where: string, message: string): void {
    this.told++
    this.note(where, message)
  }

  note(where: string, message: string): void {
    if (this.noted.length < NOTES_KEPT) this.noted.push({ where, message })
  }

  /** A record that cannot be decoded: what follows from it is judged as if it were not there. */
  readonly unreadable: OnUnreadable = ({ topic, partition, offset, why }) =>
    this.add('mismatches', `${topic}[${partition}] offset ${offset}`, `it cannot be read: ${why}`)

  /** Adds a mismatch unless both are the same. */
  same(where: string, what: string, recomputed: unknown, found: unknown): void {
    if (recomputed !== found) this.add('mismatches', where, `${what}: recomputed ${recomputed}, found ${found}`)
  }

  notes(): readonly Note[] {
    return this.noted
  }

  /** Topics that were made anew come first. */
  differences(): readonly Difference[] {
    const anew = [...this.following.values()].flatMap(({ consequences }) => {
      const kind = consequences.kind ?? (consequences.isOnRecord ? undefined : 'mismatches')
      return kind === undefined ? [] : [{ kind, ...consequences.inWords((one) => KIND_WORDS[one]) }]
    })
    return [...anew, ...this.kept]
  }
}

/** The findings that follow from a topic that was made anew. */
class Following extends Findings {
  readonly consequences: Consequences<DifferenceKind>
  private readonly whole: Findings

  constructor(whole: Findings, consequences: Consequences<DifferenceKind>) {
    super()
    this.whole = whole
    this.consequences = consequences
  }

  override add(kind: DifferenceKind, where: string, message: string): void {
    this.whole.counts[kind]++
    this.consequences.add(kind, where, message)
  }

  override note(where: string, message: string): void {
    this.whole.note(where, message)
  }
}
