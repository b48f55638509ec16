/** `sequencer why` and `sequencer epoch`. */
import { Command } from 'commander'
import { EXIT } from '../base/cli-error.ts'
import { AS_JSON, parseOptions } from '../base/options.ts'
import { answer, stdout } from '../base/output.ts'
import { type LogTarget, type OpenedLog, type TargetOptions, targetOf, withTargetOptions } from '../ground/open-log.ts'
import { lookInto, type Seen, tellUnread } from '../ground/watched-log.ts'
import { type EpochStatus, epochStatus } from '../reading/epoch.ts'
import { type WhyAnswer, why } from '../reading/why.ts'
import { askEpoch, askWhy } from './ask.ts'
import { type EpochFields, epochQuery, epochSchema, type WhyFields, whyQuery, whySchema } from './query.ts'
import { reasonsReference } from './reasons.ts'
import { renderEpochs, renderWhy } from './render.ts'

/** A look-up needs what lies in the log, not the chain behind it. */
type Open = (target: LogTarget) => Promise<Omit<OpenedLog, 'chain'>>

export function whyCommand(open: Open): Command {
  return withTargetOptions(new Command('why'))
    .option('--slot <n>', 'slot of the snapshotter')
    .option('--submission-id <uuid>', 'id that the collector gave the submission')
    .option('--epoch <n>', 'only this epoch')
    .option('--project <id>', 'only this project')
    .option('--data-market <address>', 'only this data market')
    .option('--json', AS_JSON)
    .option('--reasons', 'print every reason there is, as docs/verdicts.md has them, and nothing else')
    .addHelpText(
      'after',
      '\n--slot or --submission-id is needed. Each further option narrows the search, and makes it faster.',
    )
    .action(async (given: TargetOptions & { readonly reasons?: boolean }) => {
      if (given.reasons) stdout.printRaw(reasonsReference())
      else await tellWhy(open, given)
    })
}

async function tellWhy(open: Open, given: TargetOptions): Promise<void> {
  const options = { ...given, ...parseOptions(whySchema, given, 'why') }
  const { found, unread } = await runWhy(open, options)
  answer(options.json, { ...found, unread: unread ?? null }, () => renderWhy(found, unread))
  if (found.items.length === 0) process.exitCode = EXIT.failed
  else if (found.truncated) process.exitCode = EXIT.unchecked
  tellUnread(unread)
}

export function epochCommand(open: Open): Command {
  return withTargetOptions(new Command('epoch'))
    .argument('<id>', 'epoch')
    .option('--data-market <address>', 'only this data market')
    .option('--json', AS_JSON)
    .action(async (id: string, given: TargetOptions) => {
      const options = { ...given, ...parseOptions(epochSchema, { ...given, id }, 'epoch', 'id') }
      const { found: items, unread } = await runEpoch(open, options)
      answer(options.json, { items, unread: unread ?? null }, () => renderEpochs(items))
      if (items.every(({ phase }) => phase === 'UNKNOWN')) process.exitCode = EXIT.failed
      tellUnread(unread)
    })
}

/** Asks the process that runs on the directory; reads the log when none does, or when it is on a cluster. */
export async function runWhy(open: Open, options: TargetOptions & WhyFields): Promise<Seen<WhyAnswer>> {
  const query = whyQuery(options)
  const target = targetOf(options)
  const told = target.kind === 'directory' ? await askWhy(target.dataDir, query) : undefined
  return told ? asTold(told) : lookInto(open, target, ({ log, topics }) => why(log, topics, query))
}

export async function runEpoch(
  open: Open,
  options: TargetOptions & EpochFields,
): Promise<Seen<readonly EpochStatus[]>> {
  const query = epochQuery(options)
  const target = targetOf(options)
  const told = target.kind === 'directory' ? await askEpoch(target.dataDir, query) : undefined
  return told
    ? asTold(told)
    : lookInto(open, target, ({ log, topics, rules }) => epochStatus(log, topics, rules, query))
}

/** By the process that has the directory open: nobody else writes there. */
const asTold = <T>(found: T): Seen<T> => ({ found, unread: undefined })
