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

/** Commands are loaded when they are called for, so that `--help` does not wait for libp2p. */
export async function createProgram(): Promise<Command> {
  const program = new Command('sequencer')
    .description('Snapshot sequencer for Powerloom data markets')
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(run with --help for the options)')
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 1 the answer is no · 2 wrong usage · 3 something outside cannot be used · 70 a fault of ours',
    )
  return program
}
