/** `npm run siege`: see siege.ts. Exits with 1 unless every invariant held in every siege. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { z } from 'zod'
import { oneOf, parseOptions, whole } from '../../ops/base/options.ts'
import type { Kind } from './adversary.ts'
import { ATTACKS } from './attacks.ts'
import { FLOODS } from './floods.ts'
import { brokenBy, renderReport } from './report.ts'
import { besiege, type SiegeReport } from './siege.ts'

const KINDS = [...Object.keys(ATTACKS), ...Object.keys(FLOODS)] as Kind[]

const schema = z.object({
  target: oneOf('dev', 'cluster'),
  attack: z.array(z.string()).default([]),
  together: z.boolean().default(false),
  rate: whole(1, 100_000).optional(),
  calm: whole(0, 3_600),
  seconds: whole(1, 3_600),
  settle: whole(1, 3_600),
  every: whole(1, 600),
  countMax: whole(1, 10_000_000),
  connections: whole(1, 200),
  addresses: whole(0, 200),
  honest: whole(1, 2_000),
  spare: whole(1, 18_000),
  projects: whole(1, 5_000),
  markets: whole(1, 4),
  blockTime: whole(1, 60),
  epochBlocks: whole(1, 1_000),
  window: whole(1, 1_000),
  seed: whole(0, 2 ** 31),
  factor: z.coerce.number().min(1).max(1_000),
  out: z.string().optional(),
  keep: z.boolean().default(false),
})

const help = [...Object.entries(ATTACKS), ...Object.entries(FLOODS)].map(
  ([kind, { help }]) => `  ${kind.padEnd(21)}${help}`,
)

await new Command('npm run siege --')
  .description('Attack a running sequencer from outside while honest snapshotters go on, and see whether it held')
  .addOption(new Option('--target <what>', 'what is attacked').choices(['dev', 'cluster']).default('dev'))
  .option('--attack <kind...>', 'kinds, one siege each; `all`; none: no attack')
  .option('--together', 'all kinds in one siege')
  .option(
    '--rate <n>',
    'messages or requests a second of each kind, or connections (default: 1,000, or those of the kind)',
  )
  .option('--calm <s>', 'seconds without an attack first', '30')
  .option('--seconds <s>', 'seconds of attack', '60')
  .option('--settle <s>', 'seconds, at most, for everything released to be anchored', '120')
  .option('--every <s>', 'seconds between two looks at memory, disk and lag', '15')
  .option('--count-max <n>', 'no kind sends more', '3000000')
  .option('--connections <n>', "the adversary's libp2p connections", '8')
  .option('--addresses <n>', 'addresses of loopback that they come from; 0: that of the honest ones', '4')
  .option('--honest <n>', 'honest slots, with a snapshotter each', '36')
  .option('--spare <n>', "the adversary's slots", '40')
  .option('--projects <n>', 'projects of the honest ones', '12')
  .option('--markets <n>', 'data markets', '1')
  .option('--block-time <s>', 'seconds per block', '1')
  .option('--epoch-blocks <n>', 'blocks from one release to the next', '6')
  .option('--window <n>', 'submission window in blocks', '4')
  .option('--seed <n>', 'decides all keys', '1')
  .option('--factor <n>', 'how much longer release → anchored may take than in peace', '1.5')
  .option('--out <file>', 'append each report as a JSON line')
  .option('--keep', 'keep the directory of each siege')
  .addHelpText('after', `\nKinds:\n${help.join('\n')}`)
  .action(async (given: unknown) => {
    const options = parseOptions(schema, given, 'siege')
    const kinds = options.attack.includes('all') ? KINDS.filter((kind) => !kind.endsWith('-load')) : options.attack
    const unknown = kinds.filter((kind) => !(KINDS as string[]).includes(kind))
    if (unknown.length > 0) throw new Error(`there is no attack ${unknown.join(', ')}; --help lists them`)
    const sieges = options.together || kinds.length === 0 ? [kinds] : kinds.map((kind) => [kind])
    for (const some of sieges) {
      const directory = mkdtempSync(join(tmpdir(), 'sequencer-siege-'))
      log(`${some.join(', ') || 'no attack'}: everything is in ${directory}`)
      const report = await besiege({
        ...options,
        kinds: some as Kind[],
        directory,
        calmSeconds: options.calm,
        attackSeconds: options.seconds,
        settleSeconds: options.settle,
        everySeconds: options.every,
        log,
      })
      conclude(report, options, directory)
    }
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`siege: ${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 2
  })

function log(line: string): void {
  process.stderr.write(`[siege] ${line}\n`)
}

function conclude(report: SiegeReport, { out, factor, keep }: z.infer<typeof schema>, directory: string): void {
  process.stdout.write(renderReport(report, factor))
  if (out !== undefined) appendFileSync(out, `${JSON.stringify(report)}\n`)
  const held = brokenBy(report, factor).length === 0
  if (!held) process.exitCode = 1
  if (held && !keep) rmSync(directory, { recursive: true, force: true })
  else log(`kept: ${directory}`)
}
