/** Figures of what the processes of a role measured. Pure. */
import { type BenchRow, row } from '../rows.ts'

export const ROLES = ['validate', 'admit', 'consensus'] as const
export type ScaleRole = (typeof ROLES)[number]

/** One process, from the end of its warm-up on. */
export interface MemberRun {
  readonly records: number
  readonly wallSeconds: number
  /** User and system, all threads of the process, up to its last commit. */
  readonly cpuSeconds: number
  /** Records with those of the warm-up. */
  readonly total: number
}

/** The processes of one role at work at the same time. */
export interface RoleRun {
  readonly role: ScaleRole
  readonly members: readonly MemberRun[]
  /** Submissions that lay in the input. */
  readonly sent: number
  /** CPU of the brokers from the beginning, the warm-up among it. */
  readonly brokerCpuSeconds: number
}

/** @throws Error when a process did nothing that could be measured, or all of them had fewer records than were sent */
export function rowsOfRun({ role, members, sent, brokerCpuSeconds }: RoleRun, conditions: string): BenchRow[] {
  const idle = members.findIndex(({ records, wallSeconds }) => !(records > 0 && wallSeconds > 0))
  if (idle >= 0)
    throw new Error(`process ${idle + 1} of ${members.length} of ${role} had nothing to do after its warm-up`)
  const total = sumOf(members, 'total')
  if (total < sent) throw new Error(`the processes of ${role} had ${total} records, ${sent} submissions were sent`)
  const name = nameOf(role, members.length)
  return [
    row(
      name,
      members.reduce((sum, one) => sum + one.records / one.wallSeconds, 0),
      'submissions/s',
      conditions,
    ),
    row(`${name}, CPU`, microsEach(members), 'µs CPU/submission', `${conditions}; the broker's is not in it`),
    row(`${name}, CPU of the broker`, (brokerCpuSeconds / sent) * 1e6, 'µs CPU/submission', conditions),
  ]
}

/** CPU per submission with most processes as a multiple of that with fewest: 1 when it does not grow. */
export function growthRow(role: ScaleRole, runs: readonly RoleRun[], conditions: string): BenchRow {
  const sorted = runs.filter((run) => run.role === role).toSorted((a, b) => a.members.length - b.members.length)
  const [fewest, most] = [sorted[0]!, sorted.at(-1)!]
  return row(
    `${role}, CPU per submission: ${most.members.length} processes / ${fewest.members.length}`,
    microsEach(most.members) / microsEach(fewest.members),
    'ratio',
    `run by run, ${conditions}`,
  )
}

const nameOf = (role: ScaleRole, processes: number): string =>
  `${role}, ${processes} ${processes === 1 ? 'process' : 'processes'}`

const microsEach = (members: readonly MemberRun[]): number =>
  (sumOf(members, 'cpuSeconds') / sumOf(members, 'records')) * 1e6

const sumOf = (members: readonly MemberRun[], field: keyof MemberRun): number =>
  members.reduce((sum, one) => sum + one[field], 0)
