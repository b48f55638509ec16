/**
 * Watches the event loop. While it is blocked nothing is heartbeaten, fetched or answered: beyond the session time-out of a
 * group (30 s) brokers throw its members out. Seen from inside, so a block is told of when it ends.
 */
import type { Closeable } from '../base/lifecycle.ts'
import type { Metrics } from './metrics/create.ts'

const TICK_MS = 500
/** A slice of a task takes 5 ms; a blocked second is a fault of something. */
const BLOCKED_MS = 1_000

/** @param onCluster there are brokers who would throw the process out */
export function watchEventLoop(metrics: Metrics, warn: (text: string) => void, onCluster: boolean): Closeable {
  const after = onCluster ? 'groups throw a member out after 30 s' : 'nothing went on meanwhile'
  let due = performance.now() + TICK_MS
  const timer = setInterval(() => {
    const lateMs = performance.now() - due
    due = performance.now() + TICK_MS
    metrics.loopLagSeconds.set(Math.max(0, lateMs) / 1000)
    if (lateMs < BLOCKED_MS) return
    metrics.loopBlocks.inc()
    warn(`the event loop was blocked for ${(lateMs / 1000).toFixed(1)} s; ${after}`)
  }, TICK_MS)
  timer.unref()
  return { close: async () => clearInterval(timer) }
}
