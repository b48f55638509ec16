import { id } from 'ethers'
import { describe, expect, test } from 'vitest'
import {
  attestedRoot,
  balanceOf,
  cidIn,
  dryRun,
  estimateGas,
  headerOf,
  logsOf,
  nonceOf,
  readContract,
  receiptOf,
  word,
} from '../../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { priceNow } from '../../../../connectors/evm/anchor-effects/anchor-price.ts'
import { EMPTY_CHAIN } from '../../../../connectors/evm/clock/chain-state.ts'
import { nextStep } from '../../../../connectors/evm/clock/chain-steps.ts'
import { FirstLooks } from '../../../../connectors/evm/clock/second-look.ts'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import {
  currentEpochId,
  eventsOf,
  headerAt,
  nodesAddress,
  releaseBlockOf,
  slotAt,
  slotCount,
  submissionWindow,
} from '../../../../connectors/evm/contract/chain-reader.ts'
import { marketOnChain } from '../../../../connectors/evm/contract/market-check.ts'
import { NotSaid } from '../../../../connectors/evm/contract/not-said.ts'
import { Conclusion, EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask, Endpoint } from '../../../../connectors/evm/nodes/ask.ts'
import { priorityFeeOf } from '../../../../connectors/evm/nodes/node-answers.ts'
import { createRpc, type RpcObserver } from '../../../../connectors/evm/nodes/rpc.ts'
import { SeededRandom } from '../../../../connectors/log/simulated/seeded-random.ts'
import {
  CHAIN_ID,
  CID,
  EVENT_BLOCK,
  goodAnswer,
  hashAt,
  MARKET,
  NODES,
  NOTHING,
  nodeWith,
  SIGNER,
  STATE,
  STILL,
  SUBMITTED,
  spoilt,
  TX,
} from './good-node.ts'

const ADDRESSES = { protocolState: STATE, nodes: NODES }
const FILTER = { address: STATE, topics: [SUBMITTED, word(MARKET), word(7)], fromBlock: 10, toBlock: 25 }
const DATA = '0x1234'
const callData = protocolStateInterface.encodeFunctionData('submitSubmissionBatch', [
  MARKET,
  CID,
  7,
  [],
  [],
  id('root'),
])
const READ = {
  protocolState: STATE,
  follows: () => true,
  isOurs: () => true,
  served: [],
  depth: 0,
  rangeBlocks: 3,
  now: 1_700_000_000_000,
  contractBlock: 'number',
  secondLookBlocks: 0,
  firstLooks: new FirstLooks(),
  notSaid: new NotSaid(),
  facts: { nodes: undefined, counts: undefined },
  pastNeeded: () => undefined,
} as const

const rpcOf = (nodes: readonly Endpoint[], observer: RpcObserver = {}) => {
  const options = { urls: nodes.map((_, i) => `${i}`), chainId: CHAIN_ID, timeoutMs: 1_000, batchMax: 1 }
  return createRpc(options, { clock: STILL, observer, connect: (url) => nodes[Number(url)]! })
}

const eventBlock = async (ask: Ask) => (await headerAt(ask, EVENT_BLOCK, 'number'))!
const isHash = (text: unknown) => /^0x[0-9a-f]{64}$/.test(String(text))
const isNumber = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0

/** Every question that is put to a node, and what holds of any answer that is believed. */
const QUESTIONS: Record<string, readonly [(ask: Ask) => Promise<unknown>, (value: never) => boolean]> = {
  headerAt: [
    (ask) => headerAt(ask, 12, 'number'),
    (block: { number: number; hash: string } | undefined) => !block || (block.number === 12 && isHash(block.hash)),
  ],
  newest: [
    (ask) => headerOf(ask, 'latest', 'number'),
    ({
      number,
      hash,
      gasLimit,
      baseFeePerGas,
    }: {
      number: number
      hash: string
      gasLimit: number
      baseFeePerGas?: bigint
    }) => isNumber(number) && isHash(hash) && isNumber(gasLimit) && (baseFeePerGas ?? 0n) >= 0n,
  ],
  eventsOf: [
    async (ask) => eventsOf(ask, await eventBlock(goodAnswer), ADDRESSES, () => true),
    ({ releases, slotChanges }: Awaited<ReturnType<typeof eventsOf>>) =>
      releases.length <= 1 &&
      releases.every(
        ({ dataMarket, epochId, begin, end }) =>
          /^0x[0-9a-f]{40}$/.test(dataMarket) && [epochId, begin, end].every(isNumber),
      ) &&
      slotChanges.length <= 1 &&
      slotChanges.every(({ slotId, owner }) => isNumber(slotId) && /^0x[0-9a-f]{40}$/.test(owner)),
  ],
  receiptOf: [
    (ask) => receiptOf(ask, TX),
    (receipt: Awaited<ReturnType<typeof receiptOf>>) =>
      receipt === undefined ||
      (receipt.transactionHash === TX &&
        isHash(receipt.blockHash) &&
        receipt.logs.every(
          (log) => log.transactionHash === TX && log.topics.every(isHash) && typeof cidIn(log) !== 'object',
        )),
  ],
  logsOf: [
    (ask) => logsOf(ask, FILTER),
    (logs: Awaited<ReturnType<typeof logsOf>>) =>
      logs.length <= 1 &&
      logs.every(
        (log) => log.address === STATE && log.topics[0] === SUBMITTED && log.blockNumber >= 10 && log.blockNumber <= 25,
      ),
  ],
  slotAt: [
    (ask) => slotAt(ask, NODES, 3, { blockHash: hashAt(EVENT_BLOCK) }),
    ({ slotId, owner, active }: Awaited<ReturnType<typeof slotAt>>) =>
      slotId === 3 && /^0x[0-9a-f]{40}$/.test(owner) && typeof active === 'boolean',
  ],
  slotCount: [(ask) => slotCount(ask, STATE, 'latest'), isNumber],
  submissionWindow: [(ask) => submissionWindow(ask, STATE, MARKET, 'latest'), (window: bigint) => window >= 0n],
  currentEpochId: [(ask) => currentEpochId(ask, STATE, MARKET), isNumber],
  releaseBlockOf: [(ask) => releaseBlockOf(ask, STATE, MARKET, 7), isNumber],
  nodesAddress: [(ask) => nodesAddress(ask, STATE, 'latest'), (address: string) => /^0x[0-9a-f]{40}$/.test(address)],
  nonceOf: [(ask) => nonceOf(ask, SIGNER, 12), isNumber],
  balanceOf: [(ask) => balanceOf(ask, SIGNER), (wei: bigint) => wei >= 0n],
  priorityFeeOf: [priorityFeeOf, (wei: bigint) => wei >= 0n],
  priceNow: [
    async (ask) =>
      priceNow(ask, (await headerOf(ask, 'latest', 'number'))!, { tipMax: '100', transactionType: 'auto' }),
    ({ maxFee, tip }: { maxFee: bigint; tip: bigint }) => maxFee >= tip && tip >= 0n,
  ],
  dryRun: [(ask) => dryRun(ask, SIGNER, { to: STATE, data: callData }, 12), (code?: string) => code === undefined],
  estimateGas: [(ask) => estimateGas(ask, SIGNER, { to: STATE, data: DATA }), isNumber],
  readContract: [
    (ask) => readContract(ask, STATE, 'epochIdToBatchCids', [MARKET, 7], 'latest'),
    ([cids]: readonly [readonly string[]]) => [...cids].every((cid) => typeof cid === 'string'),
  ],
  attestedRoot: [(ask) => attestedRoot(ask, TX, CID), (root?: string) => root === undefined || isHash(root)],
  marketOnChain: [
    (ask) => marketOnChain(ask, STATE, MARKET),
    (found: object) => 'epochId' in found || 'refused' in found,
  ],
  nextStep: [
    (ask) => nextStep(ask, EMPTY_CHAIN, { ...READ, startBlock: 19 }, false),
    ({ kind, ...step }: Awaited<ReturnType<typeof nextStep>>) =>
      kind !== 'blocks' ||
      (step as { blocks: readonly { header: { number: number } }[] }).blocks.every(
        ({ header }, i) => header.number === 19 + i,
      ),
  ],
}
const questions = Object.entries(QUESTIONS)

test.each(questions)('default: %s takes the right answer', async (_name, [ask, holds]) => {
  const value = await rpcOf([nodeWith(() => undefined)]).read(ask)
  expect(holds(value as never)).toBe(true)
})

/** Method, where in its answer, and what is there instead. */
const WRONG: readonly (readonly [keyof typeof QUESTIONS, string, string, unknown])[] = [
  ['newest', 'eth_getBlockByNumber', '', null],
  ['newest', 'eth_getBlockByNumber', '', NOTHING],
  ['newest', 'eth_getBlockByNumber', '', 'a block'],
  ['newest', 'eth_getBlockByNumber', 'hash', 7],
  ['newest', 'eth_getBlockByNumber', 'hash', {}],
  ['newest', 'eth_getBlockByNumber', 'hash', null],
  ['newest', 'eth_getBlockByNumber', 'baseFeePerGas', {}],
  ['newest', 'eth_getBlockByNumber', 'baseFeePerGas', '0x'],
  ['headerAt', 'eth_getBlockByNumber', 'number', '0xd'],
  ['headerAt', 'eth_getBlockByNumber', 'parentHash', '0x12'],
  ['headerAt', 'eth_getBlockByNumber', 'logsBloom', '0xff'],
  ['priorityFeeOf', 'eth_maxPriorityFeePerGas', '', NOTHING],
  ['priorityFeeOf', 'eth_maxPriorityFeePerGas', '', '0x'],
  ['priorityFeeOf', 'eth_maxPriorityFeePerGas', '', true],
  ['balanceOf', 'eth_getBalance', '', NOTHING],
  ['balanceOf', 'eth_getBalance', '', true],
  ['nonceOf', 'eth_getTransactionCount', '', null],
  ['estimateGas', 'eth_estimateGas', '', 100_000],
  ['slotAt', 'eth_call', '', null],
  ['slotAt', 'eth_call', '', '0x12345'],
  ['receiptOf', 'eth_getTransactionReceipt', '', []],
  ['receiptOf', 'eth_getTransactionReceipt', 'transactionHash', id('another')],
  ['receiptOf', 'eth_getTransactionReceipt', 'blockHash', 20],
  ['receiptOf', 'eth_getTransactionReceipt', 'status', {}],
  ['receiptOf', 'eth_getTransactionReceipt', 'status', '0x2'],
  ['receiptOf', 'eth_getTransactionReceipt', 'status', null],
  ['receiptOf', 'eth_getTransactionReceipt', 'logs', NOTHING],
  ['receiptOf', 'eth_getTransactionReceipt', 'logs', '0x'],
  ['receiptOf', 'eth_getTransactionReceipt', 'logs', {}],
  ['receiptOf', 'eth_getTransactionReceipt', 'logs.0', null],
  ['receiptOf', 'eth_getTransactionReceipt', 'logs.0.address', true],
  ['receiptOf', 'eth_getTransactionReceipt', 'logs.0.topics', null],
  ['receiptOf', 'eth_getTransactionReceipt', 'logs.0.data', 12],
  ['receiptOf', 'eth_getTransactionReceipt', 'logs.0.transactionHash', id('another')],
  ['receiptOf', 'eth_getTransactionReceipt', 'logs.0.blockHash', id('another')],
  ...(['logsOf', 'eventsOf'] as const).flatMap((question) =>
    (
      [
        ['', null],
        ['', {}],
        ['0', null],
        ['0.address', NOTHING],
        ['0.address', NODES.replace('b', 'c')],
        ['0.topics', 12],
        ['0.topics', Array(5).fill(SUBMITTED)],
        ['0.topics.0', id('another')],
        ['0.data', NOTHING],
        ['0.data', {}],
        ['0.blockHash', true],
        ['0.logIndex', 1],
        ['1', { toString: null }],
      ] as const
    ).map(([path, value]) => [question, 'eth_getLogs', path, value] as const),
  ),
  ['logsOf', 'eth_getLogs', '0.blockNumber', '0x9'],
  ['attestedRoot', 'eth_getTransactionByHash', 'hash', id('another')],
]

const isEmpty = (answer: unknown) => Array.isArray(answer) && answer.length === 0

/** The answer with another value at a place of it. */
function withAt(answer: unknown, path: string, value: unknown): unknown {
  if (path === '') return value
  const [first, ...others] = path.split('.') as [string, ...string[]]
  const inner = withAt((answer as Record<string, unknown>)[first], others.join('.'), value)
  if (Array.isArray(answer)) return Object.assign([...answer], { [first]: inner })
  return { ...(answer as object), [first]: inner === NOTHING ? undefined : inner }
}

describe('an answer that is none', () => {
  const said = (value: unknown) => (value === NOTHING ? 'nothing' : JSON.stringify(value))
  test.each(WRONG.map((one) => [one[0], `${one[1]} ${one[2]} ${said(one[3])}`, one] as const))(
    'error: %s: %s is the failure of that node, and the next one is asked',
    async (name, _what, [, method, path, value]) => {
      const [ask, holds] = QUESTIONS[name]!
      const odd = nodeWith((called, _params, right) =>
        called === method && !isEmpty(right) ? withAt(right, path, value) : undefined,
      )
      await expect(rpcOf([odd]).read(ask)).rejects.toMatchObject({
        code: expect.stringMatching(/^(BAD_ANSWER|ANSWER_TOO_LONG)$/),
        retriable: true,
        endpoint: 0,
        message: expect.stringMatching(/^RPC endpoint 1 of 1: .+/),
      })
      const aside: string[] = []
      const observer: RpcObserver = { nodeChanged: (node, { fault }) => void aside.push(`${node} ${fault}`) }
      expect(holds((await rpcOf([odd, nodeWith(() => undefined)], observer).read(ask)) as never)).toBe(true)
      expect(aside).toEqual(['0 odd'])
    },
  )

  test('error: a log that was taken back is of another fork', async () => {
    const odd = nodeWith((method, _params, right) =>
      method === 'eth_getLogs' ? withAt(right, '0.removed', true) : undefined,
    )
    await expect(rpcOf([odd]).read(QUESTIONS.logsOf![0])).rejects.toMatchObject({ code: 'INCONSISTENT' })
  })

  test('error: more than is taken', async () => {
    const [long] = (await goodAnswer('eth_getLogs', [{ fromBlock: '0x0', toBlock: '0x20' }])) as object[]
    const many = nodeWith((method) => (method === 'eth_getLogs' ? Array(50_001).fill(long) : undefined))
    await expect(rpcOf([many]).read(QUESTIONS.logsOf![0])).rejects.toThrow(/50001 items, and 50000 is the most/)
    const wide = nodeWith((method) => (method === 'eth_call' ? `0x${'00'.repeat(8 * 2 ** 20 + 1)}` : undefined))
    await expect(rpcOf([wide]).read(QUESTIONS.readContract![0])).rejects.toThrow(
      /8388609 bytes, and 8388608 is the most/,
    )
  })

  test('error: a text of the contract that unfolds into far more than was sent', async () => {
    const texts = 2_000
    const words = [0x20, texts, ...Array(texts).fill(32 * texts), 31 * 1024]
    const bomb = `0x${words.map((n) => n.toString(16).padStart(64, '0')).join('')}${'61'.repeat(32 * 1024)}`
    const node = nodeWith((method) => (method === 'eth_call' ? bomb : undefined))
    await expect(rpcOf([node]).read(QUESTIONS.readContract![0])).rejects.toMatchObject({ code: 'BAD_ANSWER' })
  })
})

describe('what a reading throws', () => {
  test.each([
    ['a TypeError', new TypeError('x is undefined')],
    ['a RangeError', new RangeError('invalid array length')],
    ['a text', 'no'],
    ['nothing', undefined],
    ['an object without a prototype', Object.create(null)],
  ])('error: %s is a failure of the node, and told', async (_name, thrown) => {
    const told: unknown[] = []
    const observer: RpcObserver = { unexpected: (node, error) => void told.push([node, error]) }
    let asked = 0
    const reading = async () => {
      if (asked++ === 0) throw thrown
      return 'well'
    }
    const nodes = [nodeWith(() => undefined), nodeWith(() => undefined)]
    expect(await rpcOf(nodes, observer).read(reading)).toBe('well')
    expect(told).toEqual([[0, thrown]])
  })

  test('behavior: a conclusion is passed on, and no other node is asked', async () => {
    const conclusion = new Conclusion('not yet')
    let asked = 0
    const reading = () => {
      asked++
      return Promise.reject(conclusion)
    }
    const nodes = [nodeWith(() => undefined), nodeWith(() => undefined)]
    await expect(rpcOf(nodes).read(reading)).rejects.toBe(conclusion)
    expect(asked).toBe(1)
  })

  test('behavior: what is final at one node is not while another one may do', async () => {
    const final = () => Promise.reject(new EvmError('FOREIGN_CHAIN', 'none of the blocks'))
    const down = () => Promise.reject(new EvmError('UNREACHABLE', 'down', { retriable: true }))
    const outcome = async (...failures: readonly (() => Promise<never>)[]) => {
      let at = 0
      const nodes = failures.map(() => nodeWith(() => undefined))
      return rpcOf(nodes)
        .read(() => failures[at++]!())
        .catch((error: unknown) => error)
    }
    expect(await outcome(final, down)).toMatchObject({ code: 'UNREACHABLE', retriable: true })
    expect(await outcome(down, final)).toMatchObject({ code: 'UNREACHABLE', retriable: true })
    expect(await outcome(final, final)).toMatchObject({ code: 'FOREIGN_CHAIN', retriable: false })
  })
})

/** `npm run fuzz:nodes` takes 100,000. */
const DEVIATIONS = Number(process.env.NODE_DEVIATIONS ?? 10_000)
const SEED = Number(process.env.NODE_SEED ?? 11)
const DEVIATION_MS_MAX = 20

test(`behavior: of ${DEVIATIONS} deviations of right answers none ends in anything but the value or an EvmError`, {
  timeout: DEVIATIONS * DEVIATION_MS_MAX,
}, async () => {
  const random = new SeededRandom(SEED)
  const outcomes = { believed: 0, refused: 0 }
  const unexpected: unknown[] = []
  for (let i = 0; i < DEVIATIONS; i++) {
    const [name, [ask, holds]] = questions[i % questions.length]!
    const chance = random.chance(0.5) ? 1 : 0.3
    let change: unknown
    const odd = nodeWith((method, _params, right) => {
      if (method === 'eth_chainId' || !random.chance(chance)) return undefined
      if (random.chance(0.05)) throw spoilt({ message: 'header not found', code: -32000 }, random)
      change = spoilt(right, random)
      return change === undefined ? NOTHING : change
    })
    const deviation = () =>
      `deviation ${i} of seed ${SEED}: ${name} with ${String(JSON.stringify(change)).slice(0, 300)}`
    const observer: RpcObserver = { unexpected: (_, error) => void unexpected.push(deviation(), error) }
    try {
      const value = await rpcOf([odd], observer).read(ask)
      if (!holds(value as never)) throw new Error(`${deviation()} was believed: ${String(value)}`)
      outcomes.believed++
    } catch (error) {
      if (!(error instanceof EvmError)) throw error
      if (!error.retriable || error.endpoint !== 0) throw new Error(`${deviation()}: ${error.message}`)
      outcomes.refused++
    }
  }
  expect(unexpected).toEqual([])
  expect(outcomes.refused).toBeGreaterThan(DEVIATIONS / 3)
  expect(outcomes.believed).toBeGreaterThan(DEVIATIONS / 20)
})
