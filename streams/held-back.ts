import type { Clock, TopicPartition } from './ports.ts'

/** Transactions of our own end within 20 s, and transactions of a killed process some 10 s later: a longer one hangs. */
export const HELD_MS = 45_000

export interface Held extends TopicPartition {
  /** Last stable offset: nobody reads from it on. */
  readonly stable: number
  /** Records behind it that are written. */
  readonly records: number
  /** When it was first seen there, ms. */
  readonly since: number
}

/** Which partitions a transaction that stays open holds back: their last stable offset stands still though more is written. */
export class HeldBack {
  private readonly clock: Clock
  private readonly held = new Map<string, Held>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** @param end behind everything written; undefined where that is not known */
  saw({ topic, partition }: TopicPartition, stable: number, end: number | undefined): void {
    const name = `${topic}/${partition}`
    if (end === undefined || end <= stable) return void this.held.delete(name)
    const before = this.held.get(name)
    const since = before?.stable === stable ? before.since : this.clock.now()
    this.held.set(name, { topic, partition, stable, records: end - stable, since })
  }

  forget(): void {
    this.held.clear()
  }

  /** Partitions whose stable offset does not move, for however short a time. */
  get all(): readonly Held[] {
    return [...this.held.values()]
  }

  /** The oldest, once it has stood still for HELD_MS. */
  get lasting(): Held | undefined {
    const oldest = this.all.toSorted((a, b) => a.since - b.since)[0]
    return oldest && this.clock.now() - oldest.since >= HELD_MS ? oldest : undefined
  }
}

export const heldInWords = ({ topic, partition, stable, records, since }: Held, now: number): string =>
  `${topic}/${partition}: a transaction that nobody ends holds back ${records} records from offset ${stable} on, for ` +
  `${Math.round((now - since) / 1_000)} s. \`sequencer doctor\` names it and says how to end it`
