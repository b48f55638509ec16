/** The phase of every unfinished epoch and its beginning, as far as is said of them in any order. */
import { type EpochPhase, isLost, PHASES_UNDER_WAY, type PhaseUnderWay } from '../../reading/epoch-phases.ts'
import { type EpochEnd, endOf, hasEnded, outcomeOf, phaseOf } from '../../reading/epoch-progress.ts'
import { EPOCHS_KEPT } from '../../reading/progress.ts'
import type { FollowedEpoch, Moment } from '../../reading/progress-listener.ts'

export interface UnfinishedEvents {
  /** An epoch left a phase after so long, or was lost in it. Not told of what happened before this process looked. */
  left(epoch: FollowedEpoch, phase: PhaseUnderWay, seconds: number): void
  /** Likewise. LATE and FAILED are told when they are known, the others at the end. */
  ended(epoch: FollowedEpoch, end: EpochEnd, seconds: number | undefined): void
}

interface Entry {
  readonly epoch: FollowedEpoch
  phase: PhaseUnderWay
  /** Ms. */
  since: number
  readonly releasedAt: number
  /** The outcome was told. */
  isTold: boolean
}

export interface Standing {
  readonly dataMarket: string
  readonly phase: PhaseUnderWay
  readonly epochs: number
  /** The one that has been in it longest. */
  readonly oldest: number
  /** Ms. */
  readonly since: number
}

export class UnfinishedEpochs {
  private readonly entries = new Map<FollowedEpoch, Entry>()
  /** A reorganisation may take what has ended back. */
  private readonly ended = new WeakSet<FollowedEpoch>()
  private readonly events: UnfinishedEvents

  constructor(events: UnfinishedEvents) {
    this.events = events
  }

  released(epoch: FollowedEpoch, { at }: Moment): void {
    if (this.entries.has(epoch)) return
    this.entries.set(epoch, { epoch, phase: 'OPEN', since: at, releasedAt: at, isTold: false })
    if (this.entries.size > EPOCHS_KEPT) this.entries.delete(this.entries.keys().next().value!)
  }

  /** Something was said of the epoch: it may have moved, or ended. */
  look(epoch: FollowedEpoch, when: Moment): void {
    const entry = this.entries.get(epoch) ?? this.takenBack(epoch, when)
    if (!entry) return
    const [outcome, end] = [outcomeOf(epoch.progress), endOf(epoch.progress)]
    if (outcome !== null && isLost(outcome)) this.tell(entry, outcome, when)
    if (end !== null) this.end(entry, end, when)
    else this.move(entry, phaseOf(epoch.progress), when)
  }

  standings(): Standing[] {
    const found = new Map<string, Standing>()
    for (const { epoch, phase, since } of this.entries.values()) {
      const { dataMarket, epochId } = epoch
      const id = `${dataMarket}/${phase}`
      const known = found.get(id)
      if (!known) found.set(id, { dataMarket, phase, epochs: 1, oldest: epochId, since })
      else {
        const isOlder = since < known.since
        const oldest = isOlder ? { oldest: epochId, since } : {}
        found.set(id, { ...known, ...oldest, epochs: known.epochs + 1 })
      }
    }
    return [...found.values()]
  }

  private takenBack(epoch: FollowedEpoch, { at }: Moment): Entry | undefined {
    if (!this.ended.has(epoch) || hasEnded(epoch.progress)) return undefined
    const entry: Entry = { epoch, phase: 'CONFIRMING', since: at, releasedAt: at, isTold: true }
    this.entries.set(epoch, entry)
    return entry
  }

  private end(entry: Entry, end: EpochEnd, when: Moment): void {
    this.tell(entry, end, when)
    this.entries.delete(entry.epoch)
    this.ended.add(entry.epoch)
  }

  private tell(entry: Entry, end: EpochEnd, when: Moment): void {
    if (entry.isTold) return
    this.leave(entry, when)
    entry.isTold = true
    if (!when.past)
      this.events.ended(entry.epoch, end, end === 'ANCHORED' ? (when.at - entry.releasedAt) / 1000 : undefined)
  }

  /** Back as well: a reorganisation takes what it takes. */
  private move(entry: Entry, to: EpochPhase, when: Moment): void {
    const phase = PHASES_UNDER_WAY.find((one) => one === to)
    if (phase === undefined) this.entries.delete(entry.epoch) // the release that was seen left the chain
    if (phase === undefined || phase === entry.phase) return
    if (!entry.isTold) this.leave(entry, when)
    entry.phase = phase
    entry.since = when.at
  }

  private leave({ epoch, phase, since }: Entry, when: Moment): void {
    if (!when.past) this.events.left(epoch, phase, Math.max(0, when.at - since) / 1000)
  }
}
