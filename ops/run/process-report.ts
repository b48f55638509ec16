/** Tells in the log how this process is, for `sequencer status`, the query API and the console. It decides nothing. */
import { hostname } from 'node:os'
import type { ProcessReport } from '../../schemas/types.ts'
import type { Clock, Log } from '../../streams/ports.ts'
import { within } from '../../streams/within.ts'
import type { Topics } from '../../topology/topics.ts'
import type { Health } from '../base/health.ts'
import type { Closeable } from '../base/lifecycle.ts'
import { REPORT_MS } from '../reading/processes.ts'
import { readProcesses } from '../reading/read-processes.ts'
import type { Told } from './told.ts'

/** Between two looks at the health: a role that begins or ceases to work is told then, and not before. */
const LOOK_MS = 2_000
/** Between two looks for rows of processes that are gone. */
const SWEEP_MS = 3_600_000
/** The last words of a process may take so long. */
const CLOSE_MS_MAX = 2_000
const DETAIL_MAX = 500
const ROLES_MAX = 24
const ADDRESSES_MAX = 16

export interface ReportingPorts {
  readonly log: Log
  readonly clock: Clock
  readonly topics: Pick<Topics, 'processes'>
  readonly health: Pick<Health, 'report'>
  readonly told: Told
}

export interface ReportedProcess {
  readonly instanceId: string
  readonly version: string
  readonly ops: string
  readonly probes: string
  /** Has the role intake. */
  readonly collects: boolean
}

export interface ProcessReporting extends Closeable {
  /** The multiaddrs of its intake. */
  intake(multiaddrs: readonly string[]): void
}

/** A report at once, each REPORT_MS, and when a role's standing changes; a tombstone at the end. Ends nothing when the log is away. */
export function startProcessReports(of: ReportedProcess, ports: ReportingPorts): ProcessReporting {
  const { clock, told } = ports
  const stop = new AbortController()
  const startedAt = clock.now()
  let intake: readonly string[] = []
  const report = (): ProcessReport => reportOf(of, ports, { startedAt, intake })
  const write = (last?: null): Promise<void> =>
    append(ports, of.instanceId, last === null ? null : report()).catch(() => {}) // the next one says the same and more

  const telling = (async () => {
    let saidAt = Number.NEGATIVE_INFINITY
    let said = ''
    let sweptAt = clock.now() - SWEEP_MS + REPORT_MS // soon after the start, when its own report is there
    while (!stop.signal.aborted) {
      const now = clock.now()
      const standing = standingsIn(report())
      if (standing !== said || Math.abs(now - saidAt) >= REPORT_MS) {
        ;[said, saidAt] = [standing, now]
        await write()
      }
      if (Math.abs(now - sweptAt) >= SWEEP_MS) {
        sweptAt = now
        await sweep(ports, of.instanceId).catch(() => {}) // in an hour, then
      }
      await clock.sleep(LOOK_MS, stop.signal)
    }
    await write(told.failed ? undefined : null)
  })()
  return {
    intake(multiaddrs) {
      intake = multiaddrs.slice(0, ADDRESSES_MAX)
    },
    async close() {
      stop.abort()
      await within(telling, { clock, ms: CLOSE_MS_MAX }, () => undefined)
    },
  }
}

/** A change of it makes a report due at once. */
const standingsIn = ({ roles }: ProcessReport): string =>
  roles.map(({ role, ready, works }) => `${role} ${ready} ${works}`).join()

function reportOf(
  { version, ops, probes, collects }: ReportedProcess,
  { clock, health, told }: ReportingPorts,
  { startedAt, intake }: Pick<ProcessReport, 'startedAt' | 'intake'>,
): ProcessReport {
  const roles = Object.entries(health.report().roles).slice(0, ROLES_MAX)
  return {
    at: clock.now(),
    startedAt,
    version,
    host: hostname(),
    pid: process.pid,
    ops,
    probes,
    intake,
    roles: roles.map(([role, { ready, works, detail, since }]) => ({
      role,
      ready,
      works,
      detail: detail.slice(0, DETAIL_MAX),
      since: Date.parse(since),
    })),
    acknowledged: collects ? told.acknowledged.sum : null,
    signer: told.signer,
  }
}

async function append(
  { log, clock, topics: { processes } }: ReportingPorts,
  instanceId: string,
  report: ProcessReport | null,
): Promise<void> {
  const appender = await log.appender()
  try {
    const key = processes.key.encode({ instanceId })
    const value = report && processes.value.encode(report)
    await appender.append([{ topic: processes.name, partition: 0, timestamp: clock.now(), key, value }])
  } finally {
    await appender.close()
  }
}

/** Takes away the rows of processes that ended without a word long ago, and rows that there is no room for. */
async function sweep(ports: ReportingPorts, own: string): Promise<void> {
  const table = await readProcesses(ports.log, ports.topics)
  for (const instanceId of [...table.forgotten(ports.clock.now()), ...table.beyond])
    if (instanceId !== own) await append(ports, instanceId, null)
}
