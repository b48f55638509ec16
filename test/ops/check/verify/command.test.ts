import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createFileBlockStore } from '../../../../connectors/ipfs/file-store.ts'
import { CliError } from '../../../../ops/base/cli-error.ts'
import { textOf } from '../../../../ops/base/output.ts'
import { runVerify, type VerifyArguments, verifyCommand } from '../../../../ops/check/verify/command.ts'
import { renderReport } from '../../../../ops/check/verify/render.ts'
import type { VerifyReport } from '../../../../ops/check/verify/report.ts'
import { directoryPaths } from '../../../../ops/ground/directory-paths.ts'
import { newFolder } from '../../../folder.ts'
import { HOSTILE, OBEYED } from '../../hostile.ts'
import { runHere } from '../../run-here.ts'

const published = fileURLToPath(new URL('../../../vectors/published-batch.json', import.meta.url))
const compact = Buffer.from(JSON.stringify(JSON.parse(readFileSync(published, 'utf8'))))
const domain: VerifyArguments = { chainId: '11169', protocolState: '0xF68342970beF978697e1104223b2E1B6a1D7764d' }
const slot = ['4036=0xa865187E8E86ae8c649a7bD8DE1C6E0a3Bd4b2Be', '3164=0x7151Ba35EbCd9B17449A3F2B09ac14B0d3b0Ece8']

const given = [
  ...['--chain-id', '11169', '--protocol-state', '0xF68342970beF978697e1104223b2E1B6a1D7764d'],
  ...slot.flatMap((one) => ['--slot', one]),
]

test('default: a file, with all signatures checked', async () => {
  const report = await runVerify(published, { ...domain, slot })
  expect(report).toMatchObject({ ok: true, signatures: { valid: 51, invalid: 0, unchecked: 0 } })
  expect(textOf(renderReport(report))).toMatchInlineSnapshot(`
    "batch           51 submissions, 50 projects, epoch 11267
    data market     none named
    cid             QmdFHpLZT4dgdFKYyd1yGM62chhJjYpZCtXppAYtWYpDjW
    cid (v1)        bafkreic63f2mrpqwnyyf5qg3othdawgpvw7mot2g2zlqp7ykcdneeatcia
    roothash        0x86faa4aead7f5387aa70c763524c674a4877e2d1d6134851a02de127d5e02322  ok
    finalized cids  0x04a066d979147a36eca07812c338f429fba6334baeef10c25ec428ffc48c821a
    signatures      51 valid, 0 invalid, 0 unchecked
    No fault in what was checked. Unchecked: the CID of these bytes (--cid), that the contract keeps the batch (--rpc).
    "
  `)
})

test('behavior: a CID out of the block store of a data directory, either version', async () => {
  const dataDir = newFolder()
  for (const version of [0, 1] as const) {
    const store = await createFileBlockStore({ directory: directoryPaths(dataDir).blocks, version })
    const cid = await store.put(compact)
    expect(await runVerify(cid, { dataDir })).toMatchObject({ ok: true, [version ? 'cidV1' : 'cid']: cid })
    expect(await runVerify(cid, { blocks: directoryPaths(dataDir).blocks })).toMatchObject({ ok: true })
  }
})

test('behavior: what is wrong stands in the text', async () => {
  const path = join(newFolder(), 'batch.json')
  writeFileSync(path, compact.toString().replace('0c0f951b', '0c0f951c'))
  const text = textOf(renderReport(await runVerify(path, {})))
  expect(text).toContain('WRONG, computed 0x')
  expect(text).toContain('problem ROOT_MISMATCH at roothash')
  expect(text).toContain('NOT sound')
})

const failing = (target: string, options: VerifyArguments): Promise<CliError> =>
  runVerify(target, options).then(
    () => expect.unreachable(),
    (error) => {
      expect(error).toBeInstanceOf(CliError)
      return error
    },
  )

test('args: every fault of the options at once', async () => {
  const { message, exitCode } = await failing(published, {
    chainId: 'x',
    slot: ['1'],
    closeBlockHash: '0x1',
  })
  expect(exitCode).toBe(2)
  for (const option of ['--chain-id', '--protocol-state', '--slot "1"', '--close-block-hash'])
    expect(message).toContain(option)
  expect((await failing(published, { slot })).message).toContain('--slot needs')
})

test('error: neither a file nor a CID', async () => {
  expect(await failing('/no/such/file', {})).toMatchObject({ exitCode: 2 })
})

test('error: a CID that no store has', async () => {
  const cid = 'bafkreic63f2mrpqwnyyf5qg3othdawgpvw7mot2g2zlqp7ykcdneeatcia'
  expect(await failing(cid, {})).toMatchObject({ exitCode: 3 })
  expect((await failing(cid, { blocks: newFolder() })).message).toContain('not found')
})

test.each([
  ['not JSON', 'x', 'no JSON'],
  ['other JSON', '{}', 'no batch'],
])('error: a file that is %s', async (_name, text, message) => {
  const path = join(newFolder(), 'file')
  writeFileSync(path, text)
  expect(await failing(path, {})).toMatchObject({ exitCode: 1, message: expect.stringContaining(message) })
})

test('error: a damaged block', async () => {
  const blocks = newFolder()
  const cid = await (await createFileBlockStore({ directory: blocks })).put(compact)
  const block = readdirSync(blocks, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith('.data'))!
  writeFileSync(join(blocks, block), 'x')
  expect((await failing(cid, { blocks })).message).toContain('does not hash')
})

test('default: the command has a description of each option', () => {
  for (const option of verifyCommand().options) expect(option.description).not.toBe('')
})

describe('what is left unchecked', () => {
  const cid = 'bafkreic63f2mrpqwnyyf5qg3othdawgpvw7mot2g2zlqp7ykcdneeatcia'
  const lastOf = (text: string) => text.trimEnd().split('\n').at(-1)

  test.each<[string, readonly string[], readonly string[]]>([
    ['nothing is given', [], ['DOMAIN', 'OWNERS', 'CID', 'CHAIN']],
    ['the domain by name', ['--deployment', 'powerloom-premainnet'], ['OWNERS', 'CID', 'CHAIN']],
    ['all but a node', [...given, '--cid', cid], ['CHAIN']],
  ])('behavior: %s: it stands in the last line and in the exit code', async (_, args, codes) => {
    const { stdout, exitCode } = await runHere(['verify', published, ...args])
    expect(exitCode).toBe(4)
    expect(lastOf(stdout)).toMatch(/^No fault in what was checked\. Unchecked: .*\(--rpc\)\.$/)
    const strict = await runHere(['verify', published, ...args, '--strict'])
    expect(strict.exitCode).toBe(1)
    expect(lastOf(strict.stdout)).toMatch(/^NOT accepted \(--strict\)/)
    const report = JSON.parse((await runHere(['verify', published, ...args, '--json'])).stdout) as VerifyReport
    expect(report.unchecked.map(({ code }) => code)).toEqual(codes)
  })

  test('error: another CID, another market, a node of nobody, whose key is not told', async () => {
    const wrong = await runHere(['verify', published, ...given, '--cid', `${cid.slice(0, -1)}b`])
    expect(wrong).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('problem CID_MISMATCH') })
    const named = [...given, '--data-market', `0x${'a1'.repeat(20)}`]
    const away = await runHere(['verify', published, ...named, '--rpc', 'http://u:secret@127.0.0.1:2/'])
    expect(away).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining('http://…@127.0.0.1:2/ cannot be asked'),
    })
    expect(away.stderr).not.toContain('secret')
    expect(await runHere(['verify', published, '--rpc', 'http://127.0.0.1:2'])).toMatchObject({ exitCode: 2 })
  })

  test.each([
    [-32000, 'header not found'],
    [3, 'execution reverted'],
  ])('error: a node that refuses with %i shows nothing about the batch', async (code, message) => {
    const node = createServer(async (request, response) => {
      const { id, method } = JSON.parse(await text(request)) as { id: number; method: string }
      const answer = method === 'eth_chainId' ? { result: '0x2ba1' } : { error: { code, message } }
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }))
    })
    await new Promise<void>((listening) => node.listen(0, '127.0.0.1', listening))
    const rpc = `http://127.0.0.1:${(node.address() as AddressInfo).port}`
    const named = [...given, '--data-market', `0x${'a1'.repeat(20)}`]
    const { exitCode, stdout, stderr } = await runHere(['verify', published, ...named, '--rpc', rpc])
    node.close()
    expect([exitCode, stdout]).toEqual([3, ''])
    expect(stderr).toContain('cannot be asked: ')
    expect(stderr).not.toContain('NOT_ANCHORED')
  })
})

test('error: names in a batch rule no terminal and forge no line', async () => {
  const path = join(newFolder(), 'batch.json')
  const batch = JSON.parse(compact.toString()) as { pids: string[]; cids: string[]; roothash: string }
  writeFileSync(path, JSON.stringify({ ...batch, roothash: HOSTILE, pids: [HOSTILE, HOSTILE], cids: [HOSTILE] }))
  for (const args of [[], ['--json']]) {
    const { stdout, exitCode } = await runHere(['verify', path, ...args])
    expect(exitCode).toBe(1)
    expect(stdout).not.toMatch(OBEYED)
    expect(stdout).not.toMatch(/^FORGED/m)
  }
})
