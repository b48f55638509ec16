import { CliError, EXIT } from '../../base/cli-error.ts'

export type RealPartErrorCode =
  /** A program of the system that the launcher needs is not there. */
  | 'TOOL_MISSING'
  /** A program that fetches a package or prepares a folder failed. */
  | 'TOOL_FAILED'
  /** A process ended, or was not healthy in time. */
  | 'START_FAILED'
  /** A process that had been running ended, although nobody had asked for that. */
  | 'ENDED'
  /** The start was given up since its signal was aborted. */
  | 'STOPPED'

const HINTS: Readonly<Record<RealPartErrorCode, string>> = {
  TOOL_MISSING: 'Install it, and start again.',
  TOOL_FAILED:
    'Check the network, proxies and free space; a second start fetches again. What was fetched is kept in ' +
    '~/.cache/powerloom-sequencer.',
  START_FAILED: 'Look at the log that is named; a second start goes on from what is there.',
  ENDED: 'Look at its output; a second start goes on from what is there.',
  STOPPED: 'Start again: it goes on from what is there.',
}
/** Lines of what a program said last that are a part of the message. */
const TAIL_LINES = 5

interface Details {
  readonly cause?: unknown
  readonly debianPackage?: string
  /** The end of what the program said; its last lines follow the message. */
  readonly said?: string
  readonly exitCode?: number
}

/** A broker, a registry or a process of a cluster that could not be started here, or that has ended. */
export class RealPartError extends CliError {
  readonly code: RealPartErrorCode
  /** The Debian package that has what is missing. */
  readonly debianPackage?: string
  /** More of what the program said than the message has. */
  readonly said: string
  constructor(code: RealPartErrorCode, message: string, details: Details = {}) {
    const { cause, debianPackage, said = '', exitCode = EXIT.unavailable } = details
    const tail = said.split('\n').filter((line) => line.trim() !== '')
    super([message, ...tail.slice(-TAIL_LINES)], HINTS[code], exitCode, cause)
    this.name = 'RealPartError'
    this.code = code
    this.said = said
    if (debianPackage !== undefined) this.debianPackage = debianPackage
  }
}
