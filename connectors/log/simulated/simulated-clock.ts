import type { Clock } from '../../../streams/ports.ts'

/** Something that will happen at a time; `cancelled` ones are passed over. */
export interface ScheduledEvent {
  readonly at: number
  readonly tie: number
  readonly label: string
  readonly action: () => void
  cancelled: boolean
}

/** 2024-01-01T00:00:00Z, so that simulated timestamps look like real ones. */
const START_MS = 1_704_067_200_000

/** Events that may be pending at once; more means that somebody schedules without end. */
const EVENTS_MAX = 1_000_000

/** Time that only moves when it is told to. Also the scheduler of whatever happens in that time. */
export class SimulatedClock implements Clock {
  private readonly heap: ScheduledEvent[] = []
  private readonly tie: () => number
  private time = START_MS
  private scheduled = 0

  /** @param random decides the order of events of the same moment; by default the order in which they were scheduled */
  constructor(random?: () => number) {
    this.tie = random ?? (() => this.scheduled)
  }

  now(): number {
    return Math.floor(this.time)
  }

  /** As `now`, with the fraction of the millisecond. */
  get exact(): number {
    return this.time
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const finish = (): void => {
        event.cancelled = true
        signal?.removeEventListener('abort', finish)
        resolve()
      }
      const event = this.schedule(ms, 'wake', finish)
      signal?.addEventListener('abort', finish, { once: true })
    })
  }

  /** @param delayMs may be a fraction */
  schedule(delayMs: number, label: string, action: () => void): ScheduledEvent {
    this.scheduled++
    const event = { at: this.time + Math.max(0, delayMs), tie: this.tie(), label, action, cancelled: false }
    if (this.heap.push(event) > EVENTS_MAX) throw new Error(`more than ${EVENTS_MAX} events are pending`)
    rise(this.heap)
    return event
  }

  /** Moves to the next event and lets it happen. @returns it, or undefined when there is none */
  step(): ScheduledEvent | undefined {
    for (;;) {
      const event = takeFirst(this.heap)
      if (event === undefined) return undefined
      if (event.cancelled) continue
      this.time = Math.max(this.time, event.at)
      event.action()
      return event
    }
  }

  /** Lets `ms` pass with everything that happens in it; what that schedules within the time happens too. */
  advance(ms: number): void {
    const until = this.time + ms
    while (this.heap.length > 0 && this.heap[0]!.at <= until) this.step()
    this.time = Math.max(this.time, until)
  }
}

function before(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.tie < b.tie)
}

/** Puts the last element of a binary heap where it belongs. */
function rise(heap: ScheduledEvent[]): void {
  let at = heap.length - 1
  const event = heap[at]!
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(event, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = event
}

function takeFirst(heap: ScheduledEvent[]): ScheduledEvent | undefined {
  const first = heap[0]
  const moved = heap.pop()
  if (moved === undefined || heap.length === 0) return first
  let at = 0
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
    if (!before(heap[child]!, moved)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = moved
  return first
}
