/** A run of `dev` with a real chain: look-ups while it runs, and afterwards the audit against the contract itself. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuditReport } from '../../../../ops/check/audit/report.ts'
import type { ReplayReport } from '../../../../ops/check/replay/command.ts'
import type { VerifyReport } from '../../../../ops/check/verify/report.ts'
import { readSettings } from '../../../../ops/ground/directory-settings.ts'
import type { EpochStatus } from '../../../../ops/reading/epoch.ts'
import type { WhyAnswer } from '../../../../ops/reading/why.ts'
import { type Anvil, startAnvil } from '../../../../ops/world/chain/anvil.ts'
import { askOf, chainOfDev } from '../../dev-chain.ts'
import { runSequencer, startSequencer } from '../../run-sequencer.ts'

const PUBLISHED = fileURLToPath(new URL('../../../vectors/published-batch.json', import.meta.url))
const dataDir = mkdtempSync(join(tmpdir(), 'sequencer-audit-'))
const elsewhere = mkdtempSync(join(tmpdir(), 'sequencer-other-chain-'))
let node: Anvil
let other: Anvil

const ask = askOf(dataDir)
const statusOf = async (epochId: string) => (await ask<{ items: EpochStatus[] }>('epoch', epochId)).items

beforeAll(async () => {
  const dev = startSequencer([
    'dev',
    '--data-dir',
    dataDir,
    '--json',
    '--listen-port',
    '0',
    '--ops-port',
    '0',
    '--chain-port',
    '0',
  ])
  await dev.waitFor(({ event, epochId }) => event === 'anchored' && epochId === 2)
  // the process holds the log: both ask it
  const [status] = await statusOf('1')
  expect(['ANCHORED', 'ATTESTED']).toContain(status!.phase)
  expect((await ask<WhyAnswer>('why', '--slot', '3', '--epoch', '1')).items.length).toBeGreaterThan(0)
  dev.child.kill('SIGINT')
  expect((await dev.finished).exitCode).toBe(0)
  node = await startAnvil({ ...chainOfDev, directory: join(dataDir, 'chain') })
  other = await startAnvil({ ...chainOfDev, directory: elsewhere })
}, 120_000)
afterAll(async () => {
  await Promise.all([node?.close(), other?.close()])
  for (const folder of [dataDir, elsewhere]) rmSync(folder, { recursive: true, force: true })
})

// before the audit, which ends the chain of the directory with itself
test('behavior: each anchored batch is sound by itself', async () => {
  const [status] = await statusOf('2')
  for (const { cid } of status!.batches)
    expect(await verified(cid, node)).toMatchObject({
      exitCode: 4, // nobody said whose the slots are
      report: { ok: true, cidV1: cid, unchecked: [{ code: 'OWNERS' }] },
    })
})

test('error: a batch that the contract does not keep, another market than is named, a node without the contract', async () => {
  const [status] = await statusOf('2')
  const nowhere = `0x${'a1'.repeat(20)}`
  for (const market of [status!.dataMarket, nowhere])
    expect(await verified(PUBLISHED, node, '--data-market', market)).toMatchObject({
      exitCode: 1,
      report: { problems: expect.arrayContaining([expect.objectContaining({ code: 'NOT_ANCHORED' })]) },
    })
  const { cid } = status!.batches[0]!
  expect(await verified(cid, node, '--data-market', nowhere)).toMatchObject({
    exitCode: 1,
    report: { problems: [{ code: 'MARKETS_DIFFER' }] },
  })
  expect(await verified(cid, other)).toMatchObject({ exitCode: 3 })
})

test('default: log and contract hold the same', async () => {
  const report = await ask<AuditReport>('audit', '--rpc', node.rpcUrl)
  expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0, mismatches: 0, differences: [] })
  expect(report.epochsOnChain).toBe(report.epochsAnchored)
  expect(report.epochsAnchored).toBeGreaterThanOrEqual(2)
})

async function verified(cid: string, { rpcUrl }: Anvil, ...more: readonly string[]) {
  const { chainId, protocolState } = readSettings(dataDir)!.chain
  const pin = ['--chain-id', String(chainId), '--protocol-state', protocolState, '--rpc', rpcUrl]
  const run = await runSequencer(['verify', cid, '--data-dir', dataDir, '--json', ...pin, ...more])
  return {
    exitCode: run.exitCode,
    stderr: run.stderr,
    report: run.stdout === '' ? undefined : (JSON.parse(run.stdout) as VerifyReport),
  }
}

test('error: a node that is another chain, or none', async () => {
  for (const [url, words] of [
    [other.rpcUrl, 'none of the blocks'],
    ['http://127.0.0.1:1', 'cannot be asked'],
  ] as const) {
    const run = await runSequencer(['audit', '--data-dir', dataDir, '--rpc', url])
    expect(run).toMatchObject({ exitCode: 3, stderr: expect.stringContaining(words) })
  }
})

test('default: an epoch is replayed alike, and the contract has the same', async () => {
  const report = await ask<ReplayReport>('replay', '--epoch', '2')
  expect(report).toMatchObject({ epochId: 2, identical: true, chain: true, differences: [] })
  expect(report.verdicts).toBe(report.submissions)
  expect(report.batches).toBeGreaterThan(0)
  const late = await runSequencer(['replay', '--epoch', '9999', '--data-dir', dataDir])
  expect(late).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('no release of epoch 9999') })
})
