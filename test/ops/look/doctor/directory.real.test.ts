/** `doctor` on a data directory: scripted nodes over HTTP, which the settings of the directory name. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { directoryPaths } from '../../../../ops/ground/directory-paths.ts'
import { RULES_DEFAULTS } from '../../../../topology/rules.ts'
import { newFolder } from '../../../folder.ts'
import { runHere } from '../../run-here.ts'

const CHAIN_ID = 31_337
const NOBODY = 'http://127.0.0.1:1'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A node of this chain with one block, of now. */
async function nodeOf(chainId: number): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const hash = `0x${'1'.repeat(64)}`
  const block = () => ({
    number: '0x5',
    hash,
    parentHash: hash,
    timestamp: `0x${Math.floor(Date.now() / 1_000).toString(16)}`,
    gasLimit: '0x1c9c380',
    baseFeePerGas: '0x1',
  })
  const server = createServer(async (incoming, outgoing) => {
    let text = ''
    for await (const chunk of incoming) text += chunk
    const { id, method } = JSON.parse(text) as { id: number; method: string }
    asked.push(method)
    const result = method === 'eth_chainId' ? `0x${chainId.toString(16)}` : block()
    outgoing.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** A directory that was started with these nodes. */
function startedWith(rpcUrls: readonly string[]): string {
  const dataDir = newFolder()
  const settings = {
    rules: { ...RULES_DEFAULTS, markets: [] },
    chain: { rpcUrls, chainId: CHAIN_ID, protocolState: `0x${'b'.repeat(40)}` },
  }
  writeFileSync(directoryPaths(dataDir).settings, JSON.stringify(settings))
  return dataDir
}

async function nodesOf(dataDir: string, ...more: string[]) {
  const { stdout } = await runHere(['doctor', '--data-dir', dataDir, '--json', ...more])
  const findings = JSON.parse(stdout) as { check: string; ok: boolean | null; detail: string; advice?: string }[]
  return findings.filter(({ check }) => ['chain', 'block time', 'settings'].includes(check))
}

describe('the nodes of a data directory', () => {
  test('default: each that the settings name is asked, without --rpc', async () => {
    const node = await nodeOf(CHAIN_ID)
    const findings = await nodesOf(startedWith([node.url, NOBODY]))
    expect(findings).toMatchObject([
      { check: 'chain', ok: true, detail: expect.stringContaining('chain id 31337, block 5') },
      { check: 'block time', ok: true },
      { check: 'chain', ok: false, advice: expect.stringContaining('Start the node') },
    ])
    expect(node.asked.length).toBe(2)
  })

  test('behavior: --rpc is asked in place of them, and held against the chain of the directory', async () => {
    const [kept, named] = [await nodeOf(CHAIN_ID), await nodeOf(5)]
    const findings = await nodesOf(startedWith([kept.url]), '--rpc', named.url)
    expect(findings).toMatchObject([{ check: 'chain', ok: false }, { check: 'block time' }])
    expect(kept.asked).toEqual([])
  })

  test.each([
    ['none', []],
    ['nothing that is a URL', ['x', 7 as unknown as string]],
  ])('behavior: settings that name %s: it says that no node was asked, and what to give', async (_what, urls) => {
    expect(await nodesOf(startedWith(urls))).toMatchObject([
      { check: 'chain', ok: null, detail: expect.stringMatching(/no node was asked.*--rpc/) },
    ])
  })

  test('behavior: the chain of `dev` runs with it: that it is not there is no fault', async () => {
    const dataDir = startedWith([NOBODY])
    mkdirSync(directoryPaths(dataDir).chain)
    writeFileSync(join(directoryPaths(dataDir).chain, 'state.json'), '{}')
    expect(await nodesOf(dataDir)).toMatchObject([
      { check: 'chain', ok: null, detail: expect.stringMatching(/was not asked.*`dev`.*--rpc/) },
    ])
    const running = createServer((_, outgoing) => void outgoing.end('{}'))
    servers.push(running)
    await new Promise<void>((resolve) => running.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(running.address() as AddressInfo).port}`
    writeFileSync(directoryPaths(dataDir).running, JSON.stringify({ url }))
    expect(await nodesOf(dataDir)).toMatchObject([{ check: 'chain', ok: false }])
  })

  test('behavior: before the first start there is no node to ask', async () => {
    expect(await nodesOf(newFolder())).toEqual([])
  })

  test('error: settings that cannot be read are a finding', async () => {
    const dataDir = newFolder()
    writeFileSync(directoryPaths(dataDir).settings, 'no JSON')
    expect(await nodesOf(dataDir)).toMatchObject([{ check: 'settings', ok: false, advice: expect.any(String) }])
  })
})
