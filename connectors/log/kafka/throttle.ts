import type { Clock } from '../../../streams/ports.ts'

/** An answer after which the broker reads nothing from its connection for so long, since the client is over its quota. */
export interface Throttled {
  readonly broker: string
  /** Name of the API. */
  readonly request: string
  readonly ms: number
}

/** No broker is waited for longer; its quota window is 11 s. */
const WAIT_MS_MAX = 15_000

/** Time for which brokers keep connections silent: a caller that waits for an answer there must allow for it (KIP-219). */
export class Throttle {
  private readonly clock: Clock
  private readonly tell: (throttled: Throttled) => void
  private readonly until = new Map<string, number>()
  private ms = 0

  constructor(clock: Clock, tell: (throttled: Throttled) => void) {
    this.clock = clock
    this.tell = tell
  }

  /** All that brokers have imposed since the beginning, ms. */
  get totalMs(): number {
    return this.ms
  }

  /** @param lane see `KafkaCluster.send` */
  imposed(lane: string, throttled: Throttled): void {
    const { broker, ms } = throttled
    this.ms += ms
    this.until.set(`${broker} ${lane}`, this.clock.now() + Math.min(ms, WAIT_MS_MAX))
    this.tell(throttled)
  }

  /** Ms that the broker reads nothing more on the lane; 0 when it does. */
  leftOf(broker: string, lane: string): number {
    return Math.max(0, (this.until.get(`${broker} ${lane}`) ?? 0) - this.clock.now())
  }

  /** Resolves when every broker reads the lane again: a transaction that is not begun cannot time out. */
  async over(lane: string, signal: AbortSignal): Promise<void> {
    let left = 0
    for (const [name, until] of this.until)
      if (name.endsWith(` ${lane}`)) left = Math.max(left, until - this.clock.now())
    if (left > 0) await this.clock.sleep(left, signal)
  }
}
