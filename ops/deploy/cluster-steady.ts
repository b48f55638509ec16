/** Administration of a cluster that does not know everything yet: it starts, a broker is away, or topics have just been made. */
import { doubling, repeated } from '../../streams/back-off.ts'
import type { Clock } from '../../streams/ports.ts'

/** How long one step is tried. A broker that is killed is replaced as a leader within some 10 s. */
const STEP_MS_MAX = 30_000
const pauseMs = doubling({ firstMs: 250, mostMs: 2_000 })

/** A cluster that starts knows only some of its brokers at first, and says that there are too few for so many copies. */
const TOO_FEW_BROKERS = 'INVALID_REPLICATION_FACTOR'

/**
 * Repeats a step while the brokers refuse it for what passes: they do not know a topic yet, a partition has no leader, the
 * controller moves, too few brokers have come.
 * @param step looks anew at what is there: part of it may have been done
 * @throws the last refusal, after `STEP_MS_MAX`
 */
export function onceSteady<T>(clock: Clock, step: (failures: number) => Promise<T>): Promise<T> {
  const end = clock.now() + STEP_MS_MAX
  return repeated({ clock, pauseMs, mayPass: (error) => clock.now() < end && passes(error) }, step)
}

/** kafkajs says which codes of the protocol may pass, and gathers what was said of each topic. */
function passes(error: unknown): boolean {
  const { retriable, type, errors, cause } = error as {
    readonly retriable?: boolean
    readonly type?: string
    readonly errors?: readonly unknown[]
    readonly cause?: unknown
  }
  if (retriable === true || type === TOO_FEW_BROKERS) return true
  if (errors !== undefined && errors.length > 0) return errors.every(passes)
  return typeof cause === 'object' && cause !== null && passes(cause)
}
