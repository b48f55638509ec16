/**
 * Measures what `submitSubmissionBatch` of Powerloom's protocol-contracts takes, over a grid of lengths and numbers of
 * projects, and writes `test/vectors/batch-gas.json`, against which the cost model is tested.
 *
 *   node --import ./ops/bin/shim.mjs --import tsx bench/batch-gas.ts <folder of the .sol files> <folder with @openzeppelin>
 *
 * With the optimizer: without it the contracts are larger than a chain takes. The projects are new to the contract, but for
 * the last row.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ContractFactory, Interface, type JsonRpcProvider, Wallet, ZeroHash } from 'ethers'
import { startAnvil } from '../ops/world/chain/anvil.ts'
import { devAccount } from '../ops/world/chain/dev-accounts.ts'
import { devProvider } from '../ops/world/chain/dev-sender.ts'

const CHAIN_ID = 31337
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

interface Compiled {
  readonly abi: object[]
  readonly evm: { readonly bytecode: { readonly object: string } }
}

function compile(folder: string, libraries: string): (name: string) => Compiled {
  const solc = createRequire(import.meta.url)('solc') as {
    compile(input: string, callbacks: { import(path: string): { contents: string } }): string
  }
  const read = (path: string): string => {
    const file = path.startsWith('@') ? join(libraries, path) : join(folder, path)
    return readFileSync(file, 'utf8').replace('pragma solidity 0.8.24;', 'pragma solidity ^0.8.24;')
  }
  const names = ['ProtocolState.sol', 'DataMarket.sol', 'DataMarketFactory.sol', 'SnapshotterState.sol']
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(names.map((name) => [name, { content: read(name) }])),
    settings: {
      evmVersion: 'paris',
      optimizer: { enabled: true, runs: 200 },
      outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
    },
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: (path) => ({ contents: read(path) }) })) as {
    errors?: { severity: string; formattedMessage: string }[]
    contracts: Record<string, Record<string, Compiled>>
  }
  const faults = (output.errors ?? []).filter(({ severity }) => severity === 'error')
  if (faults.length > 0) throw new Error(faults.map((fault) => fault.formattedMessage).join('\n'))
  const all = Object.assign({}, ...Object.values(output.contracts)) as Record<string, Compiled>
  return (name) => all[name]!
}

async function deploy(contract: (name: string) => Compiled, wallet: Wallet) {
  const create = async (name: string, ...args: unknown[]): Promise<string> => {
    const { abi, evm } = contract(name)
    const made = await new ContractFactory(abi as never, evm.bytecode.object, wallet).deploy(...args)
    await made.waitForDeployment()
    return made.getAddress()
  }
  const proxied = async (name: string, args: readonly unknown[]): Promise<string> => {
    const data = new Interface(contract(name).abi as never).encodeFunctionData('initialize', args)
    return create('ERC1967Proxy', await create(name), data)
  }
  const owner = wallet.address
  const nodes = await proxied('PowerloomNodes', [owner, 1n, 'nodes'])
  const state = await proxied('PowerloomProtocolState', [owner, nodes, await create('DataMarketFactory')])
  const abi = new Interface(contract('PowerloomProtocolState').abi as never)
  const call = async (name: string, args: readonly unknown[]): Promise<void> => {
    const sent = await wallet.sendTransaction({ to: state, data: abi.encodeFunctionData(name, args) })
    await sent.wait()
  }
  await call('createDataMarket', [owner, 1, 1, 120_000, false])
  const answer = await wallet.provider!.call({ to: state, data: abi.encodeFunctionData('dataMarketIdToAddress', [1]) })
  const market = abi.decodeFunctionResult('dataMarketIdToAddress', answer)[0] as string
  await call('updateAddresses', [market, 1, [owner], [true]])
  await call('updateEpochManager', [market, owner])
  await call('updateSnapshotSubmissionWindow', [market, 10])
  await call('updateBatchSubmissionWindow', [market, 5_000])
  for (const block of [1, 2]) await call('releaseEpoch', [market, block, block])
  const encode = (epochId: number, ids: readonly string[], cids: readonly string[]): string =>
    abi.encodeFunctionData('submitSubmissionBatch', [market, CID, epochId, ids, cids, ZeroHash.replace('00', 'ff')])
  return { state, encode }
}

const idOf = (bytes: number, n: number): string => `${n}`.padStart(bytes, 'x').slice(-bytes)
/** Distinct texts of so many bytes. */
const texts = (count: number, bytes: number): string[] =>
  Array.from({ length: count }, (_, n) => (bytes === 1 ? String.fromCodePoint(0x21 + n) : idOf(bytes, n)))

async function measure(contract: (name: string) => Compiled, provider: JsonRpcProvider, wallet: Wallet) {
  const { state, encode } = await deploy(contract, wallet)
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
const directory = mkdtempSync(join(tmpdir(), 'batch-gas-'))
const anvil = await startAnvil({
  directory,
  port: 0,
  chainId: CHAIN_ID,
  blockTimeSeconds: 1,
  fundedAccounts: 1,
  idleSeconds: 60,
  stateIntervalSeconds: 600,
})
const provider = devProvider(anvil.rpcUrl, CHAIN_ID)
try {
  const wallet = new Wallet(devAccount(0).privateKey, provider)
  const rows = await measure(compile(folder, libraries), provider, wallet)
  const lines = rows.map((row) => `  ${JSON.stringify(row)}`).join(',\n')
  writeFileSync(new URL('../test/vectors/batch-gas.json', import.meta.url), `[\n${lines}\n]\n`)
} finally {
  provider.destroy()
  await anvil.close()
  rmSync(directory, { recursive: true, force: true })
}
