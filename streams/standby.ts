/** A task whose owner is another member: its stores follow their changelogs, so that this member could take it over. */
import type { Reader } from './fetch-loop.ts'
import type { FetchedPartition, FetchPosition } from './ports.ts'
import type { OnUnreadable } from './read-record.ts'
import { type Restored, restoreRecord } from './restore.ts'
import type { RuntimeObserver } from './runtime-observer.ts'
import type { StateStore } from './state.ts'
import type { Task } from './task.ts'

export class Standby implements Reader {
  readonly task: Task
  asked = false
  private readonly observer: RuntimeObserver
  private readonly positions = new Map<string, number>()
  private readonly stores = new Map<string, StateStore>()
  private readonly tell: OnUnreadable = (left) => this.observer.unreadable?.(left)
  private closed = false

  /** @param task the task of a stage that has state; nothing was processed or restored yet */
  constructor(task: Task, observer: RuntimeObserver) {
    this.task = task
    this.observer = observer
    for (const store of task.changelogs) {
      this.stores.set(store.changelog, store)
      this.positions.set(store.changelog, 0)
    }
  }

  /** Until it is closed: what comes is applied at once. */
  get hungry(): boolean {
    return !this.closed
  }

  get restored(): Restored {
    return this.positions
  }

  /** The sum of its positions, by which members that have more of the state are preferred. */
  get progress(): number {
    let sum = 0
    for (const position of this.positions.values()) sum += position
    return sum
  }

  positionsToFetch(): FetchPosition[] {
    const { partition } = this.task
    return [...this.positions].map(([topic, offset]) => ({ topic, partition, offset }))
  }

  /** Takes a fetch answer, if it is the one for the present position. */
  accept(askedFrom: number, { topic, partition, records, next, start, stable, outOfRange }: FetchedPartition): true {
    if (this.closed || this.positions.get(topic) !== askedFrom) return true
    const store = this.stores.get(topic)!
    if (outOfRange) {
      // The owner has purged what came before its oldest scope: the rest is the whole state.
      store.clear()
      this.positions.set(topic, start)
      return true
    }
    for (const record of records) if (record.offset >= askedFrom) restoreRecord(store, partition, record, this.tell)
    if (next > askedFrom) this.positions.set(topic, next)
    this.observer.standbyLag?.(this.task.stageName, topic, partition, Math.max(0, stable - next))
    return true
  }

  /** Later answers are not for it any more. */
  close(): void {
    this.closed = true
  }
}
