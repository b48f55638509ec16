/** `sequencer schemas`: the registry's schemas, this program's schemas, and whether the two go together. */
import { Command } from 'commander'
import { z } from 'zod'
import { type ConfluentRegistry, createConfluentRegistry } from '../../../connectors/schema-registry/confluent.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, httpUrl, parseOptions } from '../../base/options.ts'
import { answer, stdout } from '../../base/output.ts'
import { plural } from '../../base/words.ts'
import { secretIn } from '../../ground/cluster/connect.ts'
import { type CheckReport, checkHistory, checkRegistry } from './check.ts'
import { type Desired, desiredSchemas } from './desired.ts'
import { diffHistory, diffRegistry } from './diff.ts'
import { exportSchemas, writeExport } from './export.ts'
import { registerSchemas } from './register.ts'
import { renderCheck, renderDiff, renderRegister } from './render.ts'

const options = z.object({
  registry: httpUrl.optional(),
  username: z.string().min(1).optional(),
  passwordFile: z.string().min(1).optional(),
  prefix: z.string(),
  schemas: z.string().min(1).optional(),
  out: z.string().min(1).optional(),
  dryRun: z.boolean().optional(),
  json: z.boolean().optional(),
})

type Options = Readonly<z.infer<typeof options>>

export function schemasCommand(): Command {
  const command = new Command('schemas')
  withOptions(command, 'check', check)
  withOptions(command, 'diff', diff)
  withOptions(command, 'register', register).option('--dry-run', 'only check')
  withOptions(command, 'export', exportAll).option('--out <dir>', 'write <subject>/<version>.avsc and index.json there')
  return command
}

const ABOUT = {
  check: 'Say whether every version can read every other; without a registry, of the history',
  diff: 'Print what differs from the newest version, field by field',
  register: 'Register every schema at level FULL_TRANSITIVE, or none if one is refused',
  export: 'Print or write every version that the registry has',
} as const

function withOptions(parent: Command, name: keyof typeof ABOUT, run: (options: Options) => Promise<void>): Command {
  return parent
    .command(name)
    .description(ABOUT[name])
    .option('--registry <url>', 'base address of Confluent’s interface, e.g. http://host:8081')
    .option('--username <name>', 'user name there')
    .option('--password-file <file>', 'file with the password')
    .option('--prefix <text>', 'before every subject', '')
    .option('--schemas <dir>', 'folder with other *.avsc files than this program’s')
    .option('--json', AS_JSON)
    .action((given: unknown) => run(parseOptions(options, given, `schemas ${name}`)))
}

async function check(given: Options): Promise<void> {
  const desired = desiredOf(given)
  const reports: CheckReport[] = [checkHistory(desired)]
  if (given.registry) reports.push(await checkRegistry(desired, connect(given), given.prefix))
  const ok = reports.every((report) => report.ok)
  answer(given.json, { ok, reports }, () =>
    reports.flatMap((report, at) => [...(at > 0 ? [''] : []), ...renderCheck(report)]),
  )
  if (!ok) process.exitCode = EXIT.failed
}

async function diff(given: Options): Promise<void> {
  const desired = desiredOf(given)
  const report = given.registry ? await diffRegistry(desired, connect(given), given.prefix) : diffHistory(desired)
  answer(given.json, report, () => renderDiff(report))
  if (!report.same) process.exitCode = EXIT.failed
}

async function register(given: Options): Promise<void> {
  const desired = desiredOf(given)
  if (given.dryRun) {
    const report = await checkRegistry(desired, connect(given), given.prefix)
    answer(given.json, report, () => renderCheck(report))
    if (!report.ok) process.exitCode = EXIT.failed
    return
  }
  const report = await registerSchemas(desired, connect(given), given.prefix)
  answer(given.json, report, () => renderRegister(report))
  if (!report.ok) process.exitCode = EXIT.failed
}

async function exportAll(given: Options): Promise<void> {
  const subjects = await exportSchemas(desiredOf(given), connect(given), given.prefix)
  const { out } = given
  if (out === undefined) return stdout.printJson(subjects)
  const schemas = writeExport(subjects, out)
  answer(given.json, { out, subjects: subjects.length, schemas }, () => [
    `${plural(schemas, 'schema')} of ${plural(subjects.length, 'subject')} in ${out}`,
  ])
}

function connect({ registry: url, username, passwordFile }: Options): ConfluentRegistry {
  if (url === undefined) throw new CliError('--registry is missing', 'Give the address of the schema registry.')
  if (username === undefined) return createConfluentRegistry({ url })
  return createConfluentRegistry({ url, auth: { username, password: passwordFile ? passwordIn(passwordFile) : '' } })
}

function passwordIn(file: string): string {
  try {
    return secretIn(file)
  } catch (error) {
    if (error instanceof CliError) throw error
    throw new CliError(`--password-file ${file} cannot be read`, 'Check the path and its rights.', EXIT.usage, error)
  }
}

function desiredOf({ schemas }: Options): Desired {
  try {
    return desiredSchemas(schemas)
  } catch (error) {
    if (schemas === undefined) throw error
    const reason = (error as Error).message
    throw new CliError(`--schemas ${schemas}: ${reason}`, 'Give a folder with all *.avsc files.', EXIT.usage, error)
  }
}
