/** `sequencer why` and `sequencer epoch`. */
import { Command } from 'commander'
import { EXIT } from '../cli-error.ts'
import { askRunning, type OpenDirectory, type OpenedDirectory } from './directory.ts'
import { type EpochStatus, epochStatus } from './epoch.ts'
import { type LookupFields, parseEpochQuery, parseWhyQuery } from './query.ts'
import { reasonsReference } from './reasons.ts'
import { renderEpochs, renderWhy } from './render.ts'
import { type WhyAnswer, why } from './why.ts'

export interface LookupArguments extends LookupFields {
  readonly dataDir: string
  readonly json?: boolean
}

const DATA_DIR = '.data/dev'

export function whyCommand(open: OpenDirectory): Command {
  return new Command('why')
    .description('What became of the submissions of a slot, and by which rule')
    .option('--slot <n>', 'slot of the snapshotter')
    .option('--submission-id <uuid>', 'id that the collector gave the submission')
    .option('--epoch <n>', 'only this epoch')
    .option('--project <id>', 'only this project')
    .option('--data-market <address>', 'only this data market')
    .option('--data-dir <dir>', 'data directory', DATA_DIR)
    .option('--json', 'print the answer as JSON')
    .option('--reasons', 'print every reason there is, as docs/verdicts.md has them, and nothing else')
    .action(async (options: LookupArguments & { readonly reasons?: boolean }) => {
      if (options.reasons) return void process.stdout.write(reasonsReference())
      const answer = await runWhy(open, options)
      process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : renderWhy(answer))
      if (answer.items.length === 0) process.exitCode = EXIT.failed
    })
}

export function epochCommand(open: OpenDirectory): Command {
  return new Command('epoch')
    .description('Where an epoch stands: submissions, verdicts, winners, batches, transactions, attestations')
    .argument('<id>', 'epoch')
    .option('--data-market <address>', 'only this data market')
    .option('--data-dir <dir>', 'data directory', DATA_DIR)
    .option('--json', 'print the answer as JSON')
    .action(async (epoch: string, options: LookupArguments) => {
      const statuses = await runEpoch(open, { ...options, epoch })
      process.stdout.write(options.json ? `${JSON.stringify(statuses)}\n` : renderEpochs(statuses))
      if (statuses.every(({ phase }) => phase === 'UNKNOWN')) process.exitCode = EXIT.failed
    })
}

/** Asks the running process, or reads the directory when none runs. */
export async function runWhy(open: OpenDirectory, options: LookupArguments): Promise<WhyAnswer> {
  const { slot, epoch, project, submissionId, dataMarket } = options
  const query = parseWhyQuery(options)
  const answer = await askRunning(options.dataDir, '/v1/why', { slot, epoch, project, submissionId, dataMarket })
  return (
    (answer as WhyAnswer | undefined) ?? reading(open, options.dataDir, ({ log, topics }) => why(log, topics, query))
  )
}

export async function runEpoch(open: OpenDirectory, options: LookupArguments): Promise<readonly EpochStatus[]> {
  const query = parseEpochQuery(options)
  const answer = await askRunning(options.dataDir, `/v1/epoch/${query.epochId}`, { dataMarket: options.dataMarket })
  if (answer !== undefined) return answer as readonly EpochStatus[]
  return reading(open, options.dataDir, ({ log, topics, rules }) => epochStatus(log, topics, rules, query))
}

async function reading<T>(
  open: OpenDirectory,
  dataDir: string,
  read: (directory: OpenedDirectory) => Promise<T>,
): Promise<T> {
  const directory = await open(dataDir)
  try {
    return await read(directory)
  } finally {
    await directory.close()
  }
}
