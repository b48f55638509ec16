import type { Clock } from '../../../streams/ports.ts'
import type { SimulatedBroker } from './simulated-broker.ts'

/** Smallest distance between two messages that must not overtake each other, in ms; a double of today's time resolves 0.0003. */
const GAP_MS = 0.001

/** An instance as a process: it runs, stands still (messages to it wait), or is dead (nothing reaches it any more). */
export class SimulatedProcess {
  state: 'running' | 'paused' | 'dead' = 'running'
  readonly clock: Clock
  private readonly name: string
  private readonly broker: SimulatedBroker
  private held: (() => void)[] = []

  constructor(name: string, broker: SimulatedBroker) {
    this.name = name
    this.broker = broker
    this.clock = { now: () => broker.clock.now(), sleep: (ms, signal) => this.sleep(ms, signal) }
  }

  crash(): void {
    this.state = 'dead'
    this.held = []
  }

  pause(): void {
    if (this.state === 'running') this.state = 'paused'
  }

  resume(): void {
    if (this.state !== 'paused') return
    this.state = 'running'
    for (const action of this.held.splice(0)) action() // in the order of arrival, before anything newer
  }

  /**
   * A request and its answer, each some time on its way; a throw of `act` is an answer too. Never settles when the process
   * dies first; what it had sent may then arrive or not.
   */
  exchange<T>(label: string, act: (answer: (value: T) => void) => void): Promise<T> {
    return this.exchangeAfter(() => this.broker.latency(), label, act)
  }

  /** As `exchange`, but requests arrive in the order in which they were sent. */
  sendingLine(): SimulatedProcess['exchange'] {
    const delay = this.inOrder()
    return (label, act) => this.exchangeAfter(delay, label, act)
  }

  /** Messages to this process that arrive in the order in which they were sent. */
  line(label: string): (action: () => void) => void {
    const delay = this.inOrder()
    return (action) => this.schedule(delay(), label, action)
  }

  private exchangeAfter<T>(delay: () => number, label: string, act: (answer: (value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const answer = (settle: () => void): void => this.schedule(this.broker.latency(), `${label}: answer`, settle)
      this.send(delay, label, () => {
        try {
          act((value) => answer(() => resolve(value)))
        } catch (error) {
          answer(() => reject(error))
        }
      })
    })
  }

  /** A request of a process that stands still leaves it when it goes on. */
  private send(delay: () => number, label: string, arrive: () => void): void {
    if (this.state === 'dead') return
    if (this.state === 'paused') {
      this.held.push(() => this.send(delay, label, arrive))
      return
    }
    const lostWithProcess = this.broker.random.chance(0.5)
    this.broker.clock.schedule(delay(), `${this.name} ${label}`, () => {
      if (this.state !== 'dead' || !lostWithProcess) arrive()
    })
  }

  /** Something reaches the process: at once, when it goes on, or never. */
  private schedule(delayMs: number, label: string, action: () => void): void {
    this.broker.clock.schedule(delayMs, `${this.name} ${label}`, () => {
      if (this.state === 'running') action()
      else if (this.state === 'paused') this.held.push(action)
    })
  }

  private inOrder(): () => number {
    let last = 0
    return () => {
      const now = this.broker.clock.exact
      last = Math.max(now + this.broker.latency(), last + GAP_MS)
      return last - now
    }
  }

  private sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      let over = false
      const finish = (): void => {
        if (over) return
        over = true
        signal?.removeEventListener('abort', finish)
        resolve()
      }
      this.schedule(ms, 'wakes', finish)
      signal?.addEventListener('abort', finish, { once: true })
    })
  }
}
