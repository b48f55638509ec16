import type { FetchPosition } from '../../../streams/ports.ts'

/** Changes of the leader that are remembered for a partition: further back nobody asks. */
const CHANGES_MAX = 32

/** From which offset on the batches of a partition are of which leader epoch. */
export interface EpochStart {
  readonly offset: number
  readonly leaderEpoch: number
}

/** A stretch that was read without a gap: the records from `from` up to `to`, the first one not read. */
interface Stretch {
  from: number
  to: number
  readonly changes: EpochStart[]
}

/**
 * Under which leader the record before a position was written, as it was read here (KIP-320). A leader that is told so says
 * when its own log has something else there: after an election that lost records (`unclean.leader.election.enable`, or a
 * lost disk) the same offsets may carry others, and a reader would pass over them. For each partition the newest stretch that
 * was read without a gap is known, and nothing is said of any other position.
 */
export class LeaderEpochs {
  private readonly stretches = new Map<string, Stretch>()

  /** The batches of an answer to a fetch from `at`, up to `next`. */
  read(at: FetchPosition, next: number, starts: readonly EpochStart[]): void {
    if (starts.length === 0 || next <= at.offset) return
    const name = nameOf(at)
    const known = this.stretches.get(name)
    if (known === undefined || at.offset < known.from || at.offset > known.to) {
      this.stretches.set(name, { from: at.offset, to: next, changes: [...starts] })
      return
    }
    known.to = Math.max(known.to, next)
    for (const start of starts) {
      const last = known.changes.at(-1)!
      if (start.offset > last.offset && start.leaderEpoch !== last.leaderEpoch) known.changes.push(start)
    }
    while (known.changes.length > CHANGES_MAX) {
      known.changes.shift()
      known.from = known.changes[0]!.offset
    }
  }

  /** A committed position came with it. */
  committed(at: FetchPosition, leaderEpoch: number): void {
    if (leaderEpoch < 0 || this.before(at) >= 0) return
    const offset = at.offset - 1
    this.stretches.set(nameOf(at), { from: offset, to: at.offset, changes: [{ offset, leaderEpoch }] })
  }

  /** Leader epoch of the record before the position; -1 when that is not known. */
  before(at: FetchPosition): number {
    const stretch = this.stretches.get(nameOf(at))
    if (stretch === undefined || at.offset <= stretch.from || at.offset > stretch.to) return -1
    return stretch.changes.findLast(({ offset }) => offset < at.offset)?.leaderEpoch ?? -1
  }
}

const nameOf = ({ topic, partition }: FetchPosition): string => `${topic}/${partition}`
