/** `sequencer dead-letters list|show|count|retry`. */
import { Command } from 'commander'
import { z } from 'zod'
import { systemClock } from '../../../connectors/system-clock.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, parseOptions, whole } from '../../base/options.ts'
import { answer } from '../../base/output.ts'
import {
  type LogTarget,
  type OpenedLog,
  type TargetOptions,
  targetOf,
  withTargetOptions,
} from '../../ground/open-log.ts'
import { lookInto, tellUnread } from '../../ground/watched-log.ts'
import { countLetters, LETTERS_MAX, letterAt, newestLetters } from './letters.ts'
import { letterJson, renderCounts, renderLetter, renderLetters } from './render.ts'
import { retryLetters } from './retry.ts'

const LIMIT = 50

const time = z
  .string()
  .refine((text) => /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text) && !Number.isNaN(Date.parse(text)), {
    error: 'no time such as 2026-05-31 or 2026-05-31T12:00:00Z',
  })
  .transform((text) => Date.parse(text))
const filter = { reason: z.string().optional(), since: time.optional(), until: time.optional() }
const listSchema = z.object({ ...filter, topic: z.string().optional(), limit: whole(1, LETTERS_MAX).default(LIMIT) })
const countSchema = z.object({ ...filter, topic: z.string().optional() })
const showSchema = z.object({ offset: whole(0, Number.MAX_SAFE_INTEGER) })

type Open = (target: LogTarget) => Promise<Omit<OpenedLog, 'chain'>>
type Given = TargetOptions & { readonly json?: boolean; readonly dryRun?: boolean }

const withFilter = (command: Command): Command =>
  withTargetOptions(command)
    .option('--reason <word>', 'only those put aside for this reason')
    .option('--since <time>', 'only those from then on, e.g. 2026-05-31T12:00:00Z')
    .option('--until <time>', 'only those up to then')
    .option('--json', AS_JSON)
const withTopic = (command: Command): Command =>
  withFilter(command).option('--topic <name>', 'only records of this topic; `intake` for messages that intakes refused')

export function deadLettersCommand(open: Open): Command {
  const list = withTopic(new Command('list'))
    .description('The newest records that were put aside: when, why, and where they lie')
    .option('--limit <n>', 'so many at most', String(LIMIT))
    .action(async (given: Given) => {
      const { limit, ...wanted } = parseOptions(listSchema, given, 'dead-letters list')
      const { found, unread } = await lookInto(open, targetOf(given), ({ log, topics }) =>
        newestLetters(log, topics, wanted, limit),
      )
      answer(given.json, { ...found, unread: unread ?? null }, () => renderLetters(found, unread))
      tellUnread(unread)
    })
  const count = withTopic(new Command('count'))
    .description('Count dead letters by topic and reason')
    .action(async (given: Given) => {
      const wanted = parseOptions(countSchema, given, 'dead-letters count')
      const { found: items, unread } = await lookInto(open, targetOf(given), ({ log, topics }) =>
        countLetters(log, topics, wanted),
      )
      answer(given.json, { items, unread: unread ?? null }, () => renderCounts(items, unread))
      tellUnread(unread)
    })
  const show = withTargetOptions(new Command('show'))
    .description('One dead letter with its reason, its headers and its bytes')
    .argument('<offset>', 'as `dead-letters list` shows it')
    .option('--json', `${AS_JSON}, bytes as base64`)
    .action(async (at: string, given: Given) => {
      const { offset } = parseOptions(showSchema, { offset: at }, 'dead-letters show', 'offset')
      const { found: record, unread } = await lookInto(open, targetOf(given), ({ log, topics }) =>
        letterAt(log, topics, offset),
      )
      if (!record) throw noLetter(offset, unread)
      answer(given.json, letterJson(record), () => renderLetter(record))
    })
  return new Command('dead-letters').addCommand(list).addCommand(count).addCommand(show).addCommand(retryCommand(open))
}

const noLetter = (offset: number, unread: string | undefined): CliError =>
  unread === undefined
    ? new CliError(
        `there is no dead letter at offset ${offset}, or not any more`,
        'See `sequencer dead-letters list`.',
        EXIT.failed,
      )
    : new CliError(
        `no dead letter can be read at offset ${offset}: ${unread}`,
        'Look again when it can.',
        EXIT.unavailable,
      )

function retryCommand(open: Open): Command {
  return withFilter(new Command('retry'))
    .description('Put submissions back that can be read now, e.g. since their schema was registered')
    .option('--dry-run', 'only say how many there are')
    .addHelpText('after', '\nEach gets a verdict as one that arrives now. A record that is put back twice counts once.')
    .action(async (given: Given) => {
      const { topic: _, ...wanted } = parseOptions(countSchema, given, 'dead-letters retry')
      const dryRun = given.dryRun === true
      const { found: outcome, unread } = await lookInto(open, targetOf(given), ({ log, topics }) =>
        retryLetters({ log, topics, clock: systemClock }, wanted, dryRun),
      )
      const done = dryRun ? 'would be put back' : 'put back into the log'
      const text = `${outcome.retried} submissions ${done}; ${outcome.left} dead letters of the topic are no submissions, or not whole`
      answer(given.json, { ...outcome, dryRun, unread: unread ?? null }, () => [text])
      tellUnread(unread)
    })
}
