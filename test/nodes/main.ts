/** `npm run nodes`: see run.ts. Exits with 1 unless every promise held. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { z } from 'zod'
import { parseOptions, whole } from '../../ops/base/options.ts'
import { CASES } from './cases.ts'
import { brokenBy, renderOutcome } from './report.ts'
import { runNodes } from './run.ts'

const schema = z.object({
  fault: z.array(z.string()).default([]),
  minutes: z.coerce.number().positive().max(1_440),
  seconds: whole(1, 3_600),
  kills: whole(0, 1_000),
  silence: z.array(whole(1, 3_600)).default([]),
  settle: whole(1, 3_600),
  seed: whole(0, 2 ** 31),
  nodes: whole(1, 4),
  deepest: whole(0, 200),
  nitro: z.boolean().default(false),
  slots: whole(1, 200),
  projects: whole(1, 100),
  epochBlocks: whole(1, 100),
  window: whole(1, 100),
  depth: whole(0, 100),
  confirmations: whole(0, 100),
  out: z.string().optional(),
  keep: z.boolean().default(false),
})

const help = Object.entries(CASES).map(([name, { help }]) => `  ${name.padEnd(24)}${help}`)
const log = (line: string): void => void process.stderr.write(`[nodes] ${line}\n`)

await new Command('npm run nodes --')
  .description('Run a sequencer behind nodes that lie, lag and fall over, and see whether every epoch is anchored')
  .option('--fault <name...>', 'one after the other, each alone on the first node; `all`; none: a mix of all, by seed')
  .option('--minutes <n>', 'of the mix', '30')
  .option('--seconds <s>', 'of each fault alone', '20')
  .option('--kills <n>', 'kill the sequencer so often and start it again, last of all', '0')
  .option('--silence <s...>', 'and then: no answer of any node for so long, killed halfway; one after the other')
  .option('--settle <s>', 'seconds, at most, until all is anchored when the faults have stopped', '60')
  .option('--seed <n>', 'decides the mix', '1')
  .option('--nodes <n>', 'nodes of the one chain, each behind a proxy', '2')
  .option('--deepest <n>', 'blocks, at most, that leave the chain at once in the mix', '50')
  .option('--nitro', 'a chain by the rules of Arbitrum Nitro')
  .option('--slots <n>', 'snapshotters', '6')
  .option('--projects <n>', 'projects that they report', '3')
  .option('--epoch-blocks <n>', 'blocks, of a second each, from one release to the next', '2')
  .option('--window <n>', 'submission window in blocks', '2')
  .option('--depth <n>', 'blocks behind the head that the clock stays', '1')
  .option('--confirmations <n>', 'of a transaction', '2')
  .option('--out <file>', 'append each outcome as a JSON line')
  .option('--keep', 'keep the directory')
  .addHelpText('after', `\nFaults:\n${help.join('\n')}`)
  .action(async (given: unknown) => {
    const { fault, minutes, seconds, kills, silence, settle, out, keep, ...rest } = parseOptions(schema, given, 'nodes')
    const cases = fault.includes('all') ? Object.keys(CASES) : fault
    const unknown = cases.filter((name) => !(name in CASES))
    if (unknown.length > 0) throw new Error(`there is no fault ${unknown.join(', ')}; --help lists them`)
    const directory = mkdtempSync(join(tmpdir(), 'sequencer-nodes-'))
    log(`everything is in ${directory}`)
    let held = true
    const outcomes = await runNodes({
      ...rest,
      cases,
      outages: kills > 0 || silence.length > 0 ? { kills, silences: silence } : undefined,
      seconds: cases.length > 0 ? seconds : minutes * 60,
      settleSeconds: settle,
      directory,
      log,
      told(outcome) {
        process.stdout.write(renderOutcome(outcome))
        if (out !== undefined) appendFileSync(out, `${JSON.stringify(outcome)}\n`)
        held &&= brokenBy(outcome).length === 0
      },
    })
    process.stdout.write(`${outcomes.filter((one) => brokenBy(one).length === 0).length} of ${outcomes.length} held\n`)
    if (!held) process.exitCode = 1
    if (held && !keep) rmSync(directory, { recursive: true, force: true })
    else log(`kept: ${directory}`)
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`nodes: ${error instanceof Error ? error.stack : error}\n`)
    process.exitCode = 2
  })
