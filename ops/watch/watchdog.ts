/**
 * Watches the event loop. While it is blocked nothing is heartbeaten, fetched or answered: beyond the session time-out of a
 * group (30 s) its members are thrown out. Seen from inside, so a block is told of when it ends.
 */
import type { Closeable } from '../base/lifecycle.ts'
import type { Metrics } from './metrics/create.ts'

const TICK_MS = 500
/** A slice of a task takes 5 ms; a blocked second is a fault of something. */
const BLOCKED_MS = 1_000

export function watchEventLoop(metrics: Metrics, warn: (text: string) => void): Closeable {
  let due = performance.now() + TICK_MS
  const timer = setInterval(() => {
    const lateMs = performance.now() - due
    due = performance.now() + TICK_MS
    metrics.loopLagSeconds.set(Math.max(0, lateMs) / 1000)
    if (lateMs < BLOCKED_MS) return
    metrics.loopBlocks.inc()
    warn(`the event loop was blocked for ${(lateMs / 1000).toFixed(1)} s; groups throw a member out after 30 s`)
  }, TICK_MS)
  timer.unref()
  return { close: async () => clearInterval(timer) }
}
