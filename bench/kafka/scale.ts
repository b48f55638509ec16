/**
 * `npm run bench:scale`: whether a role costs the same with more processes. 1, 2 and 4 processes of validate, admit and consensus
 * (up to the votes) on one broker, with a partition and equally many submissions for each process, signed for good and prepared
 * once. Submissions per second, CPU per submission of the processes by their own resource usage, and the broker's beside.
 *
 * A machine with two cores is no faster with four processes; the CPU per submission is what must not grow. Every output is
 * counted; a difference to what was sent, or the end of a process, ends the run with 1.
 *
 * `--submissions N` for each process (30,000), `--runs N`, `--save`, `--against` and `--json` as `npm run bench`.
 */

import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openKafkaLog } from '../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { type Kafka, startKafka } from '../../ops/world/brokers/start.ts'
import type { Log } from '../../streams/ports.ts'
import { figuresOf } from '../figures.ts'
import { caughtUp } from '../flow-world.ts'
import { askedRuns, FIGURE_OPTIONS, keptIn, machine, report } from '../kept-figures.ts'
import type { BenchRow } from '../rows.ts'
import { growthRow, ROLES, type RoleRun, rowsOfRun, type ScaleRole } from './scale-figures.ts'
import { startMembers } from './scale-members.ts'
import {
  count,
  countOutput,
  fillTopics,
  PROJECTS,
  type Prepared,
  prepareSubmissions,
  scaleTopics,
} from './scale-world.ts'
import { COMMIT_INTERVAL_MS } from './work.ts'

const PROCESSES = [1, 2, 4] as const
const PROCESSES_MOST = 4
/** With fewer the warm-up of a process is most of its work. */
const SUBMISSIONS_MIN = 3_000
const BROKER_JVM = ['-Xms512m', '-Xmx1g']
/** Linux counts CPU time in hundredths of a second (USER_HZ). */
const TICKS_PER_SECOND = 100

const { values: options } = parseArgs({
  options: { ...FIGURE_OPTIONS, submissions: { type: 'string', default: '30000' } },
})
const runs = askedRuns(options.runs)
const submissions = Number(options.submissions)
if (!Number.isInteger(submissions / PROJECTS) || submissions < SUBMISSIONS_MIN) {
  console.error(`--submissions ${options.submissions}: a multiple of ${PROJECTS} from ${SUBMISSIONS_MIN} is needed`)
  process.exit(2)
}
const warmUp = Math.floor(submissions / 3)
const CONDITIONS =
  `one broker beside the processes, a partition and ${submissions} submissions for each process, ` +
  `the first ${warmUp} not measured, ${PROJECTS} projects, no worker threads, commits every ${COMMIT_INTERVAL_MS} ms`
const kept = options.against === undefined ? [] : keptIn(options.against)
const conditions = machine()
const measured: BenchRow[][] = []
const unique = Date.now().toString(36)

const prepared = await prepareSubmissions(PROCESSES_MOST * submissions)
const directory = await mkdtemp(join(tmpdir(), 'bench-scale-'))
try {
  const kafka = await startKafka({ brokers: 1, directory, jvm: BROKER_JVM })
  try {
    for (let run = 1; run <= runs; run++) measured.push(await runAll(kafka, run))
  } finally {
    await kafka.close()
  }
} finally {
  await rm(directory, { recursive: true, force: true })
}
process.exitCode = report({ bench: 'scale', machine: conditions, figures: figuresOf('scale', measured) }, options, kept)

async function runAll(kafka: Kafka, run: number): Promise<BenchRow[]> {
  const brokers = kafka.bootstrap
  const log = await openKafkaLog({ brokers, clientId: 'bench', clock: systemClock, replicationFactor: 1 })
  const all: RoleRun[] = []
  try {
    for (const processes of PROCESSES) {
      console.error(`run ${run} of ${runs}: ${processes} of each role`)
      all.push(...(await runRoles(kafka, log, processes, `scale-${run}-${processes}-${unique}-`)))
    }
  } finally {
    await log.close()
  }
  return [...all.flatMap((one) => rowsOfRun(one, CONDITIONS)), ...ROLES.map((role) => growthRow(role, all, CONDITIONS))]
}

/** The output of one role is the input of the next. */
async function runRoles(kafka: Kafka, log: Log, processes: number, prefix: string): Promise<RoleRun[]> {
  const world = await scaleTopics(prefix, processes)
  const sent: readonly Prepared[] = prepared.slice(0, processes * submissions)
  await fillTopics(log, world.topics, sent)
  const done: RoleRun[] = []
  for (const role of ROLES) {
    done.push(await runRole(kafka, log, { role, processes, prefix, sent: sent.length }))
    const found = await countOutput(log, world, role)
    const refused = await count(log, world.topics.verdicts, () => true)
    const lost = await count(log, world.topics.deadLetters, () => true)
    if (found !== sent.length || refused > 0 || lost > 0)
      throw new Error(
        `${sent.length} submissions were sent to ${processes} of ${role}; ${found} came out, ` +
          `${refused} were refused, ${lost} are dead letters`,
      )
  }
  return done
}

interface Asked {
  readonly role: ScaleRole
  readonly processes: number
  readonly prefix: string
  readonly sent: number
}

async function runRole(kafka: Kafka, log: Log, { role, processes, prefix, sent }: Asked): Promise<RoleRun> {
  const { inputs, appId } = await scaleTopics(prefix, processes)
  const shared = { brokers: kafka.bootstrap, prefix, partitions: processes, role, warmUp }
  const members = startMembers(Array.from({ length: processes }, (_, i) => ({ ...shared, instanceId: `${role}-${i}` })))
  try {
    await members.ready()
    const cpu = brokerCpu(kafka)
    members.go()
    await members.orEnd(caughtUp(log, `${appId}-${role}`, inputs[role]))
    const brokerCpuSeconds = brokerCpu(kafka) - cpu
    return { role, members: await members.stop(), sent, brokerCpuSeconds }
  } finally {
    members.kill()
  }
}

/** CPU seconds of the brokers since they started, user and system (proc(5): fields 14 and 15 of stat). */
function brokerCpu({ brokers }: Kafka): number {
  return brokers.reduce((sum, { pid }) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // the name before may have blanks; field 3 is the first
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  }, 0)
}
