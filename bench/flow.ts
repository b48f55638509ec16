/**
 * From a libp2p socket to the verdict: intake, embedded log, all stages, the close of the epoch. The snapshotters are
 * another process, which has signed everything before the clock starts.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type IntakeObserver, startIntake } from '../connectors/libp2p/intake.ts'
import { openEmbeddedLog } from '../connectors/log/embedded/embedded.ts'
import { systemClock } from '../connectors/system-clock.ts'
import type { Log } from '../streams/ports.ts'
import type { RuntimeObserver } from '../streams/runtime-observer.ts'
import { recovery } from '../topology/shared/recovery.ts'
import { createFlowWorld, untilBatched } from './flow-world.ts'
import { type BenchRow, perItem, row } from './rows.ts'
import { signedDigests } from './signatures.ts'
import { PROJECTS } from './stage-data.ts'

const COUNT = 20_000
const CONNECTIONS = 8
const WORKERS = 2

export async function benchFlow(): Promise<BenchRow[]> {
  const bare = bareRecovery()
  const conditions = `${recovery.backend} libsecp256k1, digest given, 1 thread`
  return [
    row('bare recovery', bare, 'µs CPU', conditions),
    ...(await measure(bare, 0)),
    ...(await measure(bare, WORKERS)),
  ]
}

/** Public key from digest and signature, and nothing else. */
function bareRecovery(): number {
  const all = signedDigests(2_000)
  return perItem(all, ({ compact, recoveryId, digest }) => recovery.recover(compact, recoveryId, digest))
}

async function measure(bare: number, workers: number): Promise<BenchRow[]> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-flow-'))
  const log = await openEmbeddedLog({ directory })
  try {
    const { submissions, wallSeconds, cpuSeconds } = await runFlow(log, { workers })
    const micros = (cpuSeconds * 1e6) / submissions
    const name = `socket → verdict, one process with ${workers} worker threads`
    const conditions = `${submissions} submissions, ${CONNECTIONS} connections, embedded log, exactly-once; client in another process`
    return [
      row(name, submissions / wallSeconds, 'submissions/s', conditions),
      row(`${name}, CPU`, micros, 'µs/submission', conditions),
      row(`${name}, CPU / bare recovery`, micros / bare, 'ratio', conditions),
    ]
  } finally {
    await log.close()
    await rm(directory, { recursive: true, force: true })
  }
}

export interface FlowRun {
  readonly submissions: number
  readonly wallSeconds: number
  /** CPU time of all threads of this process: the intake, all stages, the driver of the log. */
  readonly cpuSeconds: number
}

export interface FlowOptions {
  /** Prefix of the topics. */
  readonly prefix?: string
  /** Threads for signatures beside the main one. */
  readonly workers?: number
  /** The observer of the run counts as part of it. */
  readonly runtime?: RuntimeObserver
  readonly intake?: IntakeObserver
}

/** Submissions of one epoch through a libp2p socket of this process to their verdicts, on any log. */
export async function runFlow(
  log: Log,
  { prefix = '', workers = 0, runtime: observer = {}, intake: intakeObserver = {} }: FlowOptions = {},
): Promise<FlowRun> {
  const slots = Math.ceil(COUNT / PROJECTS)
  const world = await createFlowWorld({ log, slots, signatures: { workers }, prefix, observer })
  await world.start()
  await world.open(1)
  const { topics } = world
  const keyFile = join(tmpdir(), `bench-${randomBytes(8).toString('hex')}.key`)
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const intake = await startIntake({ listen, keyFile, topics, observer: intakeObserver }, { log, clock: systemClock })
  const client = startClient(intake.multiaddrs[0]!)
  try {
    await client.said('signed')
    const [cpu, started] = [process.cpuUsage(), performance.now()]
    client.go()
    while (intake.stats().appended < COUNT) await systemClock.sleep(5)
    for (const [stage, topic] of world.path.slice(0, -1)) await world.caughtUp(stage, topic)
    await world.close(1)
    await untilBatched(log, world, 1, 0)
    await world.caughtUp('settle', topics.finalizations)
    const wallSeconds = (performance.now() - started) / 1000
    const { user, system } = process.cpuUsage(cpu)
    return { submissions: COUNT, wallSeconds, cpuSeconds: (user + system) / 1e6 }
  } finally {
    client.kill()
    await intake.close()
    await world.stop()
    await rm(keyFile, { force: true })
  }
}

function startClient(to: string) {
  const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
  const words = ['--import', file('../ops/bin/shim.mjs'), '--import', 'tsx', file('./flow-client.ts')]
  const child = spawn(process.execPath, [...words, to, `${COUNT}`, `${CONNECTIONS}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface(child.stdout)
  return {
    async said(word: string): Promise<void> {
      const [line] = await once(lines, 'line')
      if (line !== word) throw new Error(`the client said ${line}`)
    },
    go: () => child.stdin.write('go\n'),
    kill: () => child.kill('SIGKILL'),
  }
}
