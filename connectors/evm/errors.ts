export type EvmErrorCode =
  /** No RPC endpoint answered in time. */
  | 'UNREACHABLE'
  /** An endpoint answered with an error, or with something else than was asked for. */
  | 'RPC_ERROR'
  /** The endpoint does not have the state or the block asked for (pruned, or behind). */
  | 'NOT_AVAILABLE'
  /** Answers of one step contradict each other (a reorg in between, or two nodes behind one address). */
  | 'INCONSISTENT'
  | 'WRONG_CHAIN'
  /** The chain has none of the blocks that the log knows. */
  | 'FOREIGN_CHAIN'
  | 'FENCED'
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
