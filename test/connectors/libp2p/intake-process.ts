/**
 * An intake in a process of its own, for what must not share one with its clients: memory, and survival. Prints a JSON line
 * {multiaddr}, then answers each line on stdin with one of {rss, stats, submissions: [ids since the last answer]}.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startIntake } from '../../../connectors/libp2p/intake.ts'
import type { IntakeLimits } from '../../../connectors/libp2p/limits.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { ScriptedLog, topics } from './harness.ts'

const limits = JSON.parse(process.argv[2] ?? '{}') as Partial<IntakeLimits>
const keyFile = join(mkdtempSync(join(tmpdir(), 'intake-')), 'peer.key')
const log = new ScriptedLog()
const intake = await startIntake(
  { listen: ['/ip4/127.0.0.1/tcp/0'], keyFile, topics, limits },
  { log, clock: systemClock },
)
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
say({ multiaddr: intake.multiaddrs[0] })
for await (const _ of createInterface(process.stdin)) {
  const submissions = log.submissions.map(({ submissionId }) => submissionId)
  log.records.length = 0
  globalThis.gc?.()
  say({ rss: process.memoryUsage().rss, stats: intake.stats(), submissions })
}
await intake.close()
