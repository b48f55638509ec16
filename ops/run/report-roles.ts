import type { Health } from '../base/health.ts'
import type { Closeable } from '../base/lifecycle.ts'
import type { RunLines } from './lines.ts'

const LOOK_MS = 1_000

/** Says when a role becomes ready or no longer is. */
export function reportRoles(health: Health, lines: Pick<RunLines, 'role'>): Closeable {
  const said = new Map<string, boolean>()
  const look = (): void => {
    for (const [role, state] of Object.entries(health.report().roles)) {
      if (said.get(role) === state.ready) continue
      said.set(role, state.ready)
      lines.role(role, state)
    }
  }
  look()
  const timer = setInterval(look, LOOK_MS)
  return { close: async () => clearInterval(timer) }
}
