import { describe, expect, it } from 'vitest'
import { agreedPrepare } from '../../../../connectors/evm/agreed-readings.ts'
import { ANCHOR_DEFAULTS, type AnchorSettings } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { prepare } from '../../../../connectors/evm/anchor-effects/anchor-prepare.ts'
import { protocolStateInterface as abi } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { createRpc } from '../../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { CID, eventLog, intentOf, KEY, STATE, signer } from './scripted-send.ts'

const RELEASE = 100
const WINDOW = 20
const hex = (n: number): string => `0x${n.toString(16)}`
const hashAt = (n: number): string => `0x${n.toString(16).padStart(64, '0')}`

/** A node at a head, whose contract released the epoch in block 100 of its own counting. `l1Of` gives the parent's number of a block. */
function scripted({ head, l1Of = (n: number) => n }: { head: number; l1Of?: (n: number) => number }) {
  const node = {
    revert: undefined as string | undefined,
    cids: [] as string[],
    eventBlock: undefined as number | undefined,
    gas: 1_000_000,
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
        return { ...hashes, ...numbers, baseFeePerGas: '0x7' }
      }
      case 'eth_blockNumber':
        return hex(head)
      case 'eth_call':
        return answerTo(first.data)
      case 'eth_estimateGas':
        return hex(node.gas)
      case 'eth_maxPriorityFeePerGas':
        return '0x1'
      case 'eth_getBalance':
        return `0x${'f'.repeat(20)}`
      case 'eth_getTransactionCount':
        return '0x7'
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
