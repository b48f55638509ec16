import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { EXIT, explain } from './cli-error.ts'

const VERSION = (
  JSON.parse(
    readFileSync(
      new URL(import.meta.url.includes('/dist/') ? '../../package.json' : '../package.json', import.meta.url),
      'utf8',
    ),
  ) as { version: string }
).version

export async function main(argv: readonly string[]): Promise<void> {
  const program = await createProgram()
  try {
    await program.parseAsync(argv)
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
      return
    }
    const { text, exitCode } = explain(error)
    process.stderr.write(`${text}\n`)
    process.exitCode = exitCode
  }
}

/** The whole command line. Each command's own modules are loaded here: libp2p and ethers cost about a second. */
export async function createProgram(): Promise<Command> {
  const [
    { devCommand },
    { verifyCommand },
    { auditCommand },
    { epochCommand, whyCommand },
    { topologyCommand },
    { snapshottersCommand },
    { doctorCommand },
    { schemasCommand },
    { configCommand },
    { openDirectory },
    { openWithChain },
  ] = await Promise.all([
    import('./dev/command.ts'),
    import('./verify/command.ts'),
    import('./audit/command.ts'),
    import('./lookup/command.ts'),
    import('./describe.ts'),
    import('./snapshotters/command.ts'),
    import('./doctor.ts'),
    import('./schemas/command.ts'),
    import('./config/command.ts'),
    import('./data-directory.ts'),
    import('./audit/with-chain.ts'),
  ])
  const program = new Command('sequencer')
    .description('Snapshot sequencer for Powerloom data markets')
    .version(VERSION)
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 1 the answer is no · 2 wrong usage · 3 something outside cannot be used · 70 a fault of ours',
    )
  const commands = [
    devCommand(VERSION),
    verifyCommand(),
    auditCommand(openWithChain),
    whyCommand(openDirectory),
    epochCommand(openDirectory),
    topologyCommand(),
    snapshottersCommand(),
    doctorCommand(),
    schemasCommand(),
    configCommand(),
  ]
  for (const command of commands) program.addCommand(command)
  for (const command of [program, ...commands, ...commands.flatMap(({ commands: inner }) => inner)])
    command.exitOverride().showHelpAfterError('(run with --help for the options)')
  return program
}
