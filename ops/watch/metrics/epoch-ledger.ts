/** Where every unfinished epoch stands and since when, folded from what is said of them in whatever order. */
import { END_OF_BATCHES } from '../../../schemas/anchor-keys.ts'
import { EPOCHS_KEPT } from '../../reading/progress.ts'
import type { EpochProgress, Moment } from '../../reading/progress-listener.ts'
import { type MissCause, PHASES, type Phase } from './table/epochs.ts'

export interface LedgerEvents {
  /** An epoch left a phase after so long. Not told of what happened before this process looked. */
  left(epoch: EpochProgress, phase: Phase, seconds: number): void
  /** It has ended, and this is what came of it. Likewise. */
  ended(epoch: EpochProgress, outcome: 'anchored' | MissCause, seconds: number | undefined): void
}

interface Entry {
  readonly epoch: EpochProgress
  phase: Phase
  /** Ms. */
  since: number
  readonly releasedAt: number
  missed: boolean
}

export interface Standing {
  readonly dataMarket: string
  readonly phase: Phase
  readonly epochs: number
  /** The one that has been in it longest. */
  readonly oldest: number
  /** Ms. */
  readonly since: number
}

export class EpochLedger {
  private readonly entries = new Map<EpochProgress, Entry>()
  private readonly events: LedgerEvents

  constructor(events: LedgerEvents) {
    this.events = events
  }

  released(epoch: EpochProgress, { at }: Moment): void {
    if (this.entries.has(epoch)) return
    this.entries.set(epoch, { epoch, phase: 'open', since: at, releasedAt: at, missed: false })
    if (this.entries.size > EPOCHS_KEPT) this.entries.delete(this.entries.keys().next().value!)
  }

  /** A release in a block that left the chain never was; it comes again, or not. */
  orphaned(blockNumber: number): void {
    for (const [epoch, { phase }] of this.entries)
      if (phase === 'open' && epoch.releaseBlock >= blockNumber) this.entries.delete(epoch)
  }

  /** Something was said of the epoch: it may have moved on, or ended. */
  look(epoch: EpochProgress, when: Moment): void {
    const entry = this.entries.get(epoch)
    if (!entry) return
    this.noteMiss(entry, when)
    if (hasEnded(epoch)) this.end(entry, when)
    else this.moveOn(entry, phaseOf(epoch), when)
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

  /** A batch that is late or has failed is told when it is known, not when the epoch ends. */
  private noteMiss(entry: Entry, when: Moment): void {
    if (entry.missed) return
    const states = [...entry.epoch.anchors.values()].map(({ state }) => state)
    const cause = states.includes('LATE') ? 'late' : states.includes('FAILED') ? 'failed' : undefined
    if (cause === undefined) return
    entry.missed = true
    if (!when.past) this.events.ended(entry.epoch, cause, undefined)
  }

  private end(entry: Entry, when: Moment): void {
    const { epoch, missed, releasedAt } = entry
    this.leave(entry, when)
    this.entries.delete(epoch)
    if (missed || when.past) return
    const seconds = (when.at - releasedAt) / 1000
    if (epoch.anchors.size > 1) this.events.ended(epoch, 'anchored', seconds)
    else this.events.ended(epoch, epoch.projectsWithoutQuorum > 0 ? 'no_quorum' : 'no_submissions', seconds)
  }

  private moveOn(entry: Entry, phase: Phase, when: Moment): void {
    if (PHASES.indexOf(phase) <= PHASES.indexOf(entry.phase)) return
    this.leave(entry, when)
    entry.phase = phase
    entry.since = when.at
  }

  private leave({ epoch, phase, since }: Entry, when: Moment): void {
    if (!when.past) this.events.left(epoch, phase, Math.max(0, when.at - since) / 1000)
  }
}

const STORED = ['STORED', 'READY', 'SENT', 'MINED', 'REORGED', 'FINAL', 'LATE', 'FAILED']
const SETTLED = ['FINAL', 'LATE', 'FAILED']

const hasEnded = ({ anchors }: EpochProgress): boolean => {
  const state = anchors.get(END_OF_BATCHES)?.state
  return state === 'FINAL' || state === 'FAILED' || state === 'LATE'
}

/** The anchor stage plans the ending call when it has all the batches: its row tells the same as the summary of the epoch. */
function phaseOf({ closeBlock, batches, anchors }: EpochProgress): Phase {
  const ending = anchors.get(END_OF_BATCHES)
  if (batches === undefined && !ending) return closeBlock === undefined ? 'open' : 'tally'
  const states = [...anchors].flatMap(([index, { state }]) => (index === END_OF_BATCHES ? [] : [state]))
  if (!ending || states.length < (batches ?? 0)) return 'store'
  if (states.every((state) => SETTLED.includes(state))) return 'end'
  return states.every((state) => STORED.includes(state)) ? 'mine' : 'store'
}
