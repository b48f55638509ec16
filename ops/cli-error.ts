/**
 * Exit codes of every command: 0 done and well · 1 done, and the answer is no (a check failed) · 2 wrong usage or
 * configuration · 3 something outside cannot be used (node, port, directory, disk) · 70 a fault of ours.
 */
export const EXIT = { ok: 0, failed: 1, usage: 2, unavailable: 3, internal: 70 } as const

/** A failure that the user can act on: what was wrong, and what to do next. */
export class CliError extends Error {
  readonly exitCode: number
  readonly hint: string
  constructor(message: string, hint: string, exitCode: number = EXIT.usage, cause?: unknown) {
    super(message, { cause })
    this.name = 'CliError'
    this.hint = hint
    this.exitCode = exitCode
  }
}

/** What to do about the failures that carry a code (LogError and the connectors' errors). */
const HINTS: Readonly<Record<string, string>> = {
  LOCKED: 'Another process uses this directory. Stop it, or give --data-dir another one.',
  READ_ONLY: 'Give --data-dir a directory that this user may write to.',
  DISK_FULL: 'Free some space and start again; nothing that was acknowledged is lost.',
  IO_ERROR: 'Look at the disk and its messages; nothing that was acknowledged is lost.',
  NOT_FOUND: 'Check --data-dir; `sequencer dev --data-dir D` makes one.',
  CORRUPT: 'Restore the directory from a copy. `sequencer audit` says what is still whole.',
  PORT_IN_USE: 'Stop what uses the port, or choose another one.',
  ANVIL_MISSING: 'Install anvil (Foundry), or point --rpc to an EVM node that has the contract.',
  WRONG_CHAIN:
    'Point --rpc to a node of the chain that --chain-id names; with --data-dir of another chain, give a new directory.',
  TOPOLOGY_MISMATCH: 'Members of one group must run the same topology. Stop the older ones first.',
}

/** Any failure as one text for standard error, and the exit code. */
export function explain(error: unknown): { text: string; exitCode: number } {
  if (error instanceof CliError) return { text: `error: ${error.message}\n  ${error.hint}`, exitCode: error.exitCode }
  if (error instanceof Error) {
    const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
    const hint = HINTS[code]
    // a failure of the operating system names its call; ours carry what to do in the table above
    if (hint) return { text: `error: ${error.message}\n  ${hint}`, exitCode: EXIT.unavailable }
    return {
      text: `error: ${error.stack ?? error.message}\n  This is a fault of the sequencer; please report it.`,
      exitCode: EXIT.internal,
    }
  }
  return { text: `error: ${String(error)}`, exitCode: EXIT.internal }
}
