/** A run of `dev` with a real chain: look-ups while it runs, and afterwards the audit against the contract itself. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Anvil, startAnvil } from '../../../connectors/evm/anvil.ts'
import type { AuditReport } from '../../../ops/audit/report.ts'
import type { EpochStatus } from '../../../ops/lookup/epoch.ts'
import type { WhyAnswer } from '../../../ops/lookup/why.ts'
import type { ReplayReport } from '../../../ops/replay/command.ts'
import type { VerifyReport } from '../../../ops/verify/report.ts'
import { askOf, chainOfDev } from '../dev-chain.ts'
import { runSequencer, startSequencer } from '../run-sequencer.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'sequencer-audit-'))
const elsewhere = mkdtempSync(join(tmpdir(), 'sequencer-other-chain-'))
let node: Anvil
let other: Anvil

const ask = askOf(dataDir)

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
  const [status] = await ask<EpochStatus[]>('epoch', '1')
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

test('default: log and contract hold the same', async () => {
  const report = await ask<AuditReport>('audit', '--rpc', node.rpcUrl)
  expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0, mismatches: 0, differences: [] })
  expect(report.epochsOnChain).toBe(report.epochsAnchored)
  expect(report.epochsAnchored).toBeGreaterThanOrEqual(2)
})

test('behavior: each anchored batch is sound by itself', async () => {
  const [status] = await ask<EpochStatus[]>('epoch', '2')
  for (const { cid } of status!.batches)
    expect(await ask<VerifyReport>('verify', cid)).toMatchObject({ ok: true, cidV1: cid })
})

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
