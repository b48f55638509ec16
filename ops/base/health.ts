import { withoutKeys } from './shown-url.ts'

/** The last words of each role of the process. A role that was never heard of is not ready. */
export interface RoleHealth {
  readonly ready: boolean
  /** The part does the work, or waits for something outside to do it; it does not stand by, and has not failed. */
  readonly works: boolean
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
  /** @param works as before when it is left out; at first it does not */
  set(role: string, ready: boolean, detail?: string, works?: boolean): void
  /** Asks at each report instead of waiting to be told. */
  probe(role: string, ask: () => Omit<RoleHealth, 'since'>): void
  /** The role will not come back: nothing that is said later makes it ready again. */
  fail(role: string, detail: string): void
  report(): HealthReport
}

/** The words for a role before it says anything itself. */
export const NOT_STARTED = 'not started'

export function createHealth(roles: readonly string[], now: () => number): Health {
  const states = new Map<string, RoleHealth>()
  const probes = new Map<string, () => Omit<RoleHealth, 'since'>>()
  const failed = new Set<string>()
  const at = () => new Date(now()).toISOString()
  for (const role of roles) states.set(role, { ready: false, works: false, detail: NOT_STARTED, since: at() })
  // a library's message about a node has the node's address in it, and anybody may read this
  const set: Health['set'] = (role, ready, said = '', works = states.get(role)?.works ?? false) => {
    const detail = withoutKeys(said)
    const last = states.get(role)
    if (failed.has(role) || (last?.ready === ready && last.detail === detail && last.works === works)) return
    states.set(role, { ready, works, detail, since: last?.ready === ready ? last.since : at() })
  }
  return {
    set,
    probe: (role, ask) => void probes.set(role, ask),
    fail(role, detail) {
      set(role, false, detail, false)
      failed.add(role)
    },
    report() {
      for (const [role, ask] of probes) {
        const { ready, detail, works } = ask()
        set(role, ready, detail, works)
      }
      return { ready: [...states.values()].every((state) => state.ready), roles: Object.fromEntries(states) }
    },
  }
}
