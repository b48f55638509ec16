/** The notices of `dev` beside the epochs: a role that waits for something, and complaints of the simulated world. */
import type { Health } from '../../base/health.ts'
import type { Closeable } from '../../base/lifecycle.ts'
import type { Screen } from './screen.ts'

const LOOK_MS = 500
/** A complaint that lasts is repeated this often, from any source. */
const SAY_AGAIN_MS = 30_000
/** So many different complaints are told apart. */
const KEPT_MAX = 64

/** Says when a role stops being ready, with what it waits for, and when it is ready again. */
export function watchHealth(health: Health, screen: Screen): Closeable {
  const waiting = new Set<string>()
  const look = () => {
    for (const [role, { ready, detail }] of Object.entries(health.report().roles)) {
      if (ready ? waiting.delete(role) : !waiting.has(role) && waiting.add(role))
        screen.say(ready ? `${role}: ready again` : `warning: ${role} waits: ${detail}`)
    }
  }
  const timer = setInterval(look, LOOK_MS)
  return { close: async () => clearInterval(timer) }
}

/** A `say` that keeps quiet about what it said of the same matter a short while ago. */
export function rarely(say: (text: string) => void, now: () => number): (matter: string, text: string) => void {
  const saidAt = new Map<string, number>()
  return (matter, text) => {
    if (now() - (saidAt.get(matter) ?? -SAY_AGAIN_MS) < SAY_AGAIN_MS) return
    if (saidAt.size >= KEPT_MAX) saidAt.clear()
    saidAt.set(matter, now())
    say(text)
  }
}
