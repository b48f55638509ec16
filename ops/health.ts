/** What each part of the process last said of itself. A part that was never heard of is not ready. */
export interface PartHealth {
  readonly ready: boolean
  /** In words: what it waits for, or what went wrong last. */
  readonly detail: string
  readonly since: string
}

export interface Health {
  set(part: string, ready: boolean, detail?: string): void
  report(): { ready: boolean; parts: Record<string, PartHealth> }
}

export function createHealth(parts: readonly string[], now: () => number): Health {
  const states = new Map<string, PartHealth>()
  const at = () => new Date(now()).toISOString()
  for (const part of parts) states.set(part, { ready: false, detail: 'not started', since: at() })
  return {
    set(part, ready, detail = '') {
      const last = states.get(part)
      if (last?.ready === ready && last.detail === detail) return
      states.set(part, { ready, detail, since: last?.ready === ready ? last.since : at() })
    },
    report: () => ({ ready: [...states.values()].every((state) => state.ready), parts: Object.fromEntries(states) }),
  }
}
