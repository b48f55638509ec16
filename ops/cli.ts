import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { EXIT, explain } from './cli-error.ts'
import type { OpenLog } from './open-log.ts'

const VERSION = (
  JSON.parse(
    readFileSync(
      new URL(import.meta.url.includes('/dist/') ? '../../package.json' : '../package.json', import.meta.url),
      'utf8',
    ),
  ) as { version: string }
).version

export async function main(argv: readonly string[]): Promise<void> {
  const program = await createProgram(argv[2])
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

/** Each command with its modules: those of one load in a moment, those of all take a second or two (libp2p, ethers). */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  dev: async () => (await import('./dev/command.ts')).devCommand(VERSION),
  run: async () => (await import('./run/command.ts')).runCommand(VERSION),
  deploy: async () => (await import('./deploy/command.ts')).deployCommand(),
  devchain: async () => (await import('./dev/chain-command.ts')).devChainCommand(),
  reset: async () => (await import('./reset/command.ts')).resetCommand(),
  verify: async () => (await import('./verify/command.ts')).verifyCommand(),
  proof: async () => (await import('./proof/command.ts')).proofCommand(openLog),
  audit: async () => (await import('./audit/command.ts')).auditCommand(withChain),
  replay: async () => (await import('./replay/command.ts')).replayCommand(withChain),
  why: async () => (await import('./lookup/command.ts')).whyCommand(openLog),
  epoch: async () => (await import('./lookup/command.ts')).epochCommand(openLog),
  markets: async () => (await import('./markets/command.ts')).marketsCommand(openLog),
  topology: async () => (await import('./describe.ts')).topologyCommand(),
  schemas: async () => (await import('./schemas/command.ts')).schemasCommand(),
  snapshotters: async () => (await import('./snapshotters/command.ts')).snapshottersCommand(),
  doctor: async () => (await import('./doctor.ts')).doctorCommand(),
  keys: async () => (await import('./keys/command.ts')).keysCommand(),
  config: async () => (await import('./config/command.ts')).configCommand(),
}

/** @param only the one command that is wanted; all of them when it is not one, for the help and for what to say of it */
export async function createProgram(only?: string): Promise<Command> {
  const program = new Command('sequencer')
    .description('Snapshot sequencer for Powerloom data markets')
    .version(VERSION)
    .addHelpText(
      'after',
      '\nExit codes: 0 done · 1 the answer is no · 2 wrong usage · 3 something outside cannot be used · 70 a fault of ours',
    )
  const wanted = only !== undefined && Object.hasOwn(COMMANDS, only) ? [COMMANDS[only]!] : Object.values(COMMANDS)
  const commands = await Promise.all(wanted.map((create) => create()))
  for (const command of commands) program.addCommand(command)
  for (const command of [program, ...commands, ...commands.flatMap(({ commands: inner }) => inner)])
    command.exitOverride().showHelpAfterError('(run with --help for the options)')
  return program
}

const openLog: OpenLog = async (target) => (await import('./open-log.ts')).openLog(target)
const withChain: OpenLog = async (target) => (await import('./open-log.ts')).openLog(target, { withChain: true })
