export type IntakeErrorCode =
  /** Another process listens on the port. */
  | 'PORT_IN_USE'
  /** An address that cannot be listened on: not ours, or not a TCP multiaddr. */
  | 'BAD_ADDRESS'
  /** The key file cannot be read or written, or holds no libp2p private key. */
  | 'PEER_KEY'

/** The intake cannot start as it is set up. Nothing that passes by itself, so never retriable. */
export class IntakeError extends Error {
  readonly code: IntakeErrorCode
  readonly retriable = false
  constructor(code: IntakeErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'IntakeError'
    this.code = code
  }
}

/** The meaning of a failure to listen. */
export function classifyListenFailure(cause: unknown, listen: readonly string[]): Error {
  const text = cause instanceof Error ? cause.message : String(cause)
  const where = listen.join(', ')
  if (text.includes('EADDRINUSE')) return new IntakeError('PORT_IN_USE', `${where}: the port is in use`, cause)
  if (/EACCES/.test(text)) return new IntakeError('BAD_ADDRESS', `${where}: this user may not listen there`, cause)
  if (/EADDRNOTAVAIL|listened on|ENOTFOUND|multiaddr/i.test(text))
    return new IntakeError('BAD_ADDRESS', `${where}: no address that this machine can listen on`, cause)
  return cause instanceof Error ? cause : new Error(text)
}
