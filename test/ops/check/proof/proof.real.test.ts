/** Proofs of a real run of `dev` against its own chain, one that forgot the transaction, and one that is another. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Proof, proofText, seal, type UnsealedProof } from '../../../../ops/reading/proof/format.ts'
import type { WhyAnswer } from '../../../../ops/reading/why.ts'
import { type Anvil, startAnvil } from '../../../../ops/world/chain/anvil.ts'
import { askOf, chainOfDev } from '../../dev-chain.ts'
import { MARKET } from '../../look/fixture.ts'
import { runHere } from '../../run-here.ts'
import { runSequencer, startSequencer } from '../../run-sequencer.ts'
import { EPOCH, signedEpoch } from './epoch.ts'

const [dataDir, elsewhere, abroad] = ['dev', 'other', 'foreign'].map((name) =>
  mkdtempSync(join(tmpdir(), `sequencer-proof-${name}-`)),
) as [string, string, string]
let node: Anvil
let other: Anvil
let foreign: Anvil

const ask = askOf(dataDir)

beforeAll(async () => {
  const ports = ['--listen-port', '0', '--ops-port', '0', '--chain-port', '0']
  const dev = startSequencer(['dev', '--data-dir', dataDir, '--json', ...ports])
  await dev.waitFor(({ event, epochId }) => event === 'anchored' && epochId === 2)
  dev.child.kill('SIGKILL') // the chain outlives it, and with it its receipts, which a restarted one has forgotten
  await dev.finished
  node = await startAnvil({ ...chainOfDev, directory: join(dataDir, 'chain') })
  expect(node.adopted).toBe(true)
  other = await startAnvil({ ...chainOfDev, directory: elsewhere })
  foreign = await startAnvil({ ...chainOfDev, chainId: 7869, directory: abroad })
}, 120_000)
afterAll(async () => {
  await Promise.all([node?.close(), other?.close(), foreign?.close()])
  for (const folder of [dataDir, elsewhere, abroad]) rmSync(folder, { recursive: true, force: true })
})

describe('proofs', () => {
  const file = join(dataDir, 'proof.json')
  const verify = (...args: string[]) => runHere(['proof', 'verify', file, ...args])
  const pin = () => ['--chain-id', '31337', '--protocol-state', proof.protocolState]
  let proof: Proof

  beforeAll(async () => {
    const verdicts = await ask<WhyAnswer>('why', '--slot', '3', '--epoch', '2')
    const counted = verdicts.items.find(({ verdict }) => verdict?.reason === 'COUNTED')!
    const get = ['proof', 'get', '--slot', '3', '--epoch', '2', '--project', counted.projectId, '--data-dir', dataDir]
    const run = await runSequencer([...get, '--out', file])
    expect(run.exitCode, run.stderr).toBe(0)
    expect(run.stdout).toBe(`the proof is in ${file}\n`)
    proof = JSON.parse(readFileSync(file, 'utf8')) as Proof
    expect(proof.submission.id).toBe(counted.submissionId)
  })
  const rewrite = (change: Partial<UnsealedProof>) => {
    const { checksum: _, ...rest } = proof
    writeFileSync(file, proofText(seal({ ...rest, ...change })))
  }
  afterEach(() => rewrite({}))

  test('default: one holds by itself, and the chain confirms it', async () => {
    const alone = await verify()
    expect(alone, alone.stderr).toMatchObject({ exitCode: 4, stdout: expect.stringMatching(/not shown .*anchored/) })
    const named = await verify('--rpc', node.rpcUrl)
    expect(named).toMatchObject({
      exitCode: 4,
      stdout: expect.stringMatching(/itself names\. Unchecked: whether that is the right one [^)]*\)\.\n$/),
    })
    const confirmed = await verify('--rpc', node.rpcUrl, ...pin())
    expect(confirmed, confirmed.stdout).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining(`transaction ${proof.anchor.transactionHash} is in block`),
    })
    expect(confirmed.stdout).not.toMatch(/not shown .*anchored/)
    expect(confirmed.stdout).toMatch(/The proof holds for the contract 0x[0-9a-f]{40} on chain 31337\.\n$/)
  })

  test('error: a byte was changed, in words', async () => {
    const bytes = readFileSync(file)
    bytes[200]! ^= 1
    writeFileSync(file, bytes)
    expect(await verify()).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('does NOT hold') })
  })

  test.each<[string, () => Partial<UnsealedProof>, () => string, RegExp]>([
    ['the node of a fork without the transaction', () => ({}), () => other.rpcUrl, /no transaction .*reorganised away/],
    [
      'the transaction moved to another block',
      () => ({ anchor: { ...proof.anchor, blockHash: `0x${'ab'.repeat(32)}` } }),
      () => node.rpcUrl,
      /is in block \d+ .*not in \d+ .*reorganised/,
    ],
    ['the node of another chain', () => ({}), () => foreign.rpcUrl, /not a node of chain 31337/],
  ])('error: %s', async (_name, change, url, words) => {
    rewrite(change())
    expect(await verify('--rpc', url(), ...pin())).toMatchObject({ exitCode: 1, stdout: expect.stringMatching(words) })
  })

  test('error: a batch of another market, sound by itself, that no transaction anchored', async () => {
    const epoch = await signedEpoch({ slots: 4, projects: 2 })
    const made = await epoch.proofs.get({ dataMarket: MARKET, epochId: EPOCH, slotId: 1 })
    const { checksum: _, ...rest } = made
    writeFileSync(file, proofText(seal({ ...rest, anchor: proof.anchor })))
    expect(await verify()).toMatchObject({ exitCode: 4 })
    expect(await verify(...pin())).toMatchObject({ exitCode: 1 })
    const own = ['--chain-id', String(made.chainId), '--protocol-state', made.protocolState]
    const onChain = await verify('--rpc', node.rpcUrl, ...own)
    expect(onChain).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(`does not anchor ${made.batch.cid}`) })
  })

  test('error: a node that does not answer, a slot that is in no batch', async () => {
    const key = '0123456789abcdef0123'
    const away = await verify('--rpc', `http://user:secret@127.0.0.1:1/v2/${key}?token=${key}`)
    expect(away).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('http://…@127.0.0.1:1/v2/…?…') })
    expect(away.stderr).not.toMatch(new RegExp(`secret|${key}`))
    const none = await runSequencer(['proof', 'get', '--slot', '9999', '--epoch', '2', '--data-dir', dataDir])
    expect(none).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('no batch of epoch 2') })
  })
})
