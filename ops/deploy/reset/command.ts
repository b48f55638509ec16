/** `sequencer reset`: lets stages that stand still read their input again, without the state they had. */
import { Command } from 'commander'
import type { Admin } from 'kafkajs'
import { z } from 'zod'
import { systemClock } from '../../../connectors/system-clock.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, evenWithFaults, oneOf, parseOptions, whole } from '../../base/options.ts'
import { answer, type Lines } from '../../base/output.ts'
import { STAGES } from '../../base/roles.ts'
import { withClusterOptions } from '../../settings/command.ts'
import type { FlagValues } from '../../settings/sources.ts'
import { withDeployment } from '../deployment.ts'
import { groupsWithMembers } from '../live.ts'
import { expectOwn } from '../ownership.ts'
import { executeReset } from './execute.ts'
import { type Position, planReset, type ResetPlan } from './plan.ts'

/** More than any log goes back. */
const SECONDS_MAX = 10 * 365 * 86_400

const any = whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
const time = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], { error: 'not a time such as 2026-01-31T12:00:00Z' })
  .transform((text) => Date.parse(text))

const schema = z
  .object({
    stages: z
      .string()
      .transform((text) => (text === 'all' ? STAGES : text.split(',').map((name) => name.trim())))
      .pipe(z.array(oneOf(...STAGES))),
    toEarliest: z.boolean().optional(),
    toLatest: z.boolean().optional(),
    toOffset: whole(0, Number.MAX_SAFE_INTEGER).optional(),
    toDatetime: time.optional(),
    byDuration: whole(0, SECONDS_MAX).optional(),
    shiftBy: any.optional(),
    dryRun: z.boolean().default(false),
    force: z.boolean().default(false),
    json: z.boolean().default(false),
  })
  .refine(
    ({ toEarliest, toLatest, toOffset, toDatetime, byDuration, shiftBy }) =>
      [toEarliest, toLatest, toOffset, toDatetime, byDuration, shiftBy].filter((one) => one !== undefined).length === 1,
    evenWithFaults(
      'exactly one of --to-earliest, --to-latest, --to-offset, --to-datetime, --by-duration, --shift-by is needed',
    ),
  )

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
    .option('--force', 'go on even if other stages would receive records twice')
    .option('--json', AS_JSON)
    .addHelpText('after', `\n${WARNING}`)
    .action(async (flags: FlagValues) => {
      const { stages, position, dryRun, force, json } = readReset(flags, systemClock.now())
      await withDeployment(flags, async (deployment) => {
        const { desired, admin } = deployment
        await expectOwn(deployment)
        const plan = planReset(desired.topology, desired.settings.appId, stages, position)
        checkPlan(plan, force)
        await expectStopped(plan, admin)
        if (!dryRun) await executeReset(plan, deployment)
        answer(json, plan, () => render(plan, dryRun))
      })
    })
}

const WARNING =
  'Name one place to go to: one of the --to-… options, --by-duration or --shift-by.\n' +
  'The earlier output of the stages stays in the log, and is written again: the audit will show it as doubled. A batch that is on the chain is not sent again.'

function checkPlan({ givenAgain }: ResetPlan, force: boolean): void {
  if (force || givenAgain.length === 0) return
  throw new CliError(
    `stages that are left out would be given the same again: ${givenAgain.join(', ')}`,
    'Name them too, or give --force when their input is to be doubled.',
  )
}

async function expectStopped({ moves }: ResetPlan, admin: Admin): Promise<void> {
  const groups = moves.map(({ group }) => group)
  const active = await groupsWithMembers(admin, groups)
  if (active.length > 0)
    throw new CliError(
      `the stages still run: ${active.join(', ')} have members`,
      'Stop their processes; a process that was killed is gone after the session time-out.',
      EXIT.failed,
    )
}

/** Throws CliError that lists every fault. */
export function readReset(flags: FlagValues, now: number) {
  const options = parseOptions(schema, flags, 'reset')
  return { ...options, position: positionOf(options, now) }
}

function positionOf(
  { toOffset, toDatetime, byDuration, shiftBy, toLatest }: z.infer<typeof schema>,
  now: number,
): Position {
  if (toOffset !== undefined) return { to: 'offset', offset: toOffset }
  if (toDatetime !== undefined) return { to: 'time', timestamp: toDatetime }
  if (byDuration !== undefined) return { to: 'time', timestamp: now - 1_000 * byDuration }
  if (shiftBy !== undefined) return { to: 'shift', by: shiftBy }
  return { to: toLatest ? 'latest' : 'earliest' }
}

function render({ moves, changelogs, givenAgain }: ResetPlan, dryRun: boolean): Lines {
  return [
    ...moves.map(({ group, topic, position }) => `offsets   ${group} on ${topic}: ${describe(position)}`),
    ...changelogs.map((name) => `state     ${name}: emptied`),
    ...givenAgain.map((text) => `doubled   ${text}`),
    '',
    dryRun ? 'Nothing was done (--dry-run).' : 'Done. Start the stages again.',
  ]
}

function describe(position: Position): string {
  if (position.to === 'offset') return `to offset ${position.offset}`
  if (position.to === 'time') return `to ${new Date(position.timestamp).toISOString()}`
  if (position.to === 'shift') return `by ${position.by}`
  return `to ${position.to}`
}
