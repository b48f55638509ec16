/**
 * Submissions per second from a libp2p socket into the log in memory, with what they cost the intake's process; the client
 * is another process. Run: npx tsx --import ./ops/bin/shim.mjs bench/intake.ts
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startIntake } from '../connectors/libp2p/intake.ts'
import { createMemoryLog } from '../connectors/log/memory/memory.ts'
import { systemClock } from '../connectors/system-clock.ts'
import { createCodec } from '../schemas/codec.ts'
import { memoryRegistry } from '../schemas/registry.ts'
import { sequencerTopics } from '../topology/topics.ts'
import type { BenchRow } from './rows.ts'
import { benchWire } from './wire.ts'

const WARM_UP_MS = 2_000
const WINDOW_MS = 4_000
/** So that the log in memory does not fill it. */
const KEPT_RECORDS = 100_000
const LOADS = [
  { encryption: 'tls', connections: 4, streams: 4, perSend: 1 },
  { encryption: 'noise', connections: 4, streams: 4, perSend: 1 },
  { encryption: 'tls', connections: 4, streams: 4, perSend: 8 },
  { encryption: 'noise', connections: 16, streams: 8, perSend: 1 },
] as const

export async function benchIntake(): Promise<BenchRow[]> {
  const rows = benchWire()
  for (const load of LOADS) rows.push(...(await measure(load)))
  return rows
}

async function measure(load: (typeof LOADS)[number]): Promise<BenchRow[]> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-intake-'))
  const partitions = { submissions: 4, validated: 4, admitted: 4, finalizations: 4, verdicts: 4 }
  const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions })
  const log = createMemoryLog()
  await log.createTopics([topics.submissions, topics.deadLetters])
  const intake = await startIntake(
    { listen: ['/ip4/127.0.0.1/tcp/0'], keyFile: join(directory, 'peer.key'), topics },
    { log, clock: systemClock },
  )
  const { encryption, connections, streams, perSend } = load
  const script = fileURLToPath(new URL('./intake-client.ts', import.meta.url))
  const shim = fileURLToPath(new URL('../ops/bin/shim.mjs', import.meta.url))
  const words = [intake.multiaddrs[0]!, encryption, connections, streams, perSend].map(String)
  const client = spawn(process.execPath, ['--import', shim, '--import', 'tsx', script, ...words], { stdio: 'inherit' })
  const trimming = setInterval(() => trim(), 250)
  const trim = async () => {
    const all = Array.from({ length: 4 }, (_, partition) => ({ topic: topics.submissions.name, partition }))
    const bounds = await log.bounds(all)
    await log.deleteRecords(
      all.map((at, i) => ({ ...at, offset: Math.max(bounds[i]!.start, bounds[i]!.stable - KEPT_RECORDS) })),
    )
  }
  try {
    while (intake.stats().appended === 0) await systemClock.sleep(20)
    await systemClock.sleep(WARM_UP_MS)
    const [before, cpu, started] = [intake.stats().appended, process.cpuUsage(), performance.now()]
    await systemClock.sleep(WINDOW_MS)
    const appended = intake.stats().appended - before
    const { user, system } = process.cpuUsage(cpu)
    const seconds = (performance.now() - started) / 1000
    const name = `intake: socket to log, ${encryption}, ${connections * streams} streams, ${perSend} a send`
    const conditions = `${connections} connections × ${streams} streams, log in memory, one process; client in another`
    return [
      { name, value: Math.round(appended / seconds), unit: 'submissions/s', conditions },
      { name: `${name}, CPU`, value: (user + system) / appended, unit: 'µs/submission', conditions },
    ]
  } finally {
    clearInterval(trimming)
    client.kill('SIGKILL')
    await intake.close()
    await log.close()
    await rm(directory, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.table(await benchIntake())
