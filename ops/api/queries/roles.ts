/** The processes, and the roles that none does, as the reports in the log and this process say. */
import { systemClock } from '../../../connectors/system-clock.ts'
import { type Processes, type ProcessStatus, rolesOf, standingOf } from '../../reading/processes.ts'
import type { Asked } from '../asked.ts'
import type { HealthAnswer } from '../health-schema.ts'

export type Own = Pick<Asked, 'processes' | 'health' | 'instanceId'>

/** The process knows better of itself than the log, which may be away. */
export function knownProcesses({ processes, health, instanceId }: Own): Processes {
  const { items, more } = processes.list()
  const roles = Object.entries(health.report().roles).map(([role, { detail, since, ...how }]) => ({
    role,
    standing: standingOf(how),
    detail,
    since: Date.parse(since),
  }))
  const isOwn = (one: ProcessStatus): boolean => one.instanceId === instanceId
  const fresh = { state: 'RUNNING', heardAt: systemClock.now(), roles } as const
  return { items: items.map((one) => (isOwn(one) ? { ...one, ...fresh } : one)), more }
}

/** The roles that no process does now. None when no process has reported: all may be older ones. */
export function troubledRoles(asked: Own): HealthAnswer['troubled'] {
  const { items } = knownProcesses(asked)
  const all = items.length === 0 ? [] : rolesOf(items)
  return all.filter(({ standing }) => standing !== 'RUNS' && standing !== 'STANDS_BY').map(withLists)
}

export const withLists = <R extends { readonly processes: readonly object[] }>(role: R) => ({
  ...role,
  processes: [...role.processes] as R['processes'][number][],
})
