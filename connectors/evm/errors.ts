export type EvmErrorCode =
  /** No answer: refused, cut, or not in time. */
  | 'UNREACHABLE'
  /** An endpoint answered with an error. */
  | 'RPC_ERROR'
  /** An endpoint answered with something else than was asked for. */
  | 'BAD_ANSWER'
  /** An endpoint answered with more than is taken. */
  | 'ANSWER_TOO_LONG'
  /** The endpoint does not know the block asked for: it is behind, or on another fork. */
  | 'BLOCK_MISSING'
  /** The endpoint knows the block, but no longer its state. */
  | 'STATE_MISSING'
  /** Answers of one step contradict each other: a reorg in between, or two nodes behind one address. */
  | 'INCONSISTENT'
  /** Nodes say otherwise of the same thing, and too few of them say the same. */
  | 'DISAGREEMENT'
  /** Too few nodes know what has to be agreed on. */
  | 'TOO_FEW_NODES'
  | 'WRONG_CHAIN'
  /** The contract refuses a read, has no such function, or answers it with something else. */
  | 'UNREADABLE'
  /** The contract counts epochs whose release no log tells. */
  | 'LOGS_INCOMPLETE'
  /** The contract names an address as the registry of slots where none is. */
  | 'NO_REGISTRY'
  /** The chain has none of the blocks that the log knows. */
  | 'FOREIGN_CHAIN'
  /** Another instance of the same role has taken over. */
  | 'FENCED'
  /** The key of the signer cannot be used. */
  | 'SIGNER_KEY'
  | 'ANVIL_MISSING'
  | 'ANVIL_FAILED'
  | 'PORT_BUSY'
  | 'CHAIN_LOST'

interface EvmErrorOptions {
  readonly retriable?: boolean
  readonly endpoint?: number | undefined
  readonly cause?: unknown
}

/** A failure of the anchor chain or of an endpoint to it. `retriable`: the same step may succeed later. */
export class EvmError extends Error {
  readonly code: EvmErrorCode
  readonly retriable: boolean
  /** Index of the endpoint whose failure it is, and which the message names. */
  endpoint: number | undefined
  constructor(code: EvmErrorCode, message: string, options: EvmErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.name = 'EvmError'
    this.code = code
    this.retriable = options.retriable ?? false
    this.endpoint = options.endpoint
  }

  /** Says whose failure it is, unless that is known. */
  locatedAt(endpoint: number, name: string): this {
    if (this.endpoint !== undefined) return this
    this.endpoint = endpoint
    this.message = `${name}: ${this.message}`
    return this
  }
}

/** The conclusion of a reading that understood its answers. No failure of a node: it is passed on as it is. */
export class Conclusion extends Error {}

/** Length of the words in an endpoint's errors. */
const WORDS_MAX = 1_000

/** The meaning of an endpoint's failure. Every failure may pass, on this endpoint or another. */
export function classifyRpcFailure(cause: unknown, what: string, endpoint?: number): EvmError {
  if (cause instanceof EvmError) return endpoint === undefined ? cause : cause.locatedAt(endpoint, what)
  const { message, code } = messageOf(cause)
  const options = { retriable: true, endpoint, cause }
  if (code === 'TIMEOUT' || /^E[A-Z]+$/.test(code)) return new EvmError('UNREACHABLE', `${what}: ${message}`, options)
  return new EvmError('RPC_ERROR', `${what}: ${message}`, options)
}

/** The message of a failed request, or of an error that a node answered with, whose own words may lie deeper. */
function messageOf(cause: unknown): { message: string; code: string } {
  if (typeof cause !== 'object' || cause === null) return { message: wordsOf(cause), code: '' }
  const { message, code, error, info } = cause as {
    message?: unknown
    code?: unknown
    error?: { message?: unknown }
    info?: { error?: { message?: unknown } }
  }
  const said = error?.message ?? info?.error?.message ?? message ?? cause
  return { message: wordsOf(said), code: typeof code === 'string' ? code : '' }
}

/** The words of a thrown value, which may be no text and have none. */
export function wordsOf(thrown: unknown): string {
  try {
    return (thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)).slice(0, WORDS_MAX)
  } catch {
    return `a thrown ${typeof thrown}`
  }
}
