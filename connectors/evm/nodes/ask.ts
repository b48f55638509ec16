/** Asks one node. Calls made in one turn of the event loop travel in one JSON-RPC batch. */
export type Ask = (method: string, params: readonly unknown[]) => Promise<unknown>

export interface Endpoint {
  readonly ask: Ask
  close(): void
}

export interface RpcOptions {
  /** In order of preference. */
  readonly urls: readonly string[]
  readonly chainId: number
  readonly timeoutMs: number
  /** A reading that takes longer is asked of the next node, too; RPC_DEFAULTS.slowMs when absent. */
  readonly slowMs?: number | undefined
  /** Calls per JSON-RPC batch, at most; 1 for nodes without batches. */
  readonly batchMax: number
  /** Blocks of one request for logs, at most. */
  readonly logRangeBlocks?: number | undefined
  /** Nodes that must say the same of what is to be agreed on; 1 when absent. */
  readonly agreement?: number | undefined
}
