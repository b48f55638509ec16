/** `sequencer log`: whether the log of a data directory is whole, and a log of what is left of one that is not. */
import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { z } from 'zod'
import { checkLog, isWhole, type LogDamage, repairLog } from '../../../connectors/log/embedded/repair.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, parseOptions } from '../../base/options.ts'
import { answer, type Lines, stdout } from '../../base/output.ts'
import { directoryPaths } from '../../ground/directory-paths.ts'

const schema = z.object({
  dataDir: z.string(),
  acceptLoss: z.boolean().default(false),
  json: z.boolean().default(false),
})

const DATA_DIR = '.data/dev'
const LINES_SHOWN = 200

export function logCommand(): Command {
  const command = new Command('log')
  command
    .command('check')
    .description('Read every row of a log, and say what is damaged and what is lost; changes nothing')
    .option('--data-dir <dir>', 'data directory that no process runs on', DATA_DIR)
    .option('--json', AS_JSON)
    .addHelpText('after', '\nExit code 1: the log is damaged.')
    .action(async (flags: unknown) => {
      const { dataDir, json } = parseOptions(schema, flags, 'log check')
      const damage = await checkLog(logOf(dataDir))
      answer(json, damage, () => [...renderDamage(damage), ...adviceFor(damage)])
      process.exitCode = isWhole(damage) ? EXIT.ok : EXIT.failed
    })
  command
    .command('repair')
    .description('Put a log of what is left in the place of a damaged one, which is kept beside it')
    .option('--data-dir <dir>', 'data directory that no process runs on', DATA_DIR)
    .option('--accept-loss', 'also when records are lost; without it, only say which')
    .option('--json', AS_JSON)
    .addHelpText(
      'after',
      '\nWhat is lost is said before anything changes. Restore a copy of the directory if there is one.',
    )
    .action(async (flags: unknown) => {
      const { dataDir, acceptLoss, json } = parseOptions(schema, flags, 'log repair')
      await repair(logOf(dataDir), acceptLoss, json)
    })
  return command
}

async function repair(directory: string, acceptLoss: boolean, json: boolean): Promise<void> {
  let seen: LogDamage | undefined
  const done = await repairLog(directory, systemClock.now(), (damage) => {
    seen = damage
    if (!json) stdout.print(...renderDamage(damage))
    return !isWhole(damage) && (acceptLoss || !losesAny(damage))
  })
  if (json) stdout.printJson(done ?? seen)
  else if (done) stdout.print('', ...renderDone(done.keptAs))
  if (done || isWhole(seen!)) return
  throw new CliError(
    'the repair would make this loss final, and nothing was changed',
    'Restore a copy of the directory if there is one; else give --accept-loss.',
    EXIT.failed,
  )
}

/** Whatever a group had committed may be older than what it wrote, so that is a loss, too. */
const losesAny = ({ lost, others, damagedRows }: LogDamage): boolean => lost.length + others.length + damagedRows > 0

function logOf(dataDir: string): string {
  const { log } = directoryPaths(dataDir)
  if (existsSync(log)) return log
  throw new CliError(`there is no log in ${dataDir}`, 'Check --data-dir.', EXIT.unavailable)
}

export function renderDamage(damage: LogDamage): Lines {
  const { directory, files, others, lost, damagedRows, partitions } = damage
  if (isWhole(damage)) return [`${directory} is whole: ${partitions} partitions, every row read.`]
  const count = lost.reduce((sum, { from, to }) => sum + to + 1 - from, 0)
  const lines = [
    `${directory} is damaged:`,
    ...files.map(({ file, message }) => `file      ${file}: ${message}`),
    ...others.map((message) => `log       ${message}`),
    ...(damagedRows > 0 ? [`rows      ${damagedRows} with another checksum than was written`] : []),
    ...lost.map(
      ({ topic, partition, from, to }) => `lost      ${topic}[${partition}] offsets ${from} to ${to}, ${to + 1 - from}`,
    ),
  ]
  const more = lines.length > LINES_SHOWN ? [`… and ${lines.length - LINES_SHOWN} lines more (--json has them)`] : []
  return [
    ...lines.slice(0, LINES_SHOWN),
    ...more,
    count > 0 ? `${count} offsets are lost, also offsets of control records.` : 'No record is lost.',
  ]
}

export const DAMAGE_HINT =
  'Restore a copy of the directory if there is one. Without one, `sequencer log repair` goes on with what is left, and keeps the original.'

const adviceFor = (damage: LogDamage): Lines => (isWhole(damage) ? [] : [DAMAGE_HINT])

const renderDone = (keptAs: string): Lines => [
  `Repaired. The damaged log is kept as ${keptAs}.`,
  'The lost records stay lost: run `sequencer audit` to see which epochs lack something. A stage whose position was older writes again',
  'its earlier output; the audit shows it as doubled.',
]
