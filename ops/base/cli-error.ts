import type { Lines } from './output.ts'
import { withoutKeys } from './shown-url.ts'

/**
 * Exit codes of every command: 0 done and well · 1 done, and the answer is no (a check failed) · 2 wrong usage or
 * configuration · 3 something outside cannot be used (node, port, directory, disk) · 4 nothing wrong
 * was found, but not everything could be checked · 70 a fault of ours.
 */
export const EXIT = { ok: 0, failed: 1, usage: 2, unavailable: 3, unchecked: 4, internal: 70 } as const

/** A failure that the user can act on: what was wrong, and what to do next. */
export class CliError extends Error {
  readonly exitCode: number
  readonly hint: string
  readonly lines: Lines
  /** @param message one line, or several as a list: a line feed within one is foreign, and shown as an escape */
  constructor(message: string | Lines, hint: string, exitCode: number = EXIT.usage, cause?: unknown) {
    const lines = typeof message === 'string' ? [message] : message
    super(lines.join('\n'), { cause })
    this.lines = lines
    this.name = 'CliError'
    this.hint = hint
    this.exitCode = exitCode
  }
}

const NO_SPACE = 'Free some space and start again; nothing that was acknowledged is lost.'
const NOT_WRITABLE = 'Give --data-dir a directory that this user may write to.'

const RIGHTS = 'Give the rights: with acls.principals, `sequencer deploy plan` shows the rights that a role lacks.'

/** The remedies for the failures that carry a code: of the log, of the connectors, of the operating system. */
const HINTS: Readonly<Record<string, string>> = {
  LOCKED: 'Another process uses this directory. Stop it, or give --data-dir another one.',
  READ_ONLY: NOT_WRITABLE,
  DISK_FULL: NO_SPACE,
  IO_ERROR: 'Look at the disk and its messages; nothing that was acknowledged is lost.',
  NOT_FOUND: 'Check --data-dir; `sequencer dev --data-dir D` makes one.',
  CORRUPT:
    '`sequencer log check` says what is damaged and lost, and changes nothing. Restore the directory from a copy; without one ' +
    '`sequencer log repair` goes on with what is left.',
  NOT_A_DIRECTORY: 'Give --data-dir a directory.',
  FORMAT_NEWER: 'Start the newer version of the sequencer that wrote the directory.',
  PORT_IN_USE: 'Stop what uses the port, or choose another one.',
  PORT_BUSY: 'Stop what uses the port, or choose another one with --chain-port; 0 takes any free port.',
  BAD_ADDRESS: 'Listen on an address of this machine, and on a port that this user may use.',
  PEER_KEY: 'Restore the key file, or remove it: the intake then makes a new one and has a new peer id.',
  ANVIL_MISSING: 'Install anvil (Foundry), or point --rpc to an EVM node that has the contract.',
  WRONG_CHAIN: 'Point --rpc to a node of the right chain, or give --data-dir a new directory.',
  FOREIGN_CHAIN: 'Point --rpc to the chain that the log was written for, or give --data-dir a new directory.',
  CHAIN_LOST: 'Put the file back, or give --data-dir a new directory.',
  ANVIL_FAILED: 'Start again: chain and log go on from where they are. `sequencer doctor` says what the machine lacks.',
  UNREACHABLE: 'Start what does not answer, or check its address.',
  RPC_ERROR: 'The node answered, but not as an EVM node does: check its address.',
  SIGNER_KEY:
    'Give a file with the key alone, 64 hex digits, which only its owner may read; `sequencer keys` makes one.',
  UNAVAILABLE: 'Start the storage node, or check its address.',
  REFUSED: 'The storage node answered that it will not take the request: check its address and its rights.',
  BAD_ANSWER: 'Something else answers at this address, a proxy or a login page: give the address of the store itself.',
  ENOSPC: NO_SPACE,
  EROFS: NOT_WRITABLE,
  EACCES: NOT_WRITABLE,
  REGISTRY_CORRUPT: 'Restore schemas.json or schemas.copy.json of the directory from a copy of it.',
  REGISTRY_MISSING: 'Restore schemas.json or schemas.copy.json of the directory from a copy of it.',
  REGISTRY_UNREACHABLE: 'Start the schema registry, or check its address.',
  NOT_A_REGISTRY:
    'Give the base of Confluent’s interface: http://host:8081, of Apicurio http://host:8080/apis/ccompat/v7.',
  REGISTRY_RIGHTS: 'Give a user who may read the subjects, and write the ones that are not registered yet.',
  REGISTRY_MISMATCH: 'Look at the settings of the registry: something there changes what is written to it.',
  SCHEMA_REFUSED: 'Look at the mode and the level of the subject; `sequencer schemas diff` shows what differs.',
  SCHEMA_INCOMPATIBLE: '`sequencer schemas check` names each field; a change that breaks readers needs a new topic.',
  AUTHENTICATION: 'Check kafka.sasl.* and kafka.tls.*: `sequencer config print` shows what counts.',
  TOPIC_AUTHORIZATION_FAILED: RIGHTS,
  GROUP_AUTHORIZATION_FAILED: RIGHTS,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: RIGHTS,
  MEMBER_REPLACED: 'Give each process an --instance-id of its own, the same after a restart.',
  TRUNCATED:
    'Stop every role, and bring the records back if a replica or a backup has them. Without them `sequencer audit` says ' +
    'which records are missing; go on under a new appId and prefix.',
  TOPIC_MISMATCH: '`sequencer deploy plan` shows every difference and what to do about it.',
  UNKNOWN_TOPIC: 'Run `sequencer deploy apply`; `deploy plan` shows what is missing.',
  TOPOLOGY_MISMATCH: 'Members of one group must run the same topology. Stop the older ones first.',
}

/** For the failures of the outside world that the table has no own words for. */
const ANY_HINT = 'Nothing that was acknowledged is lost. Mend what the message names, then start again.'

/** Any failure as lines for standard error, and the exit code. */
export function explain(error: unknown): { lines: Lines; exitCode: number } {
  const { said, hint, exitCode } = explained(error)
  const [first = '', ...more] = said.map(withoutKeys)
  return { lines: [`error: ${first}`, ...more.map(indented), `  ${withoutKeys(hint)}`], exitCode }
}

const indented = (line: string): string => (line.startsWith('  ') ? line : `  ${line}`)

function explained(error: unknown): { said: Lines; hint: string; exitCode: number } {
  if (error instanceof CliError) return { said: error.lines, hint: error.hint, exitCode: error.exitCode }
  if (isOutside(error))
    return { said: [error.message], hint: HINTS[error.code] ?? ANY_HINT, exitCode: EXIT.unavailable }
  const hint = 'This is a fault of the sequencer; please report it.'
  return { said: error instanceof Error ? stackOf(error) : [String(error)], hint, exitCode: EXIT.internal }
}

/** The message, which may hold foreign text, is one line; each call is another. */
function stackOf({ name, message, stack = '' }: Error): Lines {
  const calls = stack.slice(Math.max(0, stack.indexOf(message)) + message.length)
  return [`${name}: ${message}`, ...calls.split('\n').filter((call) => call.startsWith('    at '))]
}

/** The errors of log and connectors say whether they may pass, errors of the operating system which call failed. */
const isOutside = (error: unknown): error is Error & { readonly code: string } =>
  error instanceof Error &&
  ('retriable' in error || 'syscall' in error) &&
  'code' in error &&
  typeof error.code === 'string'
