/** `sequencer reset`: lets stages that stand still read their input again, without the state they had. */
import { Command } from 'commander'
import { systemClock } from '../../connectors/log/system-clock.ts'
import { CliError, EXIT } from '../cli-error.ts'
import { withClusterOptions } from '../config/command.ts'
import type { FlagValues } from '../config/sources.ts'
import { withDeployment } from '../deploy/command.ts'
import { groupsWithMembers } from '../deploy/live.ts'
import { STAGES } from '../roles.ts'
import { executeReset } from './execute.ts'
import { type Position, planReset, type ResetPlan } from './plan.ts'

export function resetCommand(): Command {
  return withClusterOptions(new Command('reset'))
    .requiredOption('--stages <names>', `stages, or all: ${STAGES.join(', ')}`)
    .option('--to-earliest', 'to the beginning of their input')
    .option('--to-latest', 'to its end')
    .option('--to-offset <n>', 'to this offset in every partition')
    .option('--to-datetime <time>', 'to the first record since then, e.g. 2026-01-31T12:00:00Z')
    .option('--by-duration <seconds>', 'to the first record of the last so many seconds')
    .option('--shift-by <n>', 'by so many records, backwards when negative')
    .option('--dry-run', 'only say what would be done')
    .option('--force', 'although stages left out would be given again what these write')
    .option('--json', 'as JSON')
    .addHelpText('after', `\n${WARNING}`)
    .action(async (flags: FlagValues) => {
      const stages = stagesOf(String(flags.stages))
      const position = positionOf(flags, systemClock.now())
      await withDeployment(flags, async (deployment) => {
        const { desired, admin } = deployment
        const plan = planReset(desired.topology, desired.settings.appId, stages, position)
        checkPlan(plan, flags.force === true)
        const active = await groupsWithMembers(
          admin,
          plan.moves.map(({ group }) => group),
        )
        if (active.length > 0)
          throw new CliError(
            `the stages still run: ${active.join(', ')} have members`,
            'Stop their processes; a process that was killed is gone after the session time-out.',
            EXIT.failed,
          )
        if (!flags.dryRun) await executeReset(plan, deployment)
        process.stdout.write(flags.json ? `${JSON.stringify(plan)}\n` : render(plan, flags.dryRun === true))
      })
    })
}

const WARNING =
  'What the stages wrote before stays in the log, and is written again: the audit will show it as doubled. A batch that is on the chain is not sent again.'

function checkPlan({ givenAgain }: ResetPlan, force: boolean): void {
  if (force || givenAgain.length === 0) return
  throw new CliError(
    `stages that are left out would be given the same again: ${givenAgain.join(', ')}`,
    'Name them too, or give --force when their input is to be doubled.',
  )
}

function stagesOf(text: string): readonly string[] {
  const names = text === 'all' ? STAGES : text.split(',').map((name) => name.trim())
  const unknown = names.filter((name) => !(STAGES as readonly string[]).includes(name))
  if (unknown.length === 0) return names
  throw new CliError(`--stages: there is no stage ${unknown.join(', ')}`, `There are ${STAGES.join(', ')}.`)
}

/** Throws CliError unless exactly one position is given, and right. */
export function positionOf(flags: FlagValues, now: number): Position {
  const given: Position[] = []
  const faults: string[] = []
  const whole = (name: string, text: unknown): number => {
    if (!/^-?\d+$/.test(String(text)) || !Number.isSafeInteger(Number(text)))
      faults.push(`${name} ${JSON.stringify(text)}: not a whole number`)
    return Number(text)
  }
  if (flags.toEarliest) given.push({ to: 'earliest' })
  if (flags.toLatest) given.push({ to: 'latest' })
  if (flags.toOffset !== undefined) given.push({ to: 'offset', offset: whole('--to-offset', flags.toOffset) })
  if (flags.shiftBy !== undefined) given.push({ to: 'shift', by: whole('--shift-by', flags.shiftBy) })
  if (flags.byDuration !== undefined)
    given.push({ to: 'time', timestamp: now - 1_000 * whole('--by-duration', flags.byDuration) })
  if (flags.toDatetime !== undefined) {
    const timestamp = Date.parse(String(flags.toDatetime))
    if (Number.isNaN(timestamp)) faults.push(`--to-datetime ${JSON.stringify(flags.toDatetime)}: not a time`)
    given.push({ to: 'time', timestamp })
  }
  if (given.length !== 1)
    faults.push(
      'exactly one of --to-earliest, --to-latest, --to-offset, --to-datetime, --by-duration, --shift-by is needed',
    )
  if (faults.length > 0) throw new CliError(faults.join('\n       '), 'See `sequencer reset --help`.')
  return given[0]!
}

function render({ moves, changelogs, givenAgain }: ResetPlan, dryRun: boolean): string {
  const lines = [
    ...moves.map(({ group, topic, position }) => `offsets   ${group} on ${topic}: ${describe(position)}`),
    ...changelogs.map((name) => `state     ${name}: emptied`),
    ...givenAgain.map((text) => `doubled   ${text}`),
    dryRun ? '\nNothing was done (--dry-run).' : '\nDone. Start the stages again.',
  ]
  return `${lines.join('\n')}\n`
}

function describe(position: Position): string {
  if (position.to === 'offset') return `to offset ${position.offset}`
  if (position.to === 'time') return `to ${new Date(position.timestamp).toISOString()}`
  if (position.to === 'shift') return `by ${position.by}`
  return `to ${position.to}`
}
