/** Everything that a node, a provider or what lies between does wrong, each by name. NodeProxy plays them. */
import { hex } from '../hex.ts'
import { deviate } from './deviate.ts'
import {
  BATCH_TOO_LARGE,
  INDEXING,
  NO_SUCH_BLOCK,
  NO_SUCH_METHOD,
  type NodeError,
  PRUNED,
  RANGE_TOO_WIDE,
  SEND_REFUSALS,
} from './node-words.ts'

export interface Call {
  readonly id: unknown
  readonly method: string
  readonly params: readonly unknown[]
}

export type Answer = { readonly result: unknown } | { readonly error: NodeError }

/** What becomes of a whole HTTP exchange. */
export type HttpFault =
  | { readonly kind: 'status'; readonly status: number; readonly body: string }
  /** The connection stays open, and nothing comes. */
  | { readonly kind: 'silence' }
  | { readonly kind: 'cut before' }
  /** The node does it, the answer is lost. */
  | { readonly kind: 'cut after' }
  /** The answer comes in pieces, over so long. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** So many bytes of white space after the answer. */
  | { readonly kind: 'huge'; readonly bytes: number }

/** The node as a fault sees it. */
export interface TrueNode {
  /** Throws NodeRefusal when the node answers with an error. */
  ask(method: string, params: readonly unknown[]): Promise<unknown>
  /** Milliseconds. */
  now(): number
  /** When something of that name was first asked for at this proxy. */
  firstSeen(name: string): number
}

export class NodeRefusal extends Error {
  readonly error: NodeError
  constructor(error: NodeError) {
    super(error.message)
    this.error = error
  }
}

export interface NodeFault {
  /** It befalls an HTTP request as a whole: whether, is decided once for all its calls. */
  readonly perRequest?: true
  http?(calls: readonly Call[]): HttpFault | undefined
  /** The one answer to all of a batch. */
  batch?(calls: readonly Call[]): NodeError | undefined
  /** In place of the node's; undefined lets the call through. */
  answer?(call: Call, node: TrueNode): Promise<Answer | undefined> | Answer | undefined
  /** What the node said, changed; undefined leaves it. */
  change?(call: Call, answer: Answer, node: TrueNode): Promise<Answer | undefined> | Answer | undefined
}

export interface FaultParams {
  'late-logs': { readonly ms: number; readonly blocks: number; readonly lostShare: number }
  'empty-logs': object
  'removed-logs': object
  'zero-bloom': object
  'null-latest': object
  'odd-answers': object
  'send-refused': { readonly client: string; readonly words: string; readonly forwardedShare: number }
  'send-dropped': object
  'send-held': { readonly ms: number }
  'wrong-chain': { readonly chainId: number }
  lag: { readonly blocks: number }
  fork: { readonly depth: number }
  'range-max': { readonly blocks: number }
  'batch-max': { readonly calls: number }
  'http-status': { readonly status: number; readonly body: string }
  silence: object
  cut: { readonly afterShare: number }
  'slow-body': { readonly ms: number }
  'huge-body': { readonly mib: number }
  indexing: object
  pruned: { readonly blocks: number }
  'high-tip': { readonly gwei: number }
  'no-tip': object
  legacy: object
  'late-receipts': { readonly ms: number }
}

export type FaultName = keyof FaultParams

interface FaultKind<Name extends FaultName> {
  readonly help: string
  make(params: Partial<FaultParams[Name]>, dice: () => number): NodeFault
}

const oneOf = <T>(list: readonly T[], dice: () => number): T => list[Math.floor(dice() * list.length)]!
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** A share of all blocks, always the same ones. */
const isChosen = (blockHash: string, share: number): boolean =>
  Number.parseInt(blockHash.slice(-6), 16) / 0x1000000 < share

/** Only the results of one method. */
const changing =
  (method: string, change: (result: unknown, node: TrueNode, call: Call) => unknown | Promise<unknown>) =>
  async (call: Call, answer: Answer, node: TrueNode): Promise<Answer | undefined> => {
    if (call.method !== method || 'error' in answer) return undefined
    const changed = await change(answer.result, node, call)
    return changed === answer.result ? undefined : { result: changed }
  }

const logs = (change: (list: Record<string, unknown>[], node: TrueNode, call: Call) => unknown) =>
  changing('eth_getLogs', (result, node, call) => (Array.isArray(result) ? change(result, node, call) : result))

/** Not the list itself when nothing was left out: then it is no deed. */
function without<T>(list: T[], isOut: (one: T) => boolean): T[] {
  const kept = list.filter((one) => !isOut(one))
  return kept.length === list.length ? list : kept
}

function headers(
  change: (header: Record<string, unknown>) => Record<string, unknown>,
): NonNullable<NodeFault['change']> {
  return (call, answer) =>
    call.method.startsWith('eth_getBlockBy') && 'result' in answer && isObject(answer.result)
      ? { result: change(answer.result) }
      : undefined
}

const http = (fault: () => HttpFault): NodeFault => ({ perRequest: true, http: fault })

function sendRefused(
  { client, words, forwardedShare = 0.5 }: Partial<FaultParams['send-refused']>,
  dice: () => number,
): NodeFault {
  const all = client === undefined ? Object.values(SEND_REFUSALS).flat() : SEND_REFUSALS[client]
  if (!all) throw new Error(`nothing is known of the words of ${client}`)
  return {
    async answer({ method, params }, node) {
      if (method !== 'eth_sendRawTransaction') return undefined
      const error = words === undefined ? oneOf(all, dice) : { code: -32_000, message: words }
      if (dice() < forwardedShare) await node.ask(method, params).catch(() => undefined)
      return { error }
    },
  }
}

/** keccak256 is not needed by anybody who only hands it back: what a node says of a transaction it never took. */
const dropped = async ({ method, params }: Call, node: TrueNode, ms?: number): Promise<Answer | undefined> => {
  if (method !== 'eth_sendRawTransaction') return undefined
  const { Transaction } = await import('ethers')
  if (ms !== undefined) setTimeout(() => void node.ask(method, params).catch(() => undefined), ms).unref()
  return { result: Transaction.from(String(params[0])).hash }
}

/** The node as it was some blocks ago. */
function lag({ blocks = 3 }: Partial<FaultParams['lag']>, dice: () => number): NodeFault {
  const noBlock = (): never => {
    throw new NodeRefusal(oneOf(NO_SUCH_BLOCK, dice))
  }
  return {
    perRequest: true,
    async answer({ method, params }, node) {
      const head = Math.max(0, Number(await node.ask('eth_blockNumber', [])) - blocks)
      const isTag = (at: unknown): boolean =>
        ['latest', 'pending', 'safe', 'finalized', undefined].includes(at as string)
      /** A place in the chain, as this node may be asked for it. */
      const placed = async (at: unknown): Promise<unknown> => {
        if (isTag(at)) return hex(head)
        if (typeof at === 'string') return Number(at) > head ? noBlock() : at
        const { blockHash } = at as { blockHash: string }
        const block = (await node.ask('eth_getBlockByHash', [blockHash, false])) as { number: string } | null
        return block && Number(block.number) <= head ? at : noBlock()
      }
      const at = (index: number) =>
        placed(params[index]).then((place) => node.ask(method, [...params.slice(0, index), place]))
      switch (method) {
        case 'eth_blockNumber':
          return { result: hex(head) }
        case 'eth_getBlockByNumber': {
          const number = isTag(params[0]) ? head : Number(params[0])
          return { result: number > head ? null : await node.ask(method, [hex(number), params[1]]) }
        }
        case 'eth_getTransactionReceipt':
        case 'eth_getTransactionByHash': {
          const found = (await node.ask(method, params)) as { blockNumber: string | null } | null
          return { result: found?.blockNumber && Number(found.blockNumber) > head ? null : found }
        }
        case 'eth_call':
        case 'eth_getTransactionCount':
        case 'eth_getBalance':
        case 'eth_getCode':
          return { result: await at(1) }
        case 'eth_getLogs': {
          const filter = params[0] as Record<string, string>
          if (filter.blockHash) await placed(filter)
          else if (Number(filter.fromBlock) > head) return { result: [] }
          const toBlock = isTag(filter.toBlock) || Number(filter.toBlock) > head ? hex(head) : filter.toBlock
          return { result: await node.ask(method, [filter.blockHash ? filter : { ...filter, toBlock }]) }
        }
        default:
          return undefined
      }
    },
  }
}

/** Another hash for the same block; done twice it is the first again. */
const forked = (hash: string): string =>
  `0x${[...hash.slice(2, 10)].map((digit) => (Number.parseInt(digit, 16) ^ 0xf).toString(16)).join('')}${hash.slice(10)}`

/** The newest blocks are others than those of the chain: same content, other hashes, in every answer alike. */
function fork({ depth = 3 }: Partial<FaultParams['fork']>, dice: () => number): NodeFault {
  let first: number | undefined
  const show = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(show)
    if (!isObject(value)) return value
    const number = Number(value.blockNumber ?? value.number ?? Number.NaN)
    if (!(number >= first!)) return value
    const shown: Record<string, unknown> = { ...value }
    const name = 'parentHash' in value ? 'hash' : 'blockHash'
    if (typeof value[name] === 'string') shown[name] = forked(value[name])
    if (typeof value.parentHash === 'string' && number > first!) shown.parentHash = forked(value.parentHash)
    if (Array.isArray(value.logs)) shown.logs = value.logs.map(show)
    return shown
  }
  /** The chain's own hash for one of ours. */
  const real = async (blockHash: string, node: TrueNode): Promise<string> => {
    const numberOf = async (hash: string) =>
      ((await node.ask('eth_getBlockByHash', [hash, false])) as { number: string } | null)?.number
    const own = await numberOf(forked(blockHash))
    if (own !== undefined && Number(own) >= first!) return forked(blockHash)
    const common = await numberOf(blockHash)
    if (common !== undefined && Number(common) < first!) return blockHash
    throw new NodeRefusal(oneOf(NO_SUCH_BLOCK, dice))
  }
  return {
    perRequest: true,
    async answer({ method, params }, node) {
      first ??= Math.max(1, Number(await node.ask('eth_blockNumber', [])) - depth + 1)
      const asked = await Promise.all(
        params.map(async (param) =>
          isObject(param) && typeof param.blockHash === 'string'
            ? { ...param, blockHash: await real(param.blockHash, node) }
            : param,
        ),
      )
      return { result: show(await node.ask(method, asked)) }
    },
  }
}

function rangeMax({ blocks = 10_000 }: Partial<FaultParams['range-max']>, dice: () => number): NodeFault {
  return {
    async answer({ method, params }, node) {
      if (method !== 'eth_getLogs') return undefined
      const { fromBlock, toBlock, blockHash } = params[0] as Record<string, string>
      if (blockHash !== undefined) return undefined
      const numberOf = async (tag: string | undefined) =>
        Number(tag?.startsWith('0x') ? tag : await node.ask('eth_blockNumber', []))
      const range = (await numberOf(toBlock)) - (await numberOf(fromBlock)) + 1
      return range > blocks ? { error: oneOf(RANGE_TOO_WIDE, dice) } : undefined
    },
  }
}

function pruned({ blocks = 0 }: Partial<FaultParams['pruned']>, dice: () => number): NodeFault {
  return {
    async answer({ method, params }, node) {
      const at = params[1]
      if (method !== 'eth_call' || at === 'latest' || at === undefined) return undefined
      const head = Number(await node.ask('eth_blockNumber', []))
      const block = isObject(at) ? await node.ask('eth_getBlockByHash', [at.blockHash, false]) : { number: at }
      const isOld = isObject(block) && Number(block.number) <= head - blocks
      return isOld ? { error: oneOf(PRUNED, dice) } : undefined
    },
  }
}

export const FAULTS: { readonly [Name in FaultName]: FaultKind<Name> } = {
  'late-logs': {
    help: 'eth_getLogs shows a block with nothing in it until `ms` after it was first asked for and `blocks` are on top; those of `lostShare` of the blocks never',
    make: ({ ms = 800, blocks = 0, lostShare = 0 }) => ({
      change: logs(async (list, node) => {
        if (list.length === 0) return list
        const head = blocks > 0 ? Number(await node.ask('eth_blockNumber', [])) : 0
        return without(list, ({ blockHash, blockNumber }) => {
          const isYoung = node.now() - node.firstSeen(String(blockHash)) < ms
          const isShallow = blocks > 0 && Number(blockNumber) > head - blocks
          return isYoung || isShallow || isChosen(String(blockHash), lostShare)
        })
      }),
    }),
  },
  'empty-logs': {
    help: 'eth_getLogs is answered with nothing',
    make: () => ({ change: logs((list) => without(list, () => true)) }),
  },
  'removed-logs': {
    help: 'logs say that they were removed',
    make: () => ({
      change: logs((list) => (list.length === 0 ? list : list.map((log) => ({ ...log, removed: true })))),
    }),
  },
  'zero-bloom': {
    help: 'headers whose bloom filter excludes everything',
    make: () => ({ change: headers((header) => ({ ...header, logsBloom: `0x${'00'.repeat(256)}` })) }),
  },
  'null-latest': {
    help: 'the newest block is null',
    make: () => ({
      change: changing('eth_getBlockByNumber', (result, _node, { params }) => (params[0] === 'latest' ? null : result)),
    }),
  },
  'odd-answers': {
    help: 'one part of the answer is missing or of another type',
    make: (_params, dice) => ({
      change: (_call, answer) => ('error' in answer ? undefined : { result: deviate(answer.result, dice).value }),
    }),
  },
  'send-refused': {
    help: 'eth_sendRawTransaction is refused in the words of `client` (any) or `words`; the node has `forwardedShare` of them all the same',
    make: sendRefused,
  },
  'send-dropped': {
    help: 'eth_sendRawTransaction says yes, and nothing comes of it',
    make: () => ({ answer: (call, node) => dropped(call, node) }),
  },
  'send-held': {
    help: 'eth_sendRawTransaction says yes; the node hears of it `ms` later',
    make: ({ ms = 5_000 }) => ({ answer: (call, node) => dropped(call, node, ms) }),
  },
  'wrong-chain': {
    help: 'eth_chainId is that of another chain',
    make: ({ chainId = 1 }) => ({ change: changing('eth_chainId', () => hex(chainId)) }),
  },
  lag: {
    help: 'the node is `blocks` behind; a share of the requests: two nodes of two heights behind one address',
    make: lag,
  },
  fork: {
    help: 'the node is on a fork of the newest `depth` blocks; a share of the requests: a pair of which one is',
    make: fork,
  },
  'range-max': { help: 'eth_getLogs takes no more than `blocks`', make: rangeMax },
  'batch-max': {
    help: 'no more than `calls` in a JSON-RPC batch',
    make: ({ calls: max = 10 }, dice) => ({
      perRequest: true,
      batch: (calls) => (calls.length > max ? oneOf(BATCH_TOO_LARGE, dice) : undefined),
    }),
  },
  'http-status': {
    help: 'HTTP `status` with a page',
    make: ({ status = 503, body = '<html>no</html>' }) => http(() => ({ kind: 'status', status, body })),
  },
  silence: { help: 'no answer at all', make: () => http(() => ({ kind: 'silence' })) },
  cut: {
    help: 'the connection is cut, `afterShare` of the time when the node has done what it was asked',
    make: ({ afterShare = 0.5 }, dice) => http(() => ({ kind: dice() < afterShare ? 'cut after' : 'cut before' })),
  },
  'slow-body': { help: 'an answer takes `ms` to come', make: ({ ms = 5_000 }) => http(() => ({ kind: 'slow', ms })) },
  'huge-body': {
    help: '`mib` MiB of white space behind an answer',
    make: ({ mib = 64 }) => http(() => ({ kind: 'huge', bytes: mib * 2 ** 20 })),
  },
  indexing: {
    help: 'transactions and receipts cannot be looked up: they are being indexed',
    make: () => ({
      answer: ({ method }) =>
        ['eth_getTransactionReceipt', 'eth_getTransactionByHash'].includes(method) ? { error: INDEXING } : undefined,
    }),
  },
  pruned: { help: 'the state of blocks `blocks` behind the head is gone', make: pruned },
  'high-tip': {
    help: 'eth_maxPriorityFeePerGas is `gwei`',
    make: ({ gwei = 500 }) => ({ change: changing('eth_maxPriorityFeePerGas', () => hex(BigInt(gwei) * 10n ** 9n)) }),
  },
  'no-tip': {
    help: 'there is no eth_maxPriorityFeePerGas',
    make: () => ({
      answer: ({ method }) => (method === 'eth_maxPriorityFeePerGas' ? { error: NO_SUCH_METHOD } : undefined),
    }),
  },
  legacy: {
    help: 'no base fee, no eth_maxPriorityFeePerGas, no transactions of type 2',
    make: () => ({
      answer: ({ method, params }) => {
        if (method === 'eth_maxPriorityFeePerGas') return { error: NO_SUCH_METHOD }
        const isTyped = method === 'eth_sendRawTransaction' && /^0x0[1-4]/.test(String(params[0]))
        return isTyped ? { error: { code: -32_000, message: 'transaction type not supported' } } : undefined
      },
      change: headers(({ baseFeePerGas: _, ...header }) => header),
    }),
  },
  'late-receipts': {
    help: 'a receipt is there `ms` after it was first asked for',
    make: ({ ms = 3_000 }) => ({
      change: changing('eth_getTransactionReceipt', (result, node, { params }) =>
        isObject(result) && node.now() - node.firstSeen(`receipt ${params[0]}`) < ms ? null : result,
      ),
    }),
  },
}
