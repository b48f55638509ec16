/**
 * Measures what `submitSubmissionBatch` of Powerloom's protocol-contracts takes, over a grid of lengths and numbers of
 * projects, and writes `test/vectors/batch-gas.json`, against which the cost model is tested.
 *
 *   node --import ./ops/bin/shim.mjs --import tsx bench/batch-gas.ts <folder of the .sol files> <folder with @openzeppelin>
 *
 * The projects are new to the contract, but for the last row.
 */
import { writeFileSync } from 'node:fs'
import { ZeroHash } from 'ethers'
import { type Deployed, withDeployed } from './deployed-contracts.ts'

const CID = `bafkrei${'a'.repeat(52)}`
const ID_BYTES = [1, 31, 32, 33, 64, 110, 256, 512, 1_024]
const CID_BYTES = [1, 31, 32, 59, 128, 256]
const SEVERAL = [
  [2, 110, 59],
  [10, 1, 1],
  [50, 110, 59],
  [50, 64, 59],
  [200, 1, 1],
  [100, 110, 59],
  [30, 256, 128],
  [20, 1_024, 256],
  [400, 1, 1],
] as const

const idOf = (bytes: number, n: number): string => `${n}`.padStart(bytes, 'x').slice(-bytes)
/** Distinct texts of so many bytes. */
const texts = (count: number, bytes: number): string[] =>
  Array.from({ length: count }, (_, n) => (bytes === 1 ? String.fromCodePoint(0x21 + n) : idOf(bytes, n)))

async function measure({ state, market, abi, provider, wallet }: Deployed) {
  const encode = (epochId: number, ids: readonly string[], cids: readonly string[]): string =>
    abi.encodeFunctionData('submitSubmissionBatch', [market, CID, epochId, ids, cids, ZeroHash.replace('00', 'ff')])
  const found: { isNew: boolean; idBytes: number[]; cidBytes: number[]; gas: number; calldata: number }[] = []
  const estimate = async (isNew: boolean, epochId: number, ids: string[], cids: string[]): Promise<void> => {
    const data = encode(epochId, ids, cids)
    const gas = Number(await provider.estimateGas({ from: wallet.address, to: state, data }))
    const bytesOf = (all: string[]) => all.map((text) => Buffer.byteLength(text))
    found.push({ isNew, idBytes: bytesOf(ids), cidBytes: bytesOf(cids), gas, calldata: (data.length - 2) / 2 })
  }
  for (const id of ID_BYTES) for (const cid of CID_BYTES) await estimate(true, 1, texts(1, id), texts(1, cid))
  for (const [count, id, cid] of SEVERAL) await estimate(true, 1, texts(count, id), texts(count, cid))
  const mixed = Array.from({ length: 40 }, (_, n) => [1 + ((n * 37) % 200), 1 + ((n * 23) % 128)] as const)
  await estimate(
    true,
    1,
    mixed.map(([id], n) => `${n}`.padEnd(id + 2, 'y')),
    mixed.map(([, cid]) => 'c'.repeat(cid)),
  )
  const seen = texts(50, 110)
  const anchored = await wallet.sendTransaction({
    to: state,
    data: encode(1, seen, texts(50, 59)),
    gasLimit: 30_000_000,
  })
  if ((await anchored.wait())?.status !== 1) throw new Error('the batch failed')
  await estimate(false, 2, seen, texts(50, 59))
  return found
}

const [folder, libraries] = process.argv.slice(2)
if (!folder || !libraries) throw new Error('give the folder of the .sol files, and the one that holds @openzeppelin')
await withDeployed(folder, libraries, async (deployed) => {
  const lines = (await measure(deployed)).map((row) => `  ${JSON.stringify(row)}`).join(',\n')
  writeFileSync(new URL('../test/vectors/batch-gas.json', import.meta.url), `[\n${lines}\n]\n`)
})
