/**
 * The processes of a sequencer, as each says of itself in the topic `processes`. Everybody who may write there may say anything: a
 * report is bounded in number and size, shown, and decides nothing.
 */
import type { ProcessReport, ProcessRole, ProcessSigner } from '../../schemas/types.ts'
import { isTimestamp } from '../../streams/read-record.ts'
import { ROLES, type Role } from '../base/roles.ts'

/** Between two reports of a process. */
export const REPORT_MS = 10_000
/** A process that was heard of within this runs; two reports may be lost, and clocks differ a little. */
export const HEARD_MS_MAX = 35_000
/** A process that was not heard of for so long is not shown any more, and its row is taken away. */
export const FORGOTTEN_MS = 24 * 3_600_000
/** Processes that are shown; rows beyond are taken away, those first that were not heard of for longest. */
export const PROCESSES_MAX = 200

const TEXT_MAX = 1_000
const LIST_MAX = 32

/** RUNS: it does the work. STANDS_BY: another one does. WAITS: for something outside. DOWN: it has not started, or failed. */
export const STANDINGS = ['RUNS', 'STANDS_BY', 'WAITS', 'DOWN'] as const
export type Standing = (typeof STANDINGS)[number]

export const standingOf = ({ ready, works }: Pick<ProcessRole, 'ready' | 'works'>): Standing =>
  ready ? (works ? 'RUNS' : 'STANDS_BY') : works ? 'WAITS' : 'DOWN'

/** SILENT: not heard of of late: it was killed, is cut off from the log, or stands still. AHEAD: its clock is, so nobody can say. */
export const PROCESS_STATES = ['RUNNING', 'SILENT', 'AHEAD'] as const
export type ProcessState = (typeof PROCESS_STATES)[number]

/** Times are ms since 1970. */
export interface ProcessStatus {
  readonly instanceId: string
  readonly state: ProcessState
  readonly heardAt: number
  readonly startedAt: number
  readonly version: string
  readonly host: string
  readonly pid: number
  readonly ops: string
  readonly probes: string
  readonly intake: readonly string[]
  readonly roles: readonly ProcessRoleStatus[]
  readonly acknowledged: number | null
  readonly signer: ProcessSigner | null
}

export interface ProcessRoleStatus {
  /** Or a part that has a health of its own. */
  readonly role: string
  readonly standing: Standing
  readonly detail: string
  readonly since: number
}

export interface Processes {
  /** By name. */
  readonly items: readonly ProcessStatus[]
  /** Further ones that there is no room for. */
  readonly more: number
}

interface Row {
  readonly report: ProcessReport
  readonly heardAt: number
}

/** The newest report of each process. */
export class ProcessTable {
  private readonly rows = new Map<string, Row>()
  private readonly refused = new Set<string>()

  /**
   * @param report null: it has ended
   * @param heardAt by our clock where that is known, else what the report says
   */
  apply(instanceId: string, report: ProcessReport | null, heardAt: number): void {
    this.refused.delete(instanceId)
    if (report === null) return void this.rows.delete(instanceId)
    if (!isSound(instanceId, report)) return
    if (!this.rows.has(instanceId) && this.rows.size >= PROCESSES_MAX && !this.makeRoom(heardAt)) {
      if (this.refused.size < PROCESSES_MAX) this.refused.add(instanceId)
      return
    }
    this.rows.set(instanceId, { report, heardAt })
  }

  /** The processes as they are now. */
  list(now: number): Processes {
    const items = [...this.rows].flatMap(([instanceId, row]) => {
      const isKnown = Math.abs(now - row.heardAt) <= FORGOTTEN_MS
      return isKnown ? [statusOf(instanceId, row, now)] : []
    })
    return { items: items.sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1)), more: this.refused.size }
  }

  /** Names of rows that nobody needs: forgotten ones. */
  forgotten(now: number): readonly string[] {
    return [...this.rows].flatMap(([id, { heardAt }]) => (Math.abs(now - heardAt) > FORGOTTEN_MS ? [id] : []))
  }

  /** Processes that were refused for want of room, as far as they are remembered. */
  get beyond(): readonly string[] {
    return [...this.refused]
  }

  /** A process that is heard of keeps its place, however many others come. */
  private makeRoom(now: number): boolean {
    let oldest: string | undefined
    let at = now - HEARD_MS_MAX
    for (const [id, { heardAt }] of this.rows)
      if (heardAt < at || Math.abs(now - heardAt) > FORGOTTEN_MS) [oldest, at] = [id, Math.min(at, heardAt)]
    return oldest !== undefined && this.rows.delete(oldest)
  }
}

/** Nothing that we write is longer, or of another time. */
function isSound(instanceId: string, { roles, intake, signer, ...report }: ProcessReport): boolean {
  const { version, host, ops, probes, at, startedAt } = report
  const texts = [instanceId, version, host, ops, probes, ...intake, ...roles.flatMap((one) => [one.role, one.detail])]
  const times = [at, startedAt, ...roles.map(({ since }) => since), ...(signer ? [signer.balanceAt ?? 0] : [])]
  return (
    roles.length <= LIST_MAX &&
    intake.length <= LIST_MAX &&
    texts.every((text) => text.length <= TEXT_MAX) &&
    times.every(isTimestamp) &&
    (report.acknowledged ?? 0) >= 0 &&
    (signer === null || isSigner(signer))
  )
}

const isSigner = ({ address, balanceWei, nonce }: ProcessSigner): boolean =>
  /^0x[0-9a-f]{40}$/.test(address) && /^[0-9]{1,78}$/.test(balanceWei ?? '0') && (nonce ?? 0) >= 0

function statusOf(instanceId: string, { report, heardAt }: Row, now: number): ProcessStatus {
  const { at: _, roles, ...fields } = report
  const state = heardAt > now + HEARD_MS_MAX ? 'AHEAD' : now - heardAt <= HEARD_MS_MAX ? 'RUNNING' : 'SILENT'
  const known = roles.map(({ role, detail, since, ...how }) => ({ role, standing: standingOf(how), detail, since }))
  return { instanceId, state, heardAt, ...fields, roles: known }
}

/** The processes that work a role, and those that would. */
export interface RoleStatus {
  readonly role: Role
  /** The best of those that run; NOBODY: no process that runs has it. */
  readonly standing: Standing | 'NOBODY'
  readonly processes: readonly RoleHolder[]
}

export interface RoleHolder {
  readonly instanceId: string
  /** SILENT: its process is. */
  readonly standing: Standing | 'SILENT'
  readonly detail: string
  /** When a silent one was heard of last. */
  readonly since: number
}

/** One line for each role that there is, whether anybody has it or not. */
export const rolesOf = (processes: readonly ProcessStatus[]): readonly RoleStatus[] =>
  ROLES.map((role) => {
    const holders = processes.flatMap((process) => holdersIn(process, role))
    return { role, standing: best(holders), processes: holders }
  })

const holdersIn = ({ instanceId, state, heardAt, roles }: ProcessStatus, role: Role): RoleHolder[] =>
  roles
    .filter((one) => one.role === role)
    .slice(0, 1)
    .map(({ standing, detail, since }) =>
      state === 'RUNNING'
        ? { instanceId, standing, detail, since }
        : { instanceId, standing: 'SILENT', detail, since: heardAt },
    )

const BEST: readonly Standing[] = ['RUNS', 'WAITS', 'STANDS_BY', 'DOWN']
const best = (holders: readonly RoleHolder[]): Standing | 'NOBODY' =>
  BEST.find((standing) => holders.some((one) => one.standing === standing)) ?? 'NOBODY'

/** Acknowledged by all intakes in the last minute; null when none runs. */
export function acknowledgedIn(processes: readonly ProcessStatus[]): number | null {
  const counts = processes.flatMap(({ state, acknowledged }) => (state === 'RUNNING' ? (acknowledged ?? []) : []))
  return counts.length === 0 ? null : counts.reduce((sum, one) => sum + one, 0)
}

/** The signer of the process that sends; of several that say so, the one that was heard of last. */
export function signerIn(processes: readonly ProcessStatus[]): ProcessSigner | null {
  const told = processes.filter(({ state, signer }) => state !== 'AHEAD' && signer !== null)
  return told.sort((a, b) => b.heardAt - a.heardAt)[0]?.signer ?? null
}
