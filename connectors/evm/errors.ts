export type EvmErrorCode =
  /** No answer: refused, cut, or not in time. */
  | 'UNREACHABLE'
  /** An endpoint answered with an error, or with something else than was asked for. */
  | 'RPC_ERROR'
  /** The endpoint does not know the block asked for: it is behind, or on another fork. */
  | 'BLOCK_MISSING'
  /** The endpoint knows the block, but no longer its state. */
  | 'STATE_MISSING'
  /** Answers of one step contradict each other: a reorg in between, or two nodes behind one address. */
  | 'INCONSISTENT'
  | 'WRONG_CHAIN'
  /** The contract counts epochs whose release no log tells. */
  | 'LOGS_INCOMPLETE'
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

/** A failure of the anchor chain or of an endpoint to it. `retriable`: the same step may succeed later. */
export class EvmError extends Error {
  readonly code: EvmErrorCode
  readonly retriable: boolean
  constructor(code: EvmErrorCode, message: string, options: { retriable?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'EvmError'
    this.code = code
    this.retriable = options.retriable ?? false
  }
}

const BLOCK_MISSING = /header not found|unknown block|resource not found|block (was )?not found/i
const STATE_MISSING = /missing trie node|BlockOutOfRange|state .*(not|un)\s?available|pruned|historical state/i

/** What an endpoint's failure means. Every one of them may pass, on this endpoint or another. */
export function classifyRpcFailure(cause: unknown, what: string): EvmError {
  if (cause instanceof EvmError) return cause
  const { message, code } = messageOf(cause)
  const options = { retriable: true, cause }
  if (STATE_MISSING.test(message)) return new EvmError('STATE_MISSING', `${what}: ${message}`, options)
  if (BLOCK_MISSING.test(message)) return new EvmError('BLOCK_MISSING', `${what}: ${message}`, options)
  if (code === 'TIMEOUT' || /^E[A-Z]+$/.test(code)) return new EvmError('UNREACHABLE', `${what}: ${message}`, options)
  return new EvmError('RPC_ERROR', `${what}: ${message}`, options)
}

/** ethers keeps the node's own words in `error.message` (single calls) or `info.error.message`. */
function messageOf(cause: unknown): { message: string; code: string } {
  const { message, code, error, info } = cause as {
    message?: string
    code?: unknown
    error?: { message?: string }
    info?: { error?: { message?: string } }
  }
  return { message: error?.message ?? info?.error?.message ?? message ?? String(cause), code: String(code) }
}
