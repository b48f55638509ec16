import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Contract, Wallet } from 'ethers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findAnvil } from '../../../../ops/world/chain/anvil.ts'
import { devProtocolState } from '../../../../ops/world/chain/contracts/dev-contract.ts'
import { devAccount } from '../../../../ops/world/chain/dev-accounts.ts'
import { startEpochManager } from '../../../../ops/world/chain/dev-epochs.ts'
import { devProvider } from '../../../../ops/world/chain/dev-sender.ts'
import { finalizedCidsRoot, startValidator } from '../../../../ops/world/chain/dev-validator.ts'
import {
  DEV_CHAIN_ID,
  type DevChain,
  type DevChainOptions,
  startDevChain,
} from '../../../../ops/world/chain/devchain.ts'
import { until } from '../../../until.ts'

let directory: string
let open: { close(): Promise<void> }[]
let children: ChildProcess[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'devchain-'))
  open = []
  children = []
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const part of open.toReversed()) await part.close()
  rmSync(directory, { recursive: true, force: true })
})

const OPTIONS = {
  port: 0,
  blockTimeSeconds: 1,
  markets: 1,
  windows: { snapshot: 2, batch: 20, attestation: 40 },
  slots: [],
} as const

async function start(options: Partial<DevChainOptions> = {}): Promise<DevChain> {
  const chain = await startDevChain({ ...OPTIONS, directory, ...options })
  open.push(chain)
  return chain
}

async function rpc(rpcUrl: string, method: string, params: readonly unknown[] = []): Promise<unknown> {
  const response = await fetch(rpcUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  return ((await response.json()) as { result: unknown }).result
}
const hashOf = async (rpcUrl: string, block: number): Promise<unknown> =>
  ((await rpc(rpcUrl, 'eth_getBlockByNumber', [`0x${block.toString(16)}`, false])) as { hash: string } | null)?.hash
const height = async (rpcUrl: string): Promise<number> => Number(await rpc(rpcUrl, 'eth_blockNumber'))

const answers = (rpcUrl: string): Promise<boolean> =>
  rpc(rpcUrl, 'eth_blockNumber').then(
    () => true,
    () => false,
  )

/** The chain started by another process; resolves with its URL. */
async function startElsewhere(idleSeconds = 120): Promise<{ child: ChildProcess; rpcUrl: string }> {
  const script = new URL('./devchain-child.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory, String(idleSeconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const rpcUrl = await new Promise<string>((resolve, reject) => {
    child.stdout!.once('data', (data: Buffer) => resolve(data.toString().trim()))
    child.once('exit', (code) => reject(new Error(`the child ended with ${code}`)))
  })
  return { child, rpcUrl }
}

async function killNow(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

describe('the process', () => {
  test('default: a second start goes on with the same chain, and adds what is missing', async () => {
    const first = await start({ slots: [{ slotId: 1, owner: devAccount(31).address }] })
    const [reached, hash] = [await height(first.rpcUrl), await hashOf(first.rpcUrl, first.startBlock)]
    await first.close()
    expect(await answers(first.rpcUrl)).toBe(false)
    const second = await start({
      markets: 3,
      windows: { snapshot: 1, batch: 5, attestation: 9 },
      slots: Array.from({ length: 250 }, (_, i) => ({ slotId: i + 1, owner: devAccount(40).address })),
    })
    expect(second).toMatchObject({ protocolState: first.protocolState, startBlock: first.startBlock, adopted: false })
    expect(second.markets[0]).toBe(first.markets[0])
    expect(new Set(second.markets).size).toBe(3)
    expect(await hashOf(second.rpcUrl, first.startBlock)).toBe(hash)
    expect(await height(second.rpcUrl)).toBeGreaterThanOrEqual(reached)
    const provider = devProvider(second.rpcUrl, DEV_CHAIN_ID)
    const contract = new Contract(second.protocolState, devProtocolState().interface, provider)
    expect(await contract.getFunction('batchSubmissionWindow')(second.markets[2])).toBe(5n)
    expect((await contract.getFunction('slotSnapshotterMapping')(250)).toLowerCase()).toBe(devAccount(40).address)
    expect((await contract.getFunction('slotSnapshotterMapping')(1)).toLowerCase()).toBe(devAccount(40).address)
    provider.destroy()
  })

  test('default: more slots than a block or a call holds, without waiting for blocks', async () => {
    const owner = devAccount(31).address
    const slots = Array.from({ length: 5_001 }, (_, i) => ({ slotId: i + 1, owner }))
    const { rpcUrl, protocolState } = await start({ blockTimeSeconds: 3_600, slots })
    const provider = devProvider(rpcUrl, DEV_CHAIN_ID)
    const contract = new Contract(protocolState, devProtocolState().interface, provider)
    expect((await contract.getFunction('slotSnapshotterMapping')(5_001)).toLowerCase()).toBe(owner)
    provider.destroy()
  })

  test('behavior: the chain outlives a kill -9 of its starter; the next start takes it over without losing a block', async () => {
    const { child, rpcUrl } = await startElsewhere()
    await until('three blocks', async () => (await height(rpcUrl)) > 6)
    await killNow(child)
    const reached = await height(rpcUrl)
    const hash = await hashOf(rpcUrl, reached)
    const chain = await start()
    expect(chain).toMatchObject({ adopted: true, rpcUrl })
    expect(await hashOf(chain.rpcUrl, reached)).toBe(hash)
    await chain.close()
    expect(await answers(rpcUrl)).toBe(false)
  })

  test('behavior: while its starter lives the chain does not end, however short the idle time', async () => {
    const { rpcUrl } = await start({ idleSeconds: 3 })
    const deadline = Date.now() + 7_000
    while (Date.now() < deadline) {
      expect(await answers(rpcUrl)).toBe(true)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  })

  test('behavior: a chain that keeps few states forgets older ones, makes its blocks, and goes on after a second start', async () => {
    const first = await start({ statesKept: 3 })
    const asOf = async (rpcUrl: string, back: number) => {
      const block = `0x${((await height(rpcUrl)) - back).toString(16)}`
      return await rpc(rpcUrl, 'eth_getBalance', [first.accounts.owner.address, block])
    }
    const from = await height(first.rpcUrl)
    await until('six blocks', async () => (await height(first.rpcUrl)) >= from + 6)
    expect(await asOf(first.rpcUrl, 0)).toMatch(/^0x/)
    expect(await asOf(first.rpcUrl, 5)).toBeUndefined()
    await first.close()
    const second = await start({ statesKept: 3 })
    const again = await height(second.rpcUrl)
    expect(again).toBeGreaterThanOrEqual(from + 6)
    await until('one more block', async () => (await height(second.rpcUrl)) > again)
  })

  test('behavior: a chain that nobody comes back for ends, with its state kept', async () => {
    const { child, rpcUrl } = await startElsewhere(2)
    await killNow(child)
    const hash = await hashOf(rpcUrl, 3)
    await until('the guard ends the chain', async () => !(await answers(rpcUrl)))
    const chain = await start()
    expect(chain.adopted).toBe(false)
    expect(await hashOf(chain.rpcUrl, 3)).toBe(hash)
  })

  test('error: a busy port is named', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    await expect(start({ port })).rejects.toMatchObject({
      code: 'PORT_BUSY',
      message: expect.stringContaining(`port ${port} for the development chain is in use by another program`),
    })
    server.close()
  })

  test('error: a chain whose state was removed is not silently another one', async () => {
    await (await start()).close()
    rmSync(join(directory, 'state.json'))
    await expect(start()).rejects.toMatchObject({ code: 'CHAIN_LOST', message: expect.stringContaining('state.json') })
  })

  test('error: a state that cannot be read says so and leaves no process', async () => {
    writeFileSync(join(directory, 'state.json'), '{"block":')
    await expect(start()).rejects.toMatchObject({ code: 'ANVIL_FAILED' })
  })

  test('error: without the binary it says what to install or to point to', () => {
    expect(() => findAnvil([join(directory, 'anvil')])).toThrow(
      /Install Foundry .* or point to a node that runs already with --rpc/,
    )
  })
})

test('default: epochs are released every N blocks, and validators attest what the sequencer ends', async () => {
  const chain = await start({ markets: 2 })
  const { rpcUrl, chainId, protocolState, markets, accounts } = chain
  const errors: unknown[] = []
  const onError = (error: unknown): void => void errors.push(error)
  const common = { rpcUrl, chainId, protocolState, markets, onError }
  const manager = startEpochManager({ ...common, account: accounts.epochManager, everyBlocks: 3, epochsMax: 3 })
  open.push(manager)
  const attested: string[] = []
  const validators = accounts.validators.map((account, i) =>
    startValidator({
      ...common,
      account,
      fromBlock: chain.startBlock,
      onAttested: (market, epochId, cid) => void attested.push(`${i} ${markets.indexOf(market)} ${epochId} ${cid}`),
      ...(i === 2 && { rootOf: () => finalizedCidsRoot(['something else']) }),
    }),
  )
  open.push(...validators)
  const provider = devProvider(rpcUrl, chainId)
  open.push({ close: async () => provider.destroy() })
  const contract = new Contract(
    protocolState,
    devProtocolState().interface,
    new Wallet(accounts.sequencer.privateKey, provider),
  )
  await until('three epochs', async () => (await contract.getFunction('currentEpoch')(markets[1]))[2] === 3n)

  const releaseBlocks = await Promise.all(
    [1, 2, 3].map(async (epoch) => Number((await contract.getFunction('epochInfo')(markets[0], epoch))[1])),
  )
  expect(releaseBlocks).toEqual([releaseBlocks[0], releaseBlocks[0]! + 3, releaseBlocks[0]! + 6])

  const nonce = await provider.getTransactionCount(accounts.sequencer.address)
  const cids = ['bafy-1', 'bafy-2']
  const overrides = { gasLimit: 2_000_000 }
  await contract
    .getFunction('submitSubmissionBatch')
    .send(markets[0], 'batch', 3, ['p1', 'p2'], cids, finalizedCidsRoot(cids), { ...overrides, nonce })
  await contract.getFunction('endBatchSubmissions').send(markets[0], 3, { ...overrides, nonce: nonce + 1 })
  await until('three attestations', async () => attested.length === 3)
  expect(attested.toSorted()).toEqual(['0 0 3 batch', '1 0 3 batch', '2 0 3 batch'])
  expect(await contract.getFunction('batchCidAttestationStatus')(markets[0], 'batch')).toBe(true)
  expect(errors).toEqual([])
})
