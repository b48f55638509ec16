/**
 * Measures what `updateRewards` of Powerloom's protocol-contracts takes, and writes `test/vectors/payout-gas.json`, against
 * which the cost model is tested.
 *
 *   node --import ./ops/bin/shim.mjs --import tsx bench/payout-gas.ts <folder of the .sol files> <folder with @openzeppelin>
 *
 * Every slot has an owner and a snapshotter of its own, and was never paid before (`isAgain`: the day before): the dearest case.
 */
import { writeFileSync } from 'node:fs'
import { zeroPadValue } from 'ethers'
import { type Deployed, withDeployed } from './deployed-contracts.ts'

const QUOTA = 10
/** Slots per call. */
const SIZES = [1, 2, 10, 50, 120]
const DAYS = 2
const GAS_LIMIT = 29_000_000

const addressOf = (n: number): string => zeroPadValue(`0x${(0x1000_0000 + n).toString(16)}`, 20)

async function mint({ nodes, nodesAbi, call }: Deployed, count: number): Promise<void> {
  await call(nodesAbi, nodes, 'configureLegacyNodes', [count, 0, 0, 10, 1, 0, 0, 0])
  for (let slotId = 1; slotId <= count; slotId++) {
    await call(nodesAbi, nodes, 'adminMintLegacyNodes', [addressOf(slotId), 1, true])
    await call(nodesAbi, nodes, 'assignSnapshotterToNodeAdmin', [slotId, addressOf(100_000 + slotId)])
  }
}

async function measure(deployed: Deployed) {
  const { state, market, abi, wallet, call } = deployed
  const total = SIZES.reduce((sum, size) => sum + size, 0)
  await deployed.provider.send('evm_setAutomine', [true])
  await mint(deployed, total)
  await call(abi, state, 'updateDailySnapshotQuota', [market, QUOTA])
  await call(abi, state, 'updateRewardPoolSize', [market, 10n ** 24n])
  const rows: { purpose: string; isAgain: boolean; slots: number; gas: number; calldata: number }[] = []
  const reward = async (purpose: string, isAgain: boolean, day: number, counted: number, number: number) => {
    let from = 1
    for (const slots of SIZES) {
      const ids = Array.from({ length: slots }, (_, i) => from + i)
      const data = abi.encodeFunctionData('updateRewards', [market, ids, ids.map(() => counted), day, number])
      const sent = await wallet.sendTransaction({ to: state, data, gasLimit: GAS_LIMIT })
      const receipt = await sent.wait()
      if (receipt?.status !== 1) throw new Error(`updateRewards for ${slots} slots failed`)
      rows.push({ purpose, isAgain, slots, gas: Number(receipt.gasUsed), calldata: (data.length - 2) / 2 })
      from += slots
    }
  }
  for (let day = 1; day <= DAYS; day++) {
    await call(abi, state, 'loadCurrentDay', [market, day])
    await reward('COUNTS', day > 1, day, QUOTA, 0) // each with the event that it has reached the quota
    await call(abi, state, 'loadCurrentDay', [market, day + 10])
    await reward('CLOSING', day > 1, day + 10, QUOTA, total)
  }
  return rows
}

const [folder, libraries] = process.argv.slice(2)
if (!folder || !libraries) throw new Error('give the folder of the .sol files, and the one that holds @openzeppelin')
await withDeployed(folder, libraries, async (deployed) => {
  const lines = (await measure(deployed)).map((row) => `  ${JSON.stringify(row)}`).join(',\n')
  writeFileSync(new URL('../test/vectors/payout-gas.json', import.meta.url), `[\n${lines}\n]\n`)
})
