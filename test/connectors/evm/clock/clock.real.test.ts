/** The clock against anvil: real blocks, real reorganizations, a process that is killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Contract, type JsonRpcProvider } from 'ethers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startClock } from '../../../../connectors/evm/clock/clock.ts'
import type { ClockOptions } from '../../../../connectors/evm/clock/clock-options.ts'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { ZERO_ADDRESS } from '../../../../connectors/evm/contract/chain-reader.ts'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { devProtocolState } from '../../../../ops/world/chain/contracts/dev-contract.ts'
import { devAccount } from '../../../../ops/world/chain/dev-accounts.ts'
import { createDevSender, type DevSender, devProvider } from '../../../../ops/world/chain/dev-sender.ts'
import { type DevChain, startDevChain } from '../../../../ops/world/chain/devchain.ts'
import type { EpochTick, SlotOwner } from '../../../../schemas/types.ts'
import type { Log } from '../../../../streams/ports.ts'
import { NodeProxy } from '../../../real/node-proxy.ts'
import { until } from '../../../until.ts'
import { canonical, clockTopics, readTicks, readTopic } from './clock-harness.ts'

const topics = await clockTopics()
const WINDOW = 4
const abi = devProtocolState().interface

let directory: string
let chain: DevChain
let provider: JsonRpcProvider
let owner: DevSender
let epochManager: DevSender
let children: ChildProcess[]
let servers: Server[]
let clocks: { close(): Promise<void> }[]

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'clock-'))
  children = []
  servers = []
  clocks = []
  chain = await startDevChain({
    directory: join(directory, 'chain'),
    port: 0,
    blockTimeSeconds: 3_600, // the tests mine
    markets: 1,
    windows: { snapshot: WINDOW, batch: 100, attestation: 200 },
    slots: [1, 2, 3].map((slotId) => ({ slotId, owner: devAccount(slotId).address })),
  })
  provider = devProvider(chain.rpcUrl, chain.chainId)
  owner = createDevSender(chain.rpcUrl, chain.chainId, chain.accounts.owner.privateKey, { mine: true })
  epochManager = createDevSender(chain.rpcUrl, chain.chainId, chain.accounts.epochManager.privateKey, { mine: true })
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const clock of clocks) await clock.close()
  for (const server of servers) server.close()
  for (const part of [owner, epochManager]) part?.close()
  provider?.destroy()
  await chain?.close()
  rmSync(directory, { recursive: true, force: true })
})

const contract = (): Contract => new Contract(chain.protocolState, abi, provider)
const height = async (): Promise<number> => Number(await provider.send('eth_blockNumber', []))
const mine = (blocks: number): Promise<unknown> => provider.send('anvil_mine', [`0x${blocks.toString(16)}`])
const reorg = (depth: number): Promise<unknown> => provider.send('anvil_reorg', [depth, []])
const transaction = (name: string, args: readonly unknown[]) => ({
  to: chain.protocolState,
  data: abi.encodeFunctionData(name, args),
  gasLimit: 2_000_000,
})

/** In a block of its own. */
async function release(): Promise<void> {
  const [, end] = await contract().getFunction('currentEpoch')(chain.markets[0])
  await epochManager.send([transaction('releaseEpoch', [chain.markets[0], end + 1n, end + 1n])])
}

const assign = (slotId: number, n: number): Promise<unknown> =>
  owner.send([transaction('assignSnapshotterToNodeBulkAdmin', [[slotId], [devAccount(n).address]])])

async function run(log: Log, options: Partial<ClockOptions> = {}) {
  let cursor = -1
  const failures: Error[] = []
  const clock = await startClock(
    {
      appId: 'test',
      topics,
      urls: [chain.rpcUrl],
      chainId: chain.chainId,
      protocolState: chain.protocolState,
      markets: [{ dataMarket: chain.markets[0]!, windowUnit: 'blocks' }],
      startBlock: chain.startBlock,
      depth: 0,
      pollMs: 10,
      backoffMsMax: 50,
      ...options,
      observer: {
        advanced: (progress) => {
          cursor = progress.cursor
        },
        failed: (error) => void failures.push(error as Error),
      },
    },
    { log, clock: systemClock },
  )
  clocks.push(clock)
  const reached = (block: number) => until(`block ${block}`, () => cursor === block)
  return { ...clock, reached, failures }
}

/** The log against the node: each block once, each release opened, each epoch past its window closed with its headers. */
async function expectTicksOfNode(log: Log): Promise<void> {
  const ticks = await readTicks(log, topics)
  const chainTicks = canonical(ticks)
  const heads = chainTicks.filter(({ kind }) => kind === 'HEAD')
  const last = await height()
  expect(heads.length).toBe(last - chain.startBlock + 1)
  for (const head of heads) expect(head.blockHash).toBe((await provider.getBlock(head.blockNumber))!.hash)
  const filter = { address: chain.protocolState, topics: [protocolStateInterface.getEvent('EpochReleased')!.topicHash] }
  const logs = await provider.getLogs({ ...filter, fromBlock: chain.startBlock, toBlock: last })
  const opens = chainTicks.filter(({ kind }) => kind === 'OPEN')
  expect(opens.map(({ epochId, blockHash }) => `${epochId} ${blockHash}`)).toEqual(
    logs.map((entry) => `${Number(entry.topics[2])} ${entry.blockHash}`),
  )
  for (const open of opens) expectClosed(ticks, open, last)
}

function expectClosed(ticks: readonly EpochTick[], open: EpochTick, last: number): void {
  expect(open.submissionWindow).toBe(WINDOW)
  const from = ticks.findLastIndex(({ kind, blockHash }) => kind === 'OPEN' && blockHash === open.blockHash)
  const closes = ticks
    .slice(from)
    .filter(({ kind, releaseBlock }) => kind === 'CLOSE' && releaseBlock === open.blockNumber)
  expect(closes.length).toBe(open.blockNumber + WINDOW < last ? 1 : 0)
  for (const close of closes) {
    expect(close.blockNumber).toBe(open.blockNumber + WINDOW + 1)
    expect(close.acceptedHeaders.length).toBe(WINDOW + 2)
    expect([close.acceptedHeaders[0], close.acceptedHeaders.at(-1)]).toEqual([open.blockHash, close.blockHash])
  }
}

async function expectSlotsOfNode(log: Log): Promise<void> {
  const rows = new Map<number, SlotOwner>()
  for (const { value } of await readTopic(log, topics.slots.name)) {
    const row = topics.slots.value.decode(value!)
    rows.set(row.slotId, row)
  }
  const count = Number(await contract().getFunction('getTotalNodeCount')())
  for (let slotId = 1; slotId <= count; slotId++) {
    const node = await contract().getFunction('nodeInfo')(slotId)
    const standing = rows.get(slotId)?.history.findLast(({ untilFork }) => untilFork === 0)
    const newest = standing ?? { owner: ZERO_ADDRESS, active: false } // never minted
    expect([slotId, newest.owner, newest.active]).toEqual([slotId, node.snapshotterAddress.toLowerCase(), node.active])
  }
}

describe('on anvil', () => {
  test('default: ticks and slots are those of the node, and a restart goes on', async () => {
    const log = createMemoryLog()
    const clock = await run(log)
    await release()
    await mine(2)
    await assign(2, 22)
    await mine(4)
    await clock.reached(await height())
    await clock.close()
    await release()
    await assign(7, 77)
    await owner.send([transaction('burnNode', [3])])
    await mine(6)
    const again = await run(log)
    await again.reached(await height())
    await again.close()
    await expectTicksOfNode(log)
    await expectSlotsOfNode(log)
  })

  test('behavior: anvil_reorg is followed: released epochs and slot owners of the old blocks are gone', async () => {
    const log = createMemoryLog()
    const clock = await run(log)
    await release()
    await mine(7)
    await clock.reached(await height())
    await assign(1, 111)
    await release()
    await clock.reached(await height())
    await reorg(3)
    await mine(1)
    await clock.reached(await height())
    expect(Number((await contract().getFunction('currentEpoch')(chain.markets[0]))[2])).toBe(1)
    await release()
    await mine(6)
    await clock.reached(await height())
    await clock.close()
    expect((await readTicks(log, topics)).filter(({ kind }) => kind === 'ORPHAN').length).toBe(1)
    await expectTicksOfNode(log)
    await expectSlotsOfNode(log)
  })

  test('behavior: epochs that the owner skips are told as skipped, and the same one released again opens nothing', async () => {
    const log = createMemoryLog()
    const clock = await run(log)
    await release()
    const skipTo = async (distance: bigint) => {
      const [, end] = await contract().getFunction('currentEpoch')(chain.markets[0])
      await owner.send([transaction('forceSkipEpoch', [chain.markets[0], end + distance, end + distance])])
    }
    await skipTo(4n)
    await skipTo(0n)
    await release()
    await mine(8)
    await clock.reached(await height())
    await clock.close()
    expect(clock.failures).toEqual([])
    const ofEpochs = (await readTicks(log, topics)).filter(({ epochId }) => epochId > 0)
    const said = ofEpochs.map(({ kind, epochId, skippedFrom }) => [kind, epochId, skippedFrom])
    expect(said.filter(([kind]) => kind === 'OPEN')).toEqual([
      ['OPEN', 1, 0],
      ['OPEN', 5, 2],
      ['OPEN', 6, 0],
    ])
    expect(said.filter(([kind]) => kind === 'CLOSE').length).toBe(3)
    for (const skipped of [2, 3, 4])
      expect((await contract().getFunction('epochInfo')(chain.markets[0], skipped)).blocknumber).toBe(0n)
  })

  test('behavior: updateSnapshotterState, which has no event, is followed from its block on', async () => {
    const log = createMemoryLog()
    const clock = await run(log)
    await mine(2)
    await clock.reached(await height())
    const [{ contractAddress }] = (await owner.send([
      { data: devProtocolState().bytecode, gasLimit: 8_000_000 },
    ])) as unknown as [{ contractAddress: string }]
    const registry = new Contract(contractAddress, abi, provider)
    const assigned = [
      [1, 3],
      [devAccount(91).address, devAccount(3).address],
    ]
    const data = abi.encodeFunctionData('assignSnapshotterToNodeBulkAdmin', assigned)
    await owner.send([{ to: contractAddress, data, gasLimit: 2_000_000 }])
    await mine(2)
    await owner.send([transaction('updateSnapshotterState', [contractAddress])])
    const changedAt = await height()
    await mine(1)
    const moved = abi.encodeFunctionData('assignSnapshotterToNodeBulkAdmin', [[3], [devAccount(93).address]])
    await owner.send([{ to: contractAddress, data: moved, gasLimit: 2_000_000 }])
    await clock.reached(await height())
    await clock.close()
    const rows = new Map<number, SlotOwner>()
    for (const { value } of await readTopic(log, topics.slots.name)) {
      const row = topics.slots.value.decode(value!)
      rows.set(row.slotId, row)
    }
    const newestOf = (slotId: number) => rows.get(slotId)!.history.at(-1)
    expect(newestOf(1)).toMatchObject({
      sinceBlock: changedAt,
      owner: (await registry.getFunction('nodeInfo')(1)).snapshotterAddress.toLowerCase(),
      active: true,
    })
    expect(newestOf(2)).toMatchObject({ sinceBlock: changedAt, owner: ZERO_ADDRESS, active: false })
    expect(newestOf(3)).toMatchObject({
      sinceBlock: await height(),
      owner: devAccount(93).address.toLowerCase(),
      active: true,
    })
    expect(rows.get(1)!.history[0]!.owner).toBe(devAccount(1).address.toLowerCase())
  })

  test('behavior: after a restart of the node, which has dropped older states, no epoch is skipped', async () => {
    const log = createMemoryLog()
    await release()
    await mine(3)
    await chain.close()
    chain = await startDevChain({
      directory: join(directory, 'chain'),
      port: 0,
      blockTimeSeconds: 3_600,
      markets: 1,
      windows: { snapshot: WINDOW, batch: 100, attestation: 200 },
      slots: [],
    })
    provider.destroy()
    provider = devProvider(chain.rpcUrl, chain.chainId)
    await mine(4)
    const clock = await run(log)
    await clock.reached(await height())
    await clock.close()
    expect(clock.failures).toEqual([])
    await expectTicksOfNode(log)
    await expectSlotsOfNode(log)
  })

  test('behavior: a clock killed at any moment, with reorganizations in between, skips and repeats nothing', async () => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
    process.stdout.write(`clock kill test, seed ${seed} (set SEED to repeat)\n`)
    const random = randomFrom(seed)
    const logDirectory = join(directory, 'log')
    for (let round = 0; round < 6; round++) {
      const child = startChild(logDirectory)
      const deadline = Date.now() + 300 + random(1_200)
      while (Date.now() < deadline) {
        const dice = random(10)
        if (dice < 2) await release()
        else if (dice < 4) await assign(1 + random(5), 100 + random(50))
        else if (dice < 5 && (await height()) > chain.startBlock + 20) await reorg(1 + random(4))
        else await mine(1 + random(3))
      }
      await stop(child, 'SIGKILL')
    }
    await mine(12)
    const last = startChild(logDirectory)
    const target = String(await height())
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: last.stdout! }).on('line', (line) => line === target && resolve())
      last.once('exit', (code) => reject(new Error(`the clock ended with ${code}`)))
    })
    await stop(last, 'SIGTERM')
    const log = await openEmbeddedLog({ directory: logDirectory })
    try {
      await expectTicksOfNode(log)
      await expectSlotsOfNode(log)
    } finally {
      await log.close()
    }
  })

  function startChild(logDirectory: string): ChildProcess {
    const script = new URL('./clock-child.ts', import.meta.url).pathname
    const args = [logDirectory, chain.rpcUrl, chain.chainId, chain.protocolState, chain.markets[0]!, chain.startBlock]
    const child = spawn(process.execPath, ['--import', 'tsx', script, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    return child
  }
})

async function stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await ended
}

/** Whole numbers below a bound, from a seed (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

describe('behind a node whose logs are not there yet', () => {
  test.each([
    ['0.8 s after the block', [{ name: 'late-logs', params: { ms: 800 } }]],
    ['three blocks after it', [{ name: 'late-logs', params: { ms: 0, blocks: 3 } }]],
    ['0.8 s after the block, and its filter excludes them', [{ name: 'late-logs' }, { name: 'zero-bloom' }]],
  ] as const)('behavior: logs come %s: every epoch opens', async (_name, faults) => {
    const proxy = await NodeProxy.start(chain.rpcUrl)
    for (const fault of faults) proxy.play(fault as never)
    const log = createMemoryLog()
    const clock = await run(log, { urls: [proxy.url] })
    try {
      for (let i = 0; i < 9; i++) await release()
      await mine(8)
      await clock.reached(await height())
      await clock.close()
      expect(clock.failures).toContainEqual(expect.objectContaining({ code: 'LOGS_INCOMPLETE' }))
      await expectTicksOfNode(log)
      await expectSlotsOfNode(log)
    } finally {
      await proxy.close()
    }
  })

  test('behavior: one node of two never has logs', async () => {
    const proxy = await NodeProxy.start(chain.rpcUrl)
    proxy.play({ name: 'empty-logs' })
    proxy.play({ name: 'zero-bloom' })
    const log = createMemoryLog()
    const clock = await run(log, { urls: [proxy.url, chain.rpcUrl] })
    try {
      for (let i = 0; i < 5; i++) await release()
      await mine(6)
      await clock.reached(await height())
      await clock.close()
      await expectTicksOfNode(log)
    } finally {
      await proxy.close()
    }
  })
})

describe('over HTTP', () => {
  /** A node that answers each request by `respond`, or passes it on to anvil. */
  async function nodeThat(
    respond: () => { status?: number; body?: string; hang?: boolean; cut?: boolean } | undefined,
  ): Promise<string> {
    const server = createServer(async (incoming, outgoing) => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      const answer = respond()
      if (answer?.hang) return
      if (answer?.cut) return void outgoing.destroy()
      if (answer)
        return void outgoing
          .writeHead(answer.status ?? 200, { 'content-type': 'application/json' })
          .end(answer.body ?? '')
      const headers = { 'content-type': 'application/json' }
      const passed = await fetch(chain.rpcUrl, { method: 'POST', headers, body: Buffer.concat(chunks) })
        .then((response) => response.text())
        .catch(() => '')
      outgoing.writeHead(passed === '' ? 502 : 200, headers).end(passed)
    })
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test.each([
    ['HTTP 500', 3, { status: 500, body: 'oops' }],
    ['HTTP 429', 3, { status: 429, body: 'slow down' }],
    ['a cut connection', 3, { cut: true }],
    ['no answer', 9, { hang: true }], // each takes its time
    ['text that is no JSON', 3, { body: '<html>' }],
    ['an empty batch', 3, { body: '[]' }],
    ['an error object', 3, { body: '{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"limit exceeded"}}' }],
  ])('error: %s now and then is got over', async (_name, oneIn, answer) => {
    const random = randomFrom(1)
    let spoilt = 0
    const url = await nodeThat(() => {
      if (random(oneIn) > 0) return undefined
      spoilt++
      return answer
    })
    const log = createMemoryLog()
    await release()
    await mine(6)
    const clock = await run(log, { urls: [url], timeoutMs: 200 })
    await clock.reached(await height())
    await clock.close()
    expect(spoilt).toBeGreaterThan(0)
    await expectTicksOfNode(log)
  })

  test('behavior: with one URL dead and one alive the clock goes on, and back', async () => {
    let firstIsUp = true
    const first = await nodeThat(() => (firstIsUp ? undefined : { status: 503 }))
    let secondIsUp = true
    const second = await nodeThat(() => (secondIsUp ? undefined : { cut: true }))
    const log = createMemoryLog()
    const clock = await run(log, { urls: [first, second] })
    await clock.reached(await height())
    firstIsUp = false
    await release()
    await clock.reached(await height())
    secondIsUp = false
    firstIsUp = true
    await mine(8)
    await clock.reached(await height())
    await clock.close()
    await expectTicksOfNode(log)
  })

  test('error: the wrong chain id is refused at once', async () => {
    await expect(run(createMemoryLog(), { chainId: 1 })).rejects.toMatchObject({ code: 'WRONG_CHAIN' })
  })
})
