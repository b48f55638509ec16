/** The proxy does each fault as it is described, before a real node (anvil). */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { protocolStateInterface } from '../../connectors/evm/contract/abi.ts'
import { createDevSender, type DevSender } from '../../ops/world/chain/dev-sender.ts'
import { type DevChain, startDevChain } from '../../ops/world/chain/devchain.ts'
import { newFolder } from '../folder.ts'
import { hex } from '../hex.ts'
import { FAULTS, type FaultName } from '../real/node-faults.ts'
import { NodeProxy, type Play } from '../real/node-proxy.ts'
import { CASES } from './cases.ts'

type Answered = { readonly result?: unknown; readonly error?: { readonly message: string } }
type Fields = Readonly<Record<string, unknown>>

/** For an answer that does not come, and for one that is slow. */
const WAIT_MS = 400
const ANSWER_MS = 5_000
const LATE_MS = 60_000
/** Of the proxy. */
let now = 0
let chain: DevChain
let manager: DevSender
let proxy: NodeProxy
/** Of the block that released the first epoch, which is the newest. */
let released: { number: number; hash: string }
let raw: string

beforeAll(async () => {
  const windows = { snapshot: 2, batch: 40, attestation: 80 }
  const directory = newFolder()
  chain = await startDevChain({ directory, port: 0, blockTimeSeconds: 3_600, markets: 1, windows, slots: [] })
  manager = createDevSender(chain.rpcUrl, chain.chainId, chain.accounts.epochManager.privateKey, { mine: true })
  const data = protocolStateInterface.encodeFunctionData('releaseEpoch', [chain.markets[0], 1, 1])
  const [receipt] = await manager.send([{ to: chain.protocolState, data, gasLimit: 300_000 }])
  released = { number: receipt!.blockNumber, hash: receipt!.blockHash }
  raw = receipt!.hash
  proxy = await NodeProxy.start(chain.rpcUrl, { now: () => now })
})
afterEach(() => proxy.clear())
afterAll(async () => {
  manager?.close()
  await proxy?.close()
  await chain?.close()
})

async function post(calls: object | readonly object[], waitMs = ANSWER_MS): Promise<unknown> {
  const body = JSON.stringify(calls)
  const response = await fetch(proxy.url, { method: 'POST', body, signal: AbortSignal.timeout(waitMs) })
  if (response.status !== 200) throw new Error(`HTTP ${response.status}`)
  return response.json()
}
const callOf = (method: string, params: readonly unknown[], id = 1) => ({ jsonrpc: '2.0', id, method, params })
const ask = (method: string, ...params: unknown[]): Promise<Answered> =>
  post(callOf(method, params)) as Promise<Answered>
const resultOf = async (method: string, ...params: unknown[]): Promise<unknown> => (await ask(method, ...params)).result
const play = <Name extends FaultName>(name: Name, params: Play<Name>['params'] = {}) => proxy.play({ name, params })

const header = (tag: string) => resultOf('eth_getBlockByNumber', tag, false) as Promise<Fields>
const logsAt = (blockHash: string) => resultOf('eth_getLogs', { blockHash }) as Promise<readonly Fields[]>
const newTransaction = async (nonce: number): Promise<string> => {
  const { Wallet } = await import('ethers')
  const to = manager.address
  const fees = { type: 2, maxFeePerGas: 20_000_000_000n, maxPriorityFeePerGas: 1n, gasLimit: 21_000 }
  return new Wallet(chain.accounts.owner.privateKey).signTransaction({ to, nonce, chainId: chain.chainId, ...fees })
}
const nextNonce = async () => Number(await resultOf('eth_getTransactionCount', chain.accounts.owner.address, 'pending'))

test('default: without a fault the node is seen as it is, alone and in batches', async () => {
  expect(await header('latest')).toMatchObject({ hash: released.hash })
  expect(await logsAt(released.hash)).toHaveLength(1)
  const answers = (await post([callOf('eth_blockNumber', [], 7), callOf('eth_no', [], 8)])) as Answered[]
  expect(answers).toMatchObject([
    { id: 7, result: hex(released.number) },
    { id: 8, error: { code: -32_601 } },
  ])
})

describe('logs and headers', () => {
  test('behavior: late logs come, lost ones do not', async () => {
    play('late-logs', { ms: LATE_MS })
    expect(await logsAt(released.hash)).toEqual([])
    now += LATE_MS
    expect(await logsAt(released.hash)).toHaveLength(1)
    proxy.clear()
    play('late-logs', { ms: 0, lostShare: 1 })
    expect(await logsAt(released.hash)).toEqual([])
    proxy.clear()
    play('late-logs', { ms: 0, blocks: 2 })
    expect(await logsAt(released.hash)).toEqual([])
  })

  test('behavior: no logs, removed ones, no bloom, no newest block', async () => {
    play('zero-bloom')
    expect(Number((await header('latest')).logsBloom)).toBe(0)
    play('null-latest')
    expect(await header('latest')).toBeNull()
    expect(await header(hex(released.number))).toMatchObject({ hash: released.hash })
    play('removed-logs')
    expect(await logsAt(released.hash)).toMatchObject([{ removed: true }])
    play('empty-logs')
    expect(await logsAt(released.hash)).toEqual([])
  })

  test('behavior: a node that is behind knows nothing of what is newer', async () => {
    play('lag', { blocks: 1 })
    expect(await resultOf('eth_blockNumber')).toBe(hex(released.number - 1))
    expect(await header('latest')).toMatchObject({ number: hex(released.number - 1) })
    expect(await header(hex(released.number))).toBeNull()
    expect((await ask('eth_getLogs', { blockHash: released.hash })).error!.message).toMatch(/block|header/i)
    expect(await resultOf('eth_getTransactionReceipt', raw)).toBeNull()
    expect((await ask('eth_call', { to: manager.address }, hex(released.number))).error).toBeDefined()
    expect(Number(await resultOf('eth_getTransactionCount', manager.address, 'latest'))).toBe(0)
  })

  test('behavior: a fork has other hashes for the newest blocks, the same in every answer', async () => {
    play('fork', { depth: 2 })
    const [below, first, last] = await Promise.all([2, 1, 0].map((n) => header(hex(released.number - n))))
    expect(last!.hash).not.toBe(released.hash)
    expect([first!.parentHash, last!.parentHash]).toEqual([below!.hash, first!.hash])
    const [log] = await logsAt(last!.hash as string)
    expect(log).toMatchObject({ blockHash: last!.hash })
    expect(await resultOf('eth_getTransactionReceipt', raw)).toMatchObject({ blockHash: last!.hash })
    expect((await ask('eth_getLogs', { blockHash: released.hash })).error).toBeDefined()
    expect(await logsAt(below!.hash as string)).toEqual([])
  })

  test('behavior: limits of ranges and batches, state that is gone', async () => {
    play('range-max', { blocks: 2 })
    const range = (fromBlock: number) =>
      ask('eth_getLogs', { fromBlock: hex(fromBlock), toBlock: hex(released.number) })
    expect(await range(released.number - 2)).toHaveProperty('error')
    expect(await range(released.number - 1)).toHaveProperty('result')
    play('batch-max', { calls: 1 })
    expect(await post([callOf('eth_chainId', [], 1), callOf('eth_chainId', [], 2)])).toMatchObject([{ error: {} }])
    play('pruned')
    expect(await ask('eth_call', { to: manager.address }, { blockHash: released.hash })).toHaveProperty('error')
    expect(await ask('eth_call', { to: manager.address }, 'latest')).toHaveProperty('result')
  })
})

describe('transactions', () => {
  test('behavior: what is refused is taken all the same, or is not', async () => {
    const nonce = await nextNonce()
    const words = { client: 'parity' }
    play('send-refused', { ...words, forwardedShare: 0 })
    expect((await ask('eth_sendRawTransaction', await newTransaction(nonce))).error!.message).toMatch(/ransaction/)
    expect(await nextNonce()).toBe(nonce)
    proxy.clear()
    play('send-refused', { ...words, forwardedShare: 1 })
    expect(await ask('eth_sendRawTransaction', await newTransaction(nonce))).toHaveProperty('error')
    expect(await nextNonce()).toBe(nonce + 1)
  })

  test('behavior: what is dropped is not there, what is held is there later', async () => {
    const nonce = await nextNonce()
    play('send-dropped')
    const transaction = await newTransaction(nonce)
    const dropped = await resultOf('eth_sendRawTransaction', transaction)
    expect(await nextNonce()).toBe(nonce)
    proxy.clear()
    play('send-held', { ms: WAIT_MS })
    expect(await resultOf('eth_sendRawTransaction', transaction)).toBe(dropped)
    expect(await nextNonce()).toBe(nonce)
    await expect.poll(nextNonce).toBe(nonce + 1)
  })

  test('behavior: receipts late and looked up while being indexed', async () => {
    play('late-receipts', { ms: LATE_MS })
    const receipt = () => resultOf('eth_getTransactionReceipt', raw)
    expect(await receipt()).toBeNull()
    now += LATE_MS
    expect(await receipt()).toMatchObject({ blockHash: released.hash })
    play('indexing')
    expect((await ask('eth_getTransactionReceipt', raw)).error!.message).toContain('indexing')
  })

  test('behavior: fees', async () => {
    play('high-tip', { gwei: 500 })
    expect(Number(await resultOf('eth_maxPriorityFeePerGas'))).toBe(500e9)
    play('no-tip')
    expect(await ask('eth_maxPriorityFeePerGas')).toHaveProperty('error')
    play('legacy')
    expect(await header('latest')).not.toHaveProperty('baseFeePerGas')
    expect((await ask('eth_sendRawTransaction', await newTransaction(99))).error!.message).toMatch(/type/)
  })
})

describe('what lies between', () => {
  test.each([
    ['silence', {}],
    ['cut', { afterShare: 0 }],
    ['cut', { afterShare: 1 }],
    ['http-status', { status: 429 }],
    ['http-status', { status: 200, body: '<html>' }],
  ] as const)('error: %s %j', async (name, params) => {
    const playing = play(name, params)
    await expect(post(callOf('eth_chainId', []), WAIT_MS)).rejects.toThrow()
    expect(playing.happened).toBe(1)
    playing.stop()
    expect(await ask('eth_chainId')).toHaveProperty('result')
  })

  test('behavior: slow and huge bodies are right all the same', async () => {
    play('slow-body', { ms: WAIT_MS })
    const began = performance.now()
    expect(await resultOf('eth_chainId')).toBe(hex(chain.chainId))
    expect(performance.now() - began).toBeGreaterThan(WAIT_MS / 2)
    proxy.clear()
    play('huge-body', { mib: 1 })
    expect(await resultOf('eth_chainId')).toBe(hex(chain.chainId))
  })

  test('behavior: another chain, odd answers', async () => {
    play('wrong-chain', { chainId: 5 })
    expect(await resultOf('eth_chainId')).toBe('0x5')
    proxy.clear()
    const right = await header('latest')
    play('odd-answers')
    for (let i = 0; i < 5; i++) expect(await header('latest')).not.toEqual(right)
  })

  test('args: a share, methods, a beginning and an end', async () => {
    const some = proxy.play({ name: 'wrong-chain', share: 0.5 })
    const answers = await Promise.all(Array.from({ length: 40 }, () => resultOf('eth_chainId')))
    expect(some.happened).toBe(answers.filter((answer) => answer === '0x1').length)
    expect(some.happened).toBeGreaterThan(5)
    expect(some.happened).toBeLessThan(35)
    proxy.clear()
    proxy.play({ name: 'http-status', methods: ['eth_chainId'] })
    expect(await ask('eth_blockNumber')).toHaveProperty('result')
    await expect(ask('eth_chainId')).rejects.toThrow('HTTP 503')
    proxy.clear()
    proxy.play({ name: 'http-status', startMs: LATE_MS / 2, forMs: LATE_MS / 2 })
    expect(await ask('eth_chainId')).toHaveProperty('result')
    now += LATE_MS / 2
    await expect(ask('eth_chainId')).rejects.toThrow('HTTP 503')
    now += LATE_MS / 2
    expect(await ask('eth_chainId')).toHaveProperty('result')
  })

  test('behavior: `npm run nodes` plays every one of them', () => {
    const played = new Set(Object.values(CASES).flatMap(({ plays }) => plays.map(({ name }) => name)))
    expect([...played].sort()).toEqual(Object.keys(FAULTS).sort())
  })
})
