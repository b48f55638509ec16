import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { examineNode } from '../../../../ops/look/doctor/outside.ts'
import { type Anvil, startAnvil } from '../../../../ops/world/chain/anvil.ts'
import { DEV_CHAIN_OPTIONS } from '../../../../ops/world/chain/devchain.ts'

const BLOCK_GAS = 60_000_000
const directory = mkdtempSync(join(tmpdir(), 'doctor-node-'))
let anvil: Anvil
beforeAll(async () => {
  anvil = await startAnvil({ ...DEV_CHAIN_OPTIONS, directory, port: 0, blockTimeSeconds: 1 })
})
afterAll(async () => {
  await anvil?.close()
  rmSync(directory, { recursive: true, force: true })
})

test.each([
  [BLOCK_GAS, true],
  [BLOCK_GAS + 1, false],
])('behavior: batches of %i gas in blocks of 60 M: %s', async (batchGas, ok) => {
  const findings = await examineNode(anvil.rpcUrl, DEV_CHAIN_OPTIONS.chainId, batchGas)
  expect(findings.map(({ check }) => check)).toEqual(['chain', 'block time', 'gas'])
  expect(findings[2]).toMatchObject({ ok, detail: `a block has ${BLOCK_GAS} gas, a batch may take ${batchGas}` })
})
test('behavior: without rules nothing is said of gas', async () => {
  expect((await examineNode(anvil.rpcUrl, undefined)).map(({ ok }) => ok)).toEqual([true, true])
})
