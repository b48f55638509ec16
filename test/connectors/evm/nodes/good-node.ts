/** A scripted node that answers every method as it should, from one small chain, and one way to spoil an answer. */
import { AbiCoder, id, zeroPadValue } from 'ethers'
import { word } from '../../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { nodesInterface, protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import type { Ask, Endpoint } from '../../../../connectors/evm/nodes/ask.ts'
import type { SeededRandom } from '../../../../connectors/log/simulated/seeded-random.ts'
import type { Clock } from '../../../../streams/ports.ts'
import { hex } from '../../../hex.ts'

export const CHAIN_ID = 5
export const STATE = `0x${'aa'.repeat(20)}`
export const NODES = `0x${'bb'.repeat(20)}`
export const MARKET = `0x${'cc'.repeat(20)}`
export const SIGNER = `0x${'dd'.repeat(20)}`
export const TX = id('transaction')
export const CID = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'
export const HEAD = 30
export const EVENT_BLOCK = 20
const RELEASED = protocolStateInterface.getEvent('EpochReleased')!.topicHash
export const SUBMITTED = protocolStateInterface.getEvent('SnapshotBatchSubmitted')!.topicHash

/** No deadline ever passes. */
export const STILL: Clock = { now: () => 0, sleep: () => new Promise(() => undefined) }

const coder = AbiCoder.defaultAbiCoder()
export const hashAt = (n: number): string => id(`block ${n}`)

const blockJson = (n: number) => ({
  number: hex(n),
  hash: hashAt(n),
  parentHash: hashAt(n - 1),
  timestamp: hex(1_700_000_000 + 2 * n),
  gasLimit: hex(30_000_000),
  baseFeePerGas: hex(50),
  logsBloom: `0x${'ff'.repeat(256)}`,
  receiptsRoot: id(`receipts ${n}`),
})

const logJson = (n: number, i: number, fields: object) => ({
  blockNumber: hex(n),
  blockHash: hashAt(n),
  transactionHash: TX,
  logIndex: hex(i),
  removed: false,
  ...fields,
})

const released = (n: number) =>
  logJson(n, 0, {
    address: STATE,
    topics: [RELEASED, zeroPadValue(MARKET, 32), word(7)],
    data: coder.encode(['uint256', 'uint256', 'uint256'], [70, 79, 1_700_000_000]),
  })
const assigned = (n: number) =>
  logJson(n, 1, {
    address: NODES,
    topics: [nodesInterface.getEvent('SnapshotterAddressChanged')!.topicHash],
    data: coder.encode(['uint256', 'address', 'address'], [3, SIGNER, SIGNER]),
  })
const submitted = (n: number) =>
  logJson(n, 2, {
    address: STATE,
    topics: [SUBMITTED, zeroPadValue(MARKET, 32), word(7)],
    data: coder.encode(['string', 'uint256'], [CID, 1_700_000_000]),
  })

const attestation = protocolStateInterface.encodeFunctionData('submitBatchAttestation', [MARKET, CID, 7, id('root')])

function callJson({ to, data }: { to: string; data: string }): string {
  const abi = to === NODES ? nodesInterface : protocolStateInterface
  const { name } = abi.parseTransaction({ data })!
  const results: Record<string, readonly unknown[]> = {
    snapshotterState: [NODES],
    currentEpoch: [70, 79, 7],
    epochInfo: [1_700_000_000, EVENT_BLOCK, 79],
    snapshotSubmissionWindow: [5],
    batchSubmissionWindow: [50],
    dayCounter: [1],
    dailySnapshotQuota: [60],
    epochsInADay: [720],
    getTotalNodeCount: [3],
    nodeInfo: [SIGNER, 0, 0, 1, 0, 1, false, false, true, false],
    epochIdToBatchCids: [[CID, CID]],
    getSequencers: [[SIGNER]],
    submitSubmissionBatch: [],
  }
  return abi.encodeFunctionResult(name, [...results[name]!])
}

/** The right answer. */
export const goodAnswer: Ask = async (method, params) => {
  const [first] = params as [never]
  switch (method) {
    case 'eth_chainId':
      return hex(CHAIN_ID)
    case 'eth_blockNumber':
      return hex(HEAD)
    case 'eth_getBlockByNumber':
      return blockJson(first === 'latest' ? HEAD : Number(first))
    case 'eth_getBlockByHash':
      return blockJson(EVENT_BLOCK)
    case 'eth_getLogs':
      return 'blockHash' in (first as object) ? logsOfHash(first) : logsIn(first)
    case 'eth_getTransactionReceipt': {
      const logs = [submitted(EVENT_BLOCK)]
      const place = { blockNumber: hex(EVENT_BLOCK), blockHash: hashAt(EVENT_BLOCK) }
      return { transactionHash: TX, ...place, status: '0x1', gasUsed: hex(100_000), logs }
    }
    case 'eth_getTransactionByHash':
      return { hash: TX, input: attestation }
    case 'eth_call':
      return callJson(first)
    case 'eth_getTransactionCount':
      return hex(7)
    case 'eth_getBalance':
      return hex(10n ** 18n)
    case 'eth_maxPriorityFeePerGas':
      return hex(3)
    case 'eth_gasPrice':
      return hex(60)
    case 'eth_feeHistory':
      return { oldestBlock: hex(HEAD - 19), reward: Array.from({ length: 20 }, () => [hex(3)]) }
    case 'eth_estimateGas':
      return hex(100_000)
    default:
      throw new Error(`the method ${method} is not scripted`)
  }
}

const logsOfHash = ({ blockHash }: { blockHash: string }) =>
  blockHash === hashAt(EVENT_BLOCK) ? [released(EVENT_BLOCK), assigned(EVENT_BLOCK)] : []
const logsIn = ({ fromBlock, toBlock }: { fromBlock: string; toBlock: string }) =>
  Number(fromBlock) <= EVENT_BLOCK && EVENT_BLOCK <= Number(toBlock) ? [submitted(EVENT_BLOCK)] : []

/** A node with some answers changed; a fault that gives undefined lets the right one through. */
export const nodeWith = (fault: (method: string, params: readonly unknown[], right: unknown) => unknown): Endpoint => ({
  ask: async (method, params) => {
    const right = await goodAnswer(method, params)
    const changed = await fault(method, params, right)
    if (changed === undefined) return right
    return changed === NOTHING ? undefined : changed
  },
  close: () => undefined,
})

/** An answer without a result. */
export const NOTHING = Symbol('nothing')

const ODD: readonly unknown[] = [
  null,
  undefined,
  '',
  '0x',
  '0x0',
  '0x1',
  '0xzz',
  ' 0x1',
  `0x${'f'.repeat(64)}`,
  `0x${'f'.repeat(65)}`,
  `0x${'0'.repeat(64)}`,
  id('another'),
  `0x${'ee'.repeat(20)}`,
  true,
  false,
  0,
  -1,
  5,
  1.5,
  Number.NaN,
  [],
  [null],
  [[]],
  {},
  { toString: null },
  { length: 3 },
  'latest',
  '\u0000',
  'x'.repeat(5_000),
  10n ** 100n,
  -1n,
  () => undefined,
]

/** One place of an answer, anywhere in it, made odd, left out, or given twice. */
export function spoilt(answer: unknown, random: SeededRandom): unknown {
  const odd = (): unknown => ODD[random.below(ODD.length)]
  if (typeof answer === 'string' && random.below(3) === 0) return spoiltText(answer, random)
  if (typeof answer !== 'object' || answer === null || random.below(6) === 0) return odd()
  if (Array.isArray(answer)) {
    const at = random.below(answer.length || 1)
    const kind = random.below(4)
    if (kind === 0) return answer.filter((_, i) => i !== at)
    if (kind === 1) return [...answer, answer[at]]
    if (kind === 2) return answer.toReversed()
    return answer.map((one, i) => (i === at ? spoilt(one, random) : one))
  }
  const fields = Object.entries(answer)
  const at = random.below(fields.length || 1)
  const changed = fields.flatMap(([name, value], i) => {
    if (i !== at) return [[name, value]]
    return random.below(5) === 0 ? [] : [[name, spoilt(value, random)]]
  })
  return Object.fromEntries(changed)
}

function spoiltText(text: string, random: SeededRandom): string {
  const at = random.below(text.length + 1)
  const digit = '0123456789abcdef'[random.below(16)]!
  const kind = random.below(3)
  if (kind === 0) return text.slice(0, at)
  return kind === 1 ? text.slice(0, at) + digit + text.slice(at + 1) : text.slice(0, at) + digit + text.slice(at)
}
