/** A batch that the cost model lets through is one that the development chain takes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { id, type JsonRpcProvider } from 'ethers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { createDevSender, devProvider } from '../../../../ops/world/chain/dev-sender.ts'
import { type DevChain, startDevChain } from '../../../../ops/world/chain/devchain.ts'
import { MARKET_DEFAULTS } from '../../../../topology/rules.ts'
import { addCosts, costOfBatch, costOfProject } from '../../../../topology/shared/batch-cost.ts'

const directory = mkdtempSync(join(tmpdir(), 'batch-gas-'))
let chain: DevChain
let provider: JsonRpcProvider

beforeAll(async () => {
  chain = await startDevChain({
    directory,
    port: 0,
    blockTimeSeconds: 3_600,
    markets: 1,
    windows: { snapshot: 3, batch: 60, attestation: 120 },
    slots: [],
  })
  provider = devProvider(chain.rpcUrl, chain.chainId)
  const manager = createDevSender(chain.rpcUrl, chain.chainId, chain.accounts.epochManager.privateKey, { mine: true })
  for (const block of [1n, 2n]) await manager.send([{ ...call('releaseEpoch', [chain.markets[0], block, block]) }])
  manager.close()
})

afterAll(async () => {
  provider?.destroy()
  await chain?.close()
  rmSync(directory, { recursive: true, force: true })
})

const call = (name: string, args: readonly unknown[], gasLimit = 1_000_000) => ({
  to: chain.protocolState,
  data: protocolStateInterface.encodeFunctionData(name, args),
  gasLimit,
})
const submit = (epochId: number, ids: readonly string[], cid: string, gasLimit?: number) =>
  call(
    'submitSubmissionBatch',
    [chain.markets[0], `bafkrei${'a'.repeat(52)}`, epochId, ids, ids.map(() => cid), id('root')],
    gasLimit,
  )
const idsOf = (count: number, bytes: number, letter = 'x'): string[] =>
  Array.from({ length: count }, (_, n) =>
    `${n}`.padEnd(bytes - ((bytes - `${n}`.length) % Buffer.byteLength(letter)), '.'),
  ).map((text) => text.replace(/\.+$/, (dots) => letter.repeat(Math.floor(dots.length / Buffer.byteLength(letter)))))

test.each([
  [1, 1, 1],
  [1, 31, 32],
  [1, 110, 59],
  [1, 1_024, 256],
  [50, 110, 59],
  [50, MARKET_DEFAULTS.projectIdBytesMax, MARKET_DEFAULTS.snapshotCidBytesMax],
  [180, 5, 31],
])('behavior: %i projects with ids of %i bytes and CIDs of %i', async (count, bytes, cidBytes) => {
  const from = chain.accounts.sequencer.address
  for (const letter of ['x', '語']) {
    const ids = idsOf(count, bytes, letter)
    const { gas, calldata } = costOfBatch(
      ids.map((text) => costOfProject(Buffer.byteLength(text), cidBytes)).reduce(addCosts),
    )
    const { to, data } = submit(1, ids, 'c'.repeat(cidBytes))
    expect((data.length - 2) / 2).toBe(calldata)
    expect(Number(await provider.estimateGas({ from, to, data }))).toBeLessThanOrEqual(gas)
  }
})

test('behavior: a full batch of the longest legal texts is mined with the gas that a batch may take', async () => {
  const { projectIdBytesMax, snapshotCidBytesMax, batchGasMax } = MARKET_DEFAULTS
  const sequencer = createDevSender(chain.rpcUrl, chain.chainId, chain.accounts.sequencer.privateKey, { mine: true })
  const ids = idsOf(30, projectIdBytesMax)
  const cost = costOfBatch(Array(30).fill(costOfProject(projectIdBytesMax, snapshotCidBytesMax)).reduce(addCosts))
  expect(cost.gas).toBeLessThanOrEqual(batchGasMax)
  const transaction = submit(1, ids, 'c'.repeat(snapshotCidBytesMax), cost.gas)
  const [receipt] = await sequencer.send([transaction])
  sequencer.close()
  expect(receipt).toMatchObject({ status: 1 })
  const again = submit(2, ids, 'c'.repeat(snapshotCidBytesMax))
  const from = chain.accounts.sequencer.address
  const seen = Number(await provider.estimateGas({ from, to: again.to, data: again.data }))
  expect(seen).toBeLessThanOrEqual(cost.gas)
})
