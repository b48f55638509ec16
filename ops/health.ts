/** What each role of the process last said of itself. One that was never heard of is not ready. */
export interface RoleHealth {
  readonly ready: boolean
  /** In words: what it waits for, or what went wrong last. */
  readonly detail: string
  readonly since: string
}

export interface HealthReport {
  /** Every role runs. */
  readonly ready: boolean
  readonly roles: Readonly<Record<string, RoleHealth>>
}

export interface Health {
  set(role: string, ready: boolean, detail?: string): void
  /** Asks at each report instead of waiting to be told. */
  probe(role: string, ask: () => { ready: boolean; detail: string }): void
  /** It will not come back: nothing that is said later makes the role ready again. */
  fail(role: string, detail: string): void
  report(): HealthReport
}

export function createHealth(roles: readonly string[], now: () => number): Health {
  const states = new Map<string, RoleHealth>()
  const probes = new Map<string, () => { ready: boolean; detail: string }>()
  const failed = new Set<string>()
  const at = () => new Date(now()).toISOString()
  for (const role of roles) states.set(role, { ready: false, detail: 'not started', since: at() })
  const set = (role: string, ready: boolean, detail = ''): void => {
    const last = states.get(role)
    if (failed.has(role) || (last?.ready === ready && last.detail === detail)) return
    states.set(role, { ready, detail, since: last?.ready === ready ? last.since : at() })
  }
  return {
    set,
    probe: (role, ask) => void probes.set(role, ask),
    fail(role, detail) {
      set(role, false, detail)
      failed.add(role)
    },
    report() {
      for (const [role, ask] of probes) {
        const { ready, detail } = ask()
        set(role, ready, detail)
      }
      return { ready: [...states.values()].every((state) => state.ready), roles: Object.fromEntries(states) }
    },
  }
}
