/** Several nodes of one chain, none of which is trusted by itself (decision 0027). */

import type { Clock } from '../../../streams/ports.ts'
import { within } from '../../../streams/within.ts'
import { Conclusion, classifyRpcFailure, EvmError, wordsOf } from '../errors.ts'
import { type Agreement, ballotOf, noAgreement, type Outcome, outcomeOf, type Said } from './agreement.ts'
import type { Ask, Endpoint, RpcOptions } from './ask.ts'
import { connectHttp } from './http-endpoint.ts'
import { isUnanswered } from './json-rpc.ts'
import { LOG_RANGE_BLOCKS, limitLogRange } from './log-range.ts'
import { chainIdOf } from './node-answers.ts'
import { createNodeStates, type NodeState, type NodeStates } from './node-states.ts'
import { firstDone } from './overtaking.ts'

export const RPC_DEFAULTS = {
  timeoutMs: 10_000,
  slowMs: 2_000,
  batchMax: 50,
  logRangeBlocks: LOG_RANGE_BLOCKS,
  agreement: 1,
} as const

/** `refused`: the node is well, but the contract, or the rules for transactions, say no. */
export type RpcOutcome = 'ok' | 'refused' | 'failed'

/** `endpoint` is the index of a URL (which may hold a secret). */
export interface RpcObserver {
  answered?(endpoint: number, method: string, outcome: RpcOutcome, elapsedMs: number): void
  /** A node was set aside, or is asked again like every other. */
  nodeChanged?(endpoint: number, state: NodeState): void
  /** A node says otherwise than the nodes that agree, or than others while too few agree. */
  disagreed?(endpoint: number, what: string): void
  /** A node answers, and has told of no new block for so long. Told again when that goes on with the next node. */
  stoodStill?(endpoint: number, forMs: number): void
  /** Reading the answers of a node ended in a way that was not thought of: a fault of ours, treated as one of the node. */
  unexpected?(endpoint: number, error: unknown): void
}

export interface RpcPorts {
  readonly clock: Clock
  readonly observer?: RpcObserver | undefined
  /** Opens an endpoint; the default speaks HTTP. */
  readonly connect?: ((url: string, options: RpcOptions) => Endpoint) | undefined
}

export interface Rpc {
  /** Rejects with `WRONG_CHAIN` when every node serves another chain; with one that is down there may be a right one yet. */
  check(): Promise<void>
  /**
   * Runs a whole reading on one node, so that its parts fit together; when that fails, or takes `slowMs`, on the next node, each
   * once: the first that is done counts, and a slow node is set aside. Whatever is thrown in it is a failure of that node, but
   * for a Conclusion, which is passed on. Rejects with the EvmError of the last node; with one that is final only when every node
   * gives such a one.
   */
  read<T>(reading: (ask: Ask) => Promise<T>): Promise<T>
  /** The same request to every node at once, an outcome of each. Says nothing about which node is preferred. */
  each<T>(reading: (ask: Ask) => Promise<T>): readonly Promise<T>[]
  /**
   * As `read`, and gives the value when as many nodes as are set say the same. Those that say otherwise than they are set
   * aside. Rejects with `DISAGREEMENT` or `TOO_FEW_NODES`, which pass, naming the nodes. With one node, or none set: `read`.
   */
  agree<T>(reading: (ask: Ask) => Promise<T>, agreement: Agreement<T>): Promise<T>
  /**
   * As `agree`, of what no two nodes give alike to the last digit. Asks 2k-1 nodes, where k must say the same, as far as there
   * are so many that are not set aside; gives all that say the same text, k at least: no k-1 liars are on both sides of the
   * middle of these values. A Conclusion of a node is no word for or against; it is passed on when too few agree.
   */
  agreeing<T>(reading: (ask: Ask) => Promise<T>, agreement: Said<T>): Promise<readonly Given<T>[]>
  /** The node says what others, or the chain, have shown to be wrong: it is named, and set aside. */
  doubt(node: number, what: string): void
  /** Prefers the next node from now on: the present one answers, but stands still. */
  rotate(stoodStillMs: number): void
  close(): void
}

export interface Given<T> {
  readonly value: T
  /** Index of its URL. */
  readonly node: number
}

/** The chain of a node is looked at again after so long: behind one address another node may have taken the place. */
const CHAIN_CHECK_MS = 60_000

const REFUSALS = /revert|insufficient funds|nonce too|already (known|imported|exists)|known transaction|underpriced/i

export const createRpc = (options: RpcOptions, ports: RpcPorts): Rpc => new Nodes(options, ports)

class Nodes implements Rpc {
  private readonly options: RpcOptions
  private readonly ports: RpcPorts
  private readonly endpoints: readonly Endpoint[]
  private readonly asks: readonly Ask[]
  private readonly states: NodeStates
  /** When the chain of the node was last looked at; undefined when it was not since the node last failed to answer. */
  private readonly checkedAt: (number | undefined)[]

  constructor(options: RpcOptions, ports: RpcPorts) {
    const { connect = connectHttp, observer } = ports
    const { urls, agreement = RPC_DEFAULTS.agreement } = options
    if (agreement > urls.length && urls.length > 0)
      throw new EvmError('TOO_FEW_NODES', `${agreement} nodes must say the same, and ${urls.length} are configured`)
    this.options = options
    this.ports = ports
    this.endpoints = options.urls.map((url) => connect(url, options))
    this.asks = this.endpoints.map((_, index) => this.askOf(index))
    this.states = createNodeStates(this.endpoints.length, (node, state) => observer?.nodeChanged?.(node, state))
    this.checkedAt = this.endpoints.map(() => undefined)
    for (const ask of this.asks) limitLogRange(ask, options.logRangeBlocks ?? LOG_RANGE_BLOCKS)
  }

  async check(): Promise<void> {
    const outcomes = await Promise.allSettled(this.asks.map((_, index) => this.readAt(index, async () => undefined)))
    const reasons = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined))
    const isWrong = (reason: unknown): reason is EvmError => reason instanceof EvmError && reason.code === 'WRONG_CHAIN'
    if (!reasons.every(isWrong)) return
    throw new EvmError('WRONG_CHAIN', reasons.map(({ message }) => message).join(' '))
  }

  async read<T>(reading: (ask: Ask) => Promise<T>): Promise<T> {
    return (await this.readAnywhere(reading)).value
  }

  async agree<T>(reading: (ask: Ask) => Promise<T>, agreement: Agreement<T>): Promise<T> {
    const { agreement: needed = RPC_DEFAULTS.agreement } = this.options
    const { what, again = reading, textOf } = agreement
    let failure: EvmError | undefined
    // Once more for each node that proves to be the odd one.
    for (let tries = 0; tries < this.endpoints.length; tries++) {
      const { value, node } = await this.readAnywhere(reading)
      const text = textOf(value)
      if (needed <= 1 || text === undefined) return value
      const others = this.states.order(this.ports.clock.now()).filter((other) => other !== node)
      const ballot = await ballotOf({ node, text }, others, needed, async (other) =>
        String(textOf(await this.readAt(other, (ask) => again(ask, value)))),
      )
      const outcome = outcomeOf(ballot, needed)
      this.takeOutcome(outcome, what(value))
      if (outcome.agreed === text) return value
      failure = noAgreement(ballot, outcome, needed, what(value))
      if (outcome.agreed === undefined) break
    }
    throw failure
  }

  async agreeing<T>(reading: (ask: Ask) => Promise<T>, { what, textOf }: Said<T>): Promise<readonly Given<T>[]> {
    const { agreement: needed = RPC_DEFAULTS.agreement } = this.options
    if (needed <= 1) return [await this.readAnywhere(reading)]
    const { given, silent, conclusions } = await this.sample(reading, needed)
    const texts = new Map(given.map(({ node, value }) => [node, textOf(value)]))
    const outcome = outcomeOf({ texts, silent }, needed)
    const about = what(given[0]?.value)
    this.takeOutcome(outcome, about)
    if (outcome.agreed !== undefined) return given.filter(({ node }) => texts.get(node) === outcome.agreed)
    throw conclusions[0] ?? noAgreement({ texts, silent }, outcome, needed, about)
  }

  doubt(node: number, what: string): void {
    this.ports.observer?.disagreed?.(node, what)
    this.states.setAside(node, 'odd', `${this.nameOf(node)} says otherwise: ${what}`, this.ports.clock.now())
  }

  each<T>(reading: (ask: Ask) => Promise<T>): readonly Promise<T>[] {
    return this.asks.map((_, node) => this.readAt(node, reading))
  }

  rotate(stoodStillMs: number): void {
    this.ports.observer?.stoodStill?.(this.states.preferred, stoodStillMs)
    this.states.passOver(this.states.preferred)
  }

  close(): void {
    for (const endpoint of this.endpoints) endpoint.close()
  }

  private async readAnywhere<T>(reading: (ask: Ask) => Promise<T>): Promise<{ value: T; node: number }> {
    const { clock } = this.ports
    const { slowMs } = this
    const passOver = (node: number): void => this.states.passOver(node)
    const reasonOf = (node: number): string => `${this.nameOf(node)}: a reading was not done within ${slowMs / 1_000} s`
    return firstDone(this.states.order(clock.now()), (node) => this.readAt(node, reading), {
      ...{ clock, slowMs, failed: passOver },
      mayOvertake: (node) => this.states.isFree(node, clock.now()),
      overtaken: (node) => {
        this.states.setAside(node, 'slow', `${reasonOf(node)}, and another one has done it in less`, clock.now())
        passOver(node)
      },
      slow: (node) => this.states.slow(node, `${reasonOf(node)}, and there is no other one to ask`, clock.now()),
    })
  }

  /** The words of 2k-1 nodes. A node that is set aside is asked only while fewer than k have said something. */
  private async sample<T>(reading: (ask: Ask) => Promise<T>, needed: number) {
    const given: Given<T>[] = []
    const silent: EvmError[] = []
    const conclusions: Conclusion[] = []
    const now = this.ports.clock.now()
    const order = [...this.states.order(now)]
    for (;;) {
      const said = given.length + conclusions.length
      const free = order.filter((node) => this.states.isFree(node, now))
      const asked = free.length > 0 ? free.slice(0, 2 * needed - 1 - said) : order.slice(0, needed - said)
      if (asked.length === 0) return { given, silent, conclusions }
      order.splice(0, asked.length) // those that are free come first
      const answers = await Promise.allSettled(asked.map((node) => this.readAt(node, reading)))
      for (const [i, answer] of answers.entries()) {
        if (answer.status === 'fulfilled') given.push({ node: asked[i]!, value: answer.value })
        else if (answer.reason instanceof Conclusion) conclusions.push(answer.reason)
        else silent.push(answer.reason)
      }
    }
  }

  private takeOutcome({ agreed, odd }: Outcome, what: string): void {
    for (const node of odd) {
      this.ports.observer?.disagreed?.(node, what)
      const reason = `${this.nameOf(node)} says otherwise of ${what} than the nodes that agree`
      if (agreed !== undefined) this.states.setAside(node, 'odd', reason, this.ports.clock.now())
    }
  }

  /** A reading on one node; rejects with its failure, which the states know then. */
  private async readAt<T>(node: number, reading: (ask: Ask) => Promise<T>): Promise<T> {
    const { clock } = this.ports
    const began = clock.now()
    const answered = (): void => this.states.answered(node, clock.now(), clock.now() - began >= this.slowMs)
    try {
      await this.checkChain(node)
      const value = await reading(this.asks[node]!)
      answered()
      return value
    } catch (cause) {
      const failure = this.failureOf(cause, node)
      if (failure instanceof EvmError) {
        if (isUnanswered(failure)) this.checkedAt[node] = undefined // the node that comes back may be another one
        this.states.failed(node, failure, clock.now())
      } else answered()
      throw failure
    }
  }

  private async checkChain(node: number): Promise<void> {
    const { chainId } = this.options
    const now = this.ports.clock.now()
    const before = this.checkedAt[node]
    if (before !== undefined && now - before < CHAIN_CHECK_MS) return
    if (before !== undefined) this.checkedAt[node] = now // the first of several simultaneous readings looks again
    const stated = await chainIdOf(this.asks[node]!).catch((error: unknown) => {
      this.checkedAt[node] = undefined
      throw error
    })
    this.checkedAt[node] = stated === chainId ? now : undefined
    if (stated === chainId) return
    throw new EvmError(
      'WRONG_CHAIN',
      `RPC endpoint ${node + 1} serves chain ${stated}, but this sequencer is configured for chain ${chainId}. ` +
        'Correct the URL or the chain id; nothing was read from it.',
      { retriable: true, endpoint: node },
    )
  }

  /** The failure of this node for a value that a reading threw. */
  private failureOf(cause: unknown, node: number): EvmError | Conclusion {
    if (cause instanceof Conclusion) return cause
    if (cause instanceof EvmError) return cause.locatedAt(node, this.nameOf(node))
    this.ports.observer?.unexpected?.(node, cause)
    const message = `${this.nameOf(node)}: its answers could not be read: ${wordsOf(cause)}`
    return new EvmError('BAD_ANSWER', message, { retriable: true, endpoint: node, cause })
  }

  private askOf(node: number): Ask {
    const { clock, observer } = this.ports
    const limit = { clock, ms: this.options.timeoutMs }
    const late = (): never => {
      throw new EvmError('UNREACHABLE', `no answer within ${limit.ms / 1_000} s`, { retriable: true })
    }
    return async (method, params) => {
      const started = clock.now()
      const report = (outcome: RpcOutcome): void => observer?.answered?.(node, method, outcome, clock.now() - started)
      try {
        const answer = await within(this.endpoints[node]!.ask(method, params), limit, late)
        report('ok')
        return answer
      } catch (cause) {
        const error = classifyRpcFailure(cause, `${method} at ${this.nameOf(node)}`, node)
        const isRefusal = method === 'eth_sendRawTransaction' || REFUSALS.test(error.message) // a refusal of a transaction in any words
        report(error.code === 'RPC_ERROR' && isRefusal && !isUnanswered(error) ? 'refused' : 'failed')
        throw error
      }
    }
  }

  private get slowMs(): number {
    return this.options.slowMs ?? RPC_DEFAULTS.slowMs
  }

  private nameOf(node: number): string {
    return `RPC endpoint ${node + 1} of ${this.endpoints.length}`
  }
}
