export type RealPartErrorCode =
  /** A program of the system that the launcher needs is not there. */
  | 'TOOL_MISSING'
  /** A program that fetches a package or prepares a folder failed. */
  | 'TOOL_FAILED'
  /** A process ended, or was not healthy in time. */
  | 'START_FAILED'

/** A broker or registry that could not be started here. */
export class RealPartError extends Error {
  readonly code: RealPartErrorCode
  /** The Debian package that has what is missing. */
  readonly debianPackage?: string
  constructor(
    code: RealPartErrorCode,
    message: string,
    { cause, debianPackage }: { cause?: unknown; debianPackage?: string } = {},
  ) {
    super(message, { cause })
    this.name = 'RealPartError'
    this.code = code
    if (debianPackage !== undefined) this.debianPackage = debianPackage
  }
}
