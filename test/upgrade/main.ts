/**
 * `npm run upgrade -- --from <commit>`: a release that runs on a real broker under load is replaced by this one, process by
 * process, and the audit must be clean. The older one deploys, registers its schemas and writes state and records; where
 * rules or graph have changed since (the plan says so), every process is stopped before the first new one starts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { freePorts } from '../../ops/world/brokers/ports.ts'
import { startSurroundings } from '../campaign/surroundings.ts'
import { checkOut, commitOf } from './old-checkout.ts'
import { SLOTS, say, Upgrade } from './upgrade.ts'

await new Command('npm run upgrade --')
  .description('Replace an older release by this one, process by process, under load on a real broker; then audit')
  .requiredOption('--from <commit>', 'the older release')
  .action(async ({ from }: { from: string }) => {
    const directory = mkdtempSync(join(tmpdir(), 'sequencer-upgrade-'))
    const commit = commitOf(from)
    say(`everything is in ${directory}`)
    const old = join(directory, 'old')
    checkOut(commit, old)
    say(`${commit.slice(0, 12)} is built`)
    const [intakePort] = await freePorts(1)
    const world = await startSurroundings({ brokers: 1, directory, slots: SLOTS, log: say, signedMarkers: false })
    const upgrade = new Upgrade(world, intakePort!, directory, old)
    try {
      const { audit, kind } = await upgrade.run()
      const { differences, ...counts } = audit
      const wrong = audit.lost + audit.duplicated + audit.skipped + audit.mismatches + audit.pending - audit.early
      const sound = wrong === 0 && audit.epochsAnchored === audit.epochsReleased && audit.acknowledged > 0
      process.stdout.write(
        `${sound ? 'sound' : 'NOT SOUND'}: from ${commit.slice(0, 12)}, ${kind}\n${JSON.stringify(counts)}\n`,
      )
      for (const difference of differences.slice(0, 20)) process.stdout.write(`${JSON.stringify(difference)}\n`)
      process.exitCode = sound ? 0 : 1
    } finally {
      await upgrade.close()
      await world.close()
      if (process.exitCode === 0) rmSync(directory, { recursive: true, force: true })
    }
  })
  .parseAsync()
