import { Command, CommanderError, Help, type HelpConfiguration, type OutputConfiguration } from 'commander'
import { EXIT, explain } from '../base/cli-error.ts'
import { requireOpenFiles } from '../base/machine-limits.ts'
import { type Lines, stderr, stdout } from '../base/output.ts'
import { GROUPS, VERSION } from './commands.ts'

export async function main(argv: readonly string[]): Promise<void> {
  try {
    const program = await createProgram(argv[2] === 'help' ? argv[3] : argv[2])
    await program.parseAsync(argv)
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage
      return
    }
    const { lines, exitCode } = explain(error)
    stderr.print(...lines)
    process.exitCode = exitCode
  }
}

/** @param only the one command that is wanted and loaded; of the others only the name and what they are for is known */
export async function createProgram(only?: string): Promise<Command> {
  const program = new Command('sequencer')
    .description('Snapshot sequencer for Powerloom data markets')
    .version(VERSION)
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 1 the answer is no · 2 wrong usage · 3 something outside cannot be used · 4 not all could be checked · 70 a fault of ours',
    )
  for (const [group, entries] of Object.entries(GROUPS))
    for (const [name, { about, create }] of Object.entries(entries)) {
      if (name === only && name !== 'doctor') requireOpenFiles() // which says it among other things
      const command = name === only ? await create() : new Command(name)
      program.addCommand(command.description(about).helpGroup(group))
    }
  const { commands } = program
  for (const command of [program, ...commands, ...commands.flatMap(({ commands: inner }) => inner)])
    command
      .exitOverride()
      .configureHelp(HELP)
      .configureOutput(OUTPUT)
      .showHelpAfterError('(run with --help for the options)')
  return program
}

/** The words that commander quotes from the command line are foreign, too. */
const OUTPUT: OutputConfiguration = {
  writeOut: (text) => stdout.print(...linesOf(text)),
  writeErr: (text) => stderr.print(...linesOf(text)),
  outputError: (text) => stderr.print(...refusalOf(text)),
}
const linesOf = (text: string): Lines => text.replace(/\n$/, '').split('\n')

/** The words that were given are a part of the first line, whatever they hold; commander may add a line with a proposal. */
function refusalOf(text: string): Lines {
  const [, said = text, proposal] = /^(.*?)(?:\n(\(Did you mean [^\n]*\)))?\n$/s.exec(text) ?? []
  return proposal === undefined ? [said] : [said, `  ${proposal}`]
}

/** Commander does not say which options cannot be left out. */
const HELP: HelpConfiguration = {
  optionDescription(option) {
    const text = new Help().optionDescription(option)
    return option.mandatory ? `${text} (required)` : text
  },
}
