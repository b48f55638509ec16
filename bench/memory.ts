/** Peak memory of a process that takes a million submissions of one epoch and closes it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { openEmbeddedLog } from '../connectors/log/embedded/embedded.ts'
import type { Submission } from '../schemas/types.ts'
import { createFlowWorld, headerOf, untilBatched, untilCommitted } from './flow-world.ts'
import { type BenchRow, row } from './rows.ts'
import { PROJECTS, submissionOf } from './stage-data.ts'

const COUNT = 1_000_000
/** Submissions appended at a time, before the stages catch up: as a log that a slow stage lags behind. */
const CHUNK = 50_000
const SAMPLE_MS = 100

export async function benchMemory(): Promise<BenchRow[]> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-memory-'))
  const shim = fileURLToPath(new URL('../ops/bin/shim.mjs', import.meta.url))
  const words = ['--import', shim, '--import', 'tsx', fileURLToPath(import.meta.url), directory, `${COUNT}`]
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')])
  await rm(directory, { recursive: true, force: true })
  const { peakBytes, ownPeakBytes, closeMs, seconds } = JSON.parse(output) as Measured
  const conditions = `${COUNT} submissions in one epoch, ${PROJECTS} projects × ${COUNT / PROJECTS} slots, embedded log, signatures given`
  return [
    row('peak memory', peakBytes / 2 ** 20, 'MiB', `resident, ${conditions}`),
    row(
      'peak memory without mapped files',
      ownPeakBytes / 2 ** 20,
      'MiB',
      `anonymous, every ${SAMPLE_MS} ms, ${conditions}`,
    ),
    row('its close → last batch', closeMs, 'ms', conditions),
    row('its submissions into votes', COUNT / seconds, 'submissions/s', conditions),
  ]
}

type Measured = Record<'peakBytes' | 'ownPeakBytes' | 'closeMs' | 'seconds', number>

/** Resident memory that no file stands behind (Linux): tables of LevelDB are mapped, and the kernel may take those back. */
function anonymousBytes(): number {
  const [, kibibytes] = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kibibytes) * 1024
}

async function fillAndClose(directory: string, count: number): Promise<void> {
  const log = await openEmbeddedLog({ directory })
  let ownPeakBytes = 0
  const sampling = setInterval(() => {
    ownPeakBytes = Math.max(ownPeakBytes, anonymousBytes())
  }, SAMPLE_MS)
  const world = await createFlowWorld({ log, slots: count / PROJECTS, signatures: 'given' })
  await world.start()
  await world.open(1)
  const started = performance.now()
  for (let from = 0; from < count; from += CHUNK) {
    await world.feed(submissionsOf(from, Math.min(from + CHUNK, count)))
    for (const [stage, topic] of world.path.slice(0, -1)) await world.caughtUp(stage, topic)
  }
  const closing = performance.now()
  await world.close(1)
  await untilCommitted(log, world.topics.batches.name, 0)
  const closeMs = performance.now() - closing
  await untilBatched(log, world, 1, 0) // the anchor stage reads them
  await world.caughtUp('settle', world.topics.finalizations)
  const peakBytes = process.resourceUsage().maxRSS * 1024
  clearInterval(sampling)
  process.stdout.write(JSON.stringify({ peakBytes, ownPeakBytes, closeMs, seconds: (closing - started) / 1000 }))
  await world.stop()
  await log.close()
}

function* submissionsOf(from: number, to: number): Iterable<Submission> {
  const header = headerOf(1)
  for (let n = from; n < to; n++) yield { ...submissionOf(n), slotId: 1 + Math.floor(n / PROJECTS), header }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await fillAndClose(process.argv[2]!, Number(process.argv[3]))
