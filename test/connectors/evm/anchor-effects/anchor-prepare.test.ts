import { describe, expect, it } from 'vitest'
import { agreedNonces, agreedPrepare, agreedPrice } from '../../../../connectors/evm/agreed-readings.ts'
import { gasOfAll } from '../../../../connectors/evm/anchor-effects/anchor-gas.ts'
import { ANCHOR_DEFAULTS, type AnchorSettings } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { prepare } from '../../../../connectors/evm/anchor-effects/anchor-prepare.ts'
import { priceHere } from '../../../../connectors/evm/anchor-effects/anchor-price.ts'
import { protocolStateInterface as abi } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { createRpc } from '../../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { hex } from '../../../hex.ts'
import { CID, eventLog, intentOf, KEY, STATE, signer } from './scripted-send.ts'

const RELEASE = 100
const WINDOW = 20
const hashAt = (n: number): string => `0x${n.toString(16).padStart(64, '0')}`

/** A node at a head, whose contract released the epoch in block 100 of its own counting. `l1Of` gives the parent's number of a block. */
function scripted({ head, l1Of = (n: number) => n }: { head: number; l1Of?: (n: number) => number }) {
  const node = {
    revert: undefined as string | undefined,
    cids: [] as string[],
    root: hashAt(1),
    projects: ['p'],
    snapshotCid: 'c',
    eventBlock: undefined as number | undefined,
    gas: 1_000_000,
    nonce: 7,
    tip: 1n,
    baseFee: 7n,
    ranges: [] as string[],
    headersRead: 0,
    /** What it calls its newest block, above the one that it has. */
    claimed: undefined as number | undefined,
  }
  const answerTo = (data: string): string => {
    const { name } = abi.parseTransaction({ data })!
    if (name === 'epochInfo') return abi.encodeFunctionResult(name, [1, RELEASE, 1])
    if (name === 'batchSubmissionWindow') return abi.encodeFunctionResult(name, [WINDOW])
    if (name === 'epochIdToBatchCids') return abi.encodeFunctionResult(name, [node.cids])
    if (name === 'batchCidSequencerAttestation') return abi.encodeFunctionResult(name, [node.root])
    if (name === 'batchCidToProjects') return abi.encodeFunctionResult(name, [node.projects])
    if (name === 'snapshotStatus') return abi.encodeFunctionResult(name, [1, node.snapshotCid, 1])
    if (!node.revert) return '0x'
    const cause = { code: 'CALL_EXCEPTION', data: '0x08c379a0', reason: node.revert }
    throw new EvmError('RPC_ERROR', 'reverted', { retriable: true, cause })
  }
  const logsIn = ({ fromBlock, toBlock }: { fromBlock: string; toBlock: string }) => {
    node.ranges.push(`${Number(fromBlock)}-${Number(toBlock)}`)
    const { eventBlock: at } = node
    if (at === undefined || at < Number(fromBlock) || at > Number(toBlock)) return []
    const where = { blockNumber: hex(at), blockHash: hashAt(at), transactionHash: hashAt(7), logIndex: '0x0' }
    return [{ ...eventLog('SnapshotBatchSubmitted'), ...where, removed: false }]
  }
  const ask: Ask = async (method, params) => {
    const [first] = params as [string & { data: string } & { fromBlock: string; toBlock: string }]
    switch (method) {
      case 'eth_getBlockByNumber': {
        const number = (first as string) === 'latest' ? (node.claimed ?? head) : Number(first)
        node.headersRead++
        if (first !== 'latest' && number > head) return null
        const hashes = { hash: hashAt(number), parentHash: hashAt(number - 1), logsBloom: '0x', timestamp: '0x1' }
        const numbers = { number: hex(number), l1BlockNumber: hex(l1Of(number)), gasLimit: hex(30_000_000) }
        return { ...hashes, ...numbers, baseFeePerGas: `0x${node.baseFee.toString(16)}` }
      }
      case 'eth_blockNumber':
        return hex(head)
      case 'eth_call':
        return answerTo(first.data)
      case 'eth_estimateGas':
        return hex(node.gas)
      case 'eth_maxPriorityFeePerGas':
        return `0x${node.tip.toString(16)}`
      case 'eth_getBalance':
        return `0x${'f'.repeat(20)}`
      case 'eth_getTransactionCount':
        return hex(node.nonce)
      case 'eth_getLogs':
        return logsIn(first)
      default:
        throw new Error(`unexpected ${method}`)
    }
  }
  return { node, ask }
}

const args = [KEY.dataMarket, CID, KEY.epochId, ['p'], ['c'], hashAt(1)]
const call = { to: STATE, data: abi.encodeFunctionData('submitSubmissionBatch', args) }

const outcomeOf = (ask: Ask, settings: Partial<AnchorSettings> = {}) => {
  const intent = intentOf([], { step: 'PREPARE', nonce: -1, gasLimit: 0 })
  const all = { ...ANCHOR_DEFAULTS, confirmations: 1, ...settings } as unknown as AnchorSettings
  return prepare(ask, { key: KEY, intent, call, signer: signer.address }, all)
}

describe('the window, at its end', () => {
  // the contract: block.number <= release + window
  it.each([
    [118, 'READY'],
    [119, 'READY'],
    [120, 'LATE'],
  ])('behavior: a chain that counts its own blocks, at head %d: %s', async (head, outcome) => {
    expect(await outcomeOf(scripted({ head }).ask)).toMatchObject({ outcome })
  })

  it.each([
    [119, 'READY'],
    [120, 'READY'],
    [121, 'LATE'],
  ])('behavior: a chain that counts the blocks of its parent, which has %d: %s', async (l1, outcome) => {
    const { ask } = scripted({ head: 5_000, l1Of: () => l1 })
    expect(await outcomeOf(ask, { contractBlock: 'l1BlockNumber' })).toMatchObject({ outcome })
  })
})

describe('a node that calls a block its newest which it does not have', () => {
  it('error: has no batch called late', async () => {
    const { node, ask } = scripted({ head: 110 })
    node.claimed = 1_000_000
    await expect(outcomeOf(ask)).rejects.toThrow('calls block 1000000 its newest, and does not have it')
  })

  it('error: of two that must agree, one that says so by itself is outvoted, or nothing is decided', async () => {
    const [liar, honest] = [scripted({ head: 130 }), scripted({ head: 110 })]
    const options = { urls: ['a', 'b'], chainId: 1, timeoutMs: 1_000, batchMax: 1, agreement: 2 }
    const connect = (url: string) => ({ ask: chainOne(url === 'a' ? liar.ask : honest.ask), close: () => {} })
    const rpc = createRpc(options, { clock: systemClock, connect })
    await expect(agreedPrepare(rpc, (ask) => outcomeOf(ask))).rejects.toMatchObject({ code: 'DISAGREEMENT' })
  })
})

const chainOne =
  (ask: Ask): Ask =>
  async (method, params) =>
    method === 'eth_chainId' ? '0x1' : ask(method, params)

/** Nodes at the same head, of which as many must agree. */
function nodesOf(count: number, agreement: number) {
  const scripts = Array.from({ length: count }, () => scripted({ head: 110 }))
  const told: number[] = []
  const options = { urls: scripts.map((_, i) => `${i}`), chainId: 1, timeoutMs: 1_000, batchMax: 1, agreement }
  const connect = (url: string) => ({ ask: chainOne(scripts[Number(url)]!.ask), close: () => {} })
  const observer = { disagreed: (node: number) => void told.push(node) }
  const rpc = createRpc(options, { clock: systemClock, connect, observer })
  return { rpc, told, nodes: scripts.map(({ node }) => node) }
}

describe('one node of several that lies about what a call takes', () => {
  const GWEI = 10n ** 9n
  type Node = ReturnType<typeof scripted>['node']
  const lies: [string, Partial<Node>][] = [
    ['a nonce that no account has', { nonce: 2 ** 40 }],
    ['a nonce far ahead', { nonce: 2 ** 31 }],
    ['an old nonce', { nonce: 1 }],
    ['less gas than it takes', { gas: 40_000 }],
    ['more gas than it takes', { gas: 9_000_000 }],
    ['a base fee and a tip beyond all measure', { baseFee: 160n * GWEI, tip: 160n * GWEI }],
    ['that it would be refused', { revert: 'E43' }],
    ['that the batch is on the chain', { revert: 'E25', cids: [CID] }],
  ]
  it.each(lies.flatMap(([what, lie]) => [0, 1, 2].map((at) => [what, at, lie] as const)))(
    'behavior: %s, as node %d of three of which two must agree: the others are believed',
    async (_, at, lie) => {
      const { rpc, nodes } = nodesOf(3, 2)
      Object.assign(nodes[at]!, lie)
      const quote = { nonce: 7, gasLimit: 1_300_000, maxFeePerGas: '15', maxPriorityFeePerGas: '1' }
      expect(await agreedPrepare(rpc, (ask) => outcomeOf(ask))).toMatchObject({ outcome: 'READY', ...quote })
    },
  )

  it.each([{ nonce: 2 ** 31 }, { gas: 40_000 }, { baseFee: 160n * GWEI }, { revert: 'E43' }])(
    'behavior: is named (%o)',
    async (lie) => {
      const { rpc, nodes, told } = nodesOf(3, 2)
      Object.assign(nodes[1]!, lie)
      await agreedPrepare(rpc, (ask) => outcomeOf(ask))
      expect(told).toEqual([1])
    },
  )

  it('behavior: that a call can be made, where the others say that it is refused', async () => {
    const { rpc, nodes } = nodesOf(3, 2)
    for (const node of nodes.slice(1)) node.revert = 'E43'
    const result = await agreedPrepare(rpc, (ask) => outcomeOf(ask))
    expect(result).toMatchObject({ outcome: 'REVERTED', error: 'E43' })
  })

  it('behavior: of two that must agree none raises a nonce or a fee, or lowers the gas', async () => {
    const { rpc, nodes } = nodesOf(2, 2)
    Object.assign(nodes[0]!, { nonce: 2 ** 31, gas: 40_000, tip: 2n * GWEI })
    const result = await agreedPrepare(rpc, (ask) => outcomeOf(ask))
    expect(result).toMatchObject({ nonce: 7, gasLimit: 1_300_000, maxPriorityFeePerGas: '1' })
  })

  it('default: without an agreement one node is asked', async () => {
    const { rpc, nodes } = nodesOf(3, 1)
    nodes[0]!.nonce = 9
    expect(await agreedPrepare(rpc, (ask) => outcomeOf(ask))).toMatchObject({ nonce: 9 })
    expect(nodes.map(({ headersRead }) => headersRead > 0)).toEqual([true, false, false])
  })

  it('behavior: fees and nonces between dry runs are not one node’s word either', async () => {
    const { rpc, nodes } = nodesOf(3, 2)
    Object.assign(nodes[0]!, { nonce: 2 ** 31, baseFee: 160n * GWEI, tip: 160n * GWEI })
    const settings = { tipMax: '3000000000', transactionType: 'auto', contractBlock: 'number' } as const
    expect(await agreedPrice(rpc, (ask) => priceHere(ask, settings))).toEqual({ maxFee: 15n, tip: 1n })
    expect(await agreedNonces(rpc, [signer.address])).toEqual([7])
  })
})

describe('gas', () => {
  it('behavior: as a setting, a transaction asks for no more than it may have', async () => {
    const { ask } = scripted({ head: 110 })
    expect(await outcomeOf(ask)).toMatchObject({ gasLimit: 1_300_000 })
    expect(await outcomeOf(ask, { transactionGasMax: 1_100_000 })).toMatchObject({ gasLimit: 1_100_000 })
    const error = 'needs 1000000 gas, and a transaction has 900000 at most'
    expect(await outcomeOf(ask, { transactionGasMax: 900_000 })).toMatchObject({ outcome: 'FAILED', error })
  })

  it('error: less than the data alone takes is no estimate: such a transaction would be in no block', async () => {
    const { node, ask } = scripted({ head: 110 })
    node.gas = 1
    await expect(outcomeOf(ask)).rejects.toMatchObject({ code: 'BAD_ANSWER', retriable: true })
  })
})

describe('gas that was not enough', () => {
  const input = (gasLimit: number) => ({
    key: KEY,
    intent: intentOf([], { step: 'PREPARE', nonce: -1, gasLimit }),
    call,
    signer: signer.address,
  })
  const askedAgain = async (gasLimit: number, gas: readonly number[]) => {
    const { rpc, told, nodes } = nodesOf(gas.length, 1)
    for (const [at, node] of nodes.entries()) node.gas = gas[at]!
    const settings = { ...ANCHOR_DEFAULTS, confirmations: 1 } as unknown as AnchorSettings
    const result = await agreedPrepare(rpc, (ask) => prepare(ask, input(gasLimit), settings))
    return { result: await gasOfAll(rpc, result, input(gasLimit), 30_000_000, settings), told }
  }

  it('behavior: all nodes are asked, the largest counts, and who said too little is named', async () => {
    const { result, told } = await askedAgain(100_000, [40_000, 400_000, 1])
    expect(result).toMatchObject({ outcome: 'READY', gasLimit: 550_000 })
    expect(told).toEqual([0, 2])
  })

  it('behavior: of the one node that there is, twice as much is asked for', async () => {
    const { result, told } = await askedAgain(100_000, [40_000])
    expect(result).toMatchObject({ outcome: 'READY', gasLimit: 200_000 })
    expect(told).toEqual([0])
  })

  it('behavior: no node raises it beyond measure', async () => {
    expect((await askedAgain(100_000, [40_000, 25_000_000])).result).toMatchObject({ gasLimit: 800_000 })
  })

  it('error: when a transaction has no more, that is a failure', async () => {
    const error = '30000000 gas was not enough, and a transaction has no more'
    expect((await askedAgain(30_000_000, [40_000])).result).toMatchObject({ outcome: 'FAILED', error })
  })

  it('default: otherwise nobody else is asked', async () => {
    expect((await askedAgain(0, [1_000_000, 9_000_000])).result).toMatchObject({ gasLimit: 1_300_000 })
  })
})

describe('a batch of another sequencer under our CID', () => {
  it.each([{ root: hashAt(2) }, { projects: ['p', 'q'] }, { projects: ['q'] }, { snapshotCid: 'bogus' }])(
    'error: is not ours (%o): the contract has other snapshots',
    async (theirs) => {
      const { node, ask } = scripted({ head: 110 })
      Object.assign(node, { revert: 'E25', cids: [CID] }, theirs)
      expect(await outcomeOf(ask)).toMatchObject({ outcome: 'REVERTED', error: 'E25' })
    },
  )
})

describe('the event of what lies on the chain already', () => {
  const anchored = (script: ReturnType<typeof scripted>, eventBlock?: number) =>
    Object.assign(script.node, { revert: 'E25', cids: [CID], eventBlock })

  it('behavior: is looked for from the release on, in ranges', async () => {
    const script = scripted({ head: 12_000 })
    anchored(script, 4_321)
    const found = await outcomeOf(script.ask)
    expect(found).toMatchObject({ outcome: 'ALREADY_ANCHORED', blockNumber: 4_321, transactionHash: hashAt(7) })
    expect(script.node.ranges).toEqual(['100-2099', '2100-4099', '4100-6099'])
  })

  it('behavior: that there is none is no failure', async () => {
    const script = scripted({ head: 150 })
    anchored(script)
    expect(await outcomeOf(script.ask)).toMatchObject({ outcome: 'ALREADY_ANCHORED', blockNumber: -1 })
    expect(script.node.ranges).toEqual(['100-150'])
  })

  it('behavior: where blocks have the numbers of the parent, the block of the release is searched', async () => {
    const script = scripted({ head: 100_000, l1Of: (n) => Math.floor(n / 48) })
    anchored(script, 4_830)
    const found = await outcomeOf(script.ask, { contractBlock: 'l1BlockNumber' })
    expect(found).toMatchObject({ outcome: 'ALREADY_ANCHORED', blockNumber: 4_830 })
    expect(script.node.ranges).toEqual(['4800-6799'])
    expect(script.node.headersRead).toBeLessThan(20)
  })
})
