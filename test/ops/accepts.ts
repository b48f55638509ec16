import type { Command } from 'commander'
import { createProgram } from '../../ops/bin/cli.ts'

/** Parses a command line of the program without doing anything. Rejects with what commander has to say. */
export async function accepts(args: readonly string[]): Promise<void> {
  const program = await createProgram(args[0])
  const silence = (command: Command): void => {
    command.exitOverride().configureOutput({ writeErr: () => {} })
    command.action(() => {})
    command.commands.forEach(silence)
  }
  program.commands.forEach(silence)
  await program.parseAsync(['node', 'sequencer', ...args])
}
