import { FetchRequest, JsonRpcProvider, Network } from 'ethers'
import type { Clock } from '../../streams/ports.ts'
import { classifyRpcFailure, EvmError } from './errors.ts'
import { quantity } from './rpc-values.ts'

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
  /** Calls per JSON-RPC batch; 1 for nodes without batches. */
  readonly batchMax: number
}

/** `refused`: the node is well, but the contract, or the rules for transactions, say no. */
export type RpcOutcome = 'ok' | 'refused' | 'failed'

export interface RpcObserver {
  /** `endpoint` is the index of its URL (a URL may hold a secret). */
  answered?(endpoint: number, method: string, outcome: RpcOutcome, elapsedMs: number): void
}

export interface RpcPorts {
  readonly clock: Clock
  readonly observer?: RpcObserver | undefined
  /** Opens an endpoint; the default speaks HTTP. */
  readonly connect?: ((url: string, options: RpcOptions) => Endpoint) | undefined
}

/** Several nodes of one chain, used one at a time. */
export interface Rpc {
  /** Rejects with `WRONG_CHAIN` when a node that answers serves another chain; nodes that are down are passed over. */
  check(): Promise<void>
  /**
   * Runs a whole read on one node, so that its parts fit together; when that fails, on the next node, each once. Rejects
   * with the last node's EvmError, or with `WRONG_CHAIN`, which is final.
   */
  read<T>(reading: (ask: Ask) => Promise<T>): Promise<T>
  /** The same request to every node at once, an outcome of each. Says nothing about which node is preferred. */
  each<T>(reading: (ask: Ask) => Promise<T>): readonly Promise<T>[]
  /** Prefers the next node from now on: the present one answers, but stands still. */
  rotate(): void
  close(): void
}

const REFUSALS = /revert|insufficient funds|nonce too|already (known|imported|exists)|known transaction|underpriced/i

export function createRpc(options: RpcOptions, ports: RpcPorts): Rpc {
  const { connect = connectHttp } = ports
  const endpoints = options.urls.map((url) => connect(url, options))
  const checked = endpoints.map(() => false)
  let preferred = 0

  const askOf =
    (index: number): Ask =>
    async (method, params) => {
      const what = `${method} at RPC endpoint ${index + 1} of ${endpoints.length}`
      const started = ports.clock.now()
      const report = (outcome: RpcOutcome): void =>
        ports.observer?.answered?.(index, method, outcome, ports.clock.now() - started)
      try {
        const answer = await withDeadline(endpoints[index]!.ask(method, params), what, options.timeoutMs, ports.clock)
        report('ok')
        return answer
      } catch (cause) {
        const error = classifyRpcFailure(cause, what)
        const isRefusal = method === 'eth_sendRawTransaction' || REFUSALS.test(error.message) // of a transaction in any words
        report(error.code === 'RPC_ERROR' && isRefusal ? 'refused' : 'failed')
        throw error
      }
    }

  const readAt = async <T>(index: number, reading: (ask: Ask) => Promise<T>): Promise<T> => {
    const ask = askOf(index)
    if (!checked[index]) await checkChainId(ask, options.chainId, index)
    checked[index] = true
    return reading(ask)
  }

  return {
    check: async () => {
      const outcomes = await Promise.allSettled(endpoints.map((_, index) => readAt(index, async () => undefined)))
      for (const outcome of outcomes) {
        const reason: unknown = outcome.status === 'rejected' ? outcome.reason : undefined
        if (reason !== undefined && !(reason instanceof EvmError && reason.retriable)) throw reason
      }
    },
    read: async (reading) => {
      let failure: unknown
      for (let tried = 0; tried < endpoints.length; tried++) {
        const index = preferred % endpoints.length
        try {
          return await readAt(index, reading)
        } catch (cause) {
          if (!(cause instanceof EvmError) || !cause.retriable) throw cause
          failure = cause
          checked[index] = false
          preferred = index + 1
        }
      }
      throw failure
    },
    each: (reading) => endpoints.map((_, index) => readAt(index, reading)),
    rotate: () => {
      preferred = (preferred + 1) % endpoints.length
    },
    close: () => {
      for (const endpoint of endpoints) endpoint.close()
    },
  }
}

async function checkChainId(ask: Ask, chainId: number, index: number): Promise<void> {
  const stated = quantity(await ask('eth_chainId', []), 'eth_chainId')
  if (stated === chainId) return
  throw new EvmError(
    'WRONG_CHAIN',
    `RPC endpoint ${index + 1} serves chain ${stated}, but this sequencer is configured for chain ${chainId}. ` +
      'Correct the URL or the chain id; nothing was read from it.',
  )
}

async function withDeadline<T>(answer: Promise<T>, what: string, timeoutMs: number, clock: Clock): Promise<T> {
  const done = new AbortController()
  const late = clock.sleep(timeoutMs, done.signal).then((): never => {
    throw new EvmError('UNREACHABLE', `${what}: no answer within ${timeoutMs / 1_000} s`, { retriable: true })
  })
  late.catch(() => undefined)
  try {
    return await Promise.race([answer, late])
  } finally {
    done.abort()
  }
}

/** ethers would answer repeated calls from its cache, look for the network again and again, and retry 429 by itself: all off. */
function connectHttp(url: string, options: RpcOptions): Endpoint {
  const request = new FetchRequest(url)
  request.timeout = options.timeoutMs
  request.setThrottleParams({ maxAttempts: 1 })
  const provider = new JsonRpcProvider(request, options.chainId, {
    staticNetwork: Network.from(options.chainId),
    cacheTimeout: -1,
    batchMaxCount: options.batchMax,
    batchStallTime: 1,
  })
  return { ask: (method, params) => provider.send(method, [...params]), close: () => provider.destroy() }
}
