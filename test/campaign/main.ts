/** `npm run campaign`: see campaign.ts. Exits with 1 unless the audit is clean and every epoch is anchored. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { runCampaign } from './campaign.ts'
import { isSound, renderReport } from './report.ts'

interface Given {
  readonly kills: string
  readonly brokers: '1' | '3'
  readonly seed?: string
  readonly slots: string
  readonly keep?: boolean
  readonly json?: boolean
}

await new Command('npm run campaign --')
  .description('Kill and disturb the sequencer on a real Kafka cluster, then audit it')
  .option('--kills <n>', 'kill -9 of processes and brokers', '100')
  .addOption(new Option('--brokers <n>', 'how many brokers').choices(['1', '3']).default('3'))
  .option('--seed <n>', 'decides what fails when; the moments themselves are those of this machine')
  .option('--slots <n>', 'snapshotters', '30')
  .option('--keep', 'keep the directory with every log, also when all went well')
  .option('--json', 'print the report as JSON')
  .action(async ({ kills, brokers, seed, slots, keep, json }: Given) => {
    const directory = mkdtempSync(join(tmpdir(), 'sequencer-campaign-'))
    const log = (line: string) => void process.stderr.write(`[campaign] ${line}\n`)
    log(`everything is in ${directory}`)
    const report = await runCampaign({
      kills: Number(kills),
      brokers: Number(brokers) as 1 | 3,
      seed: seed === undefined ? Date.now() % 1_000_000 : Number(seed),
      slots: Number(slots),
      directory,
      log,
    })
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : renderReport(report))
    const sound = isSound(report)
    if (sound && !keep) rmSync(directory, { recursive: true, force: true })
    process.exitCode = sound ? 0 : 1
  })
  .parseAsync()
