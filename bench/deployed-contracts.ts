/** Powerloom's protocol-contracts on a chain of ours, for measurements. Their sources are not in this repository. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ContractFactory, Interface, type JsonRpcProvider, type TransactionReceipt, Wallet } from 'ethers'
import { startAnvil } from '../ops/world/chain/anvil.ts'
import { devAccount } from '../ops/world/chain/dev-accounts.ts'
import { devProvider } from '../ops/world/chain/dev-sender.ts'

const CHAIN_ID = 31337
/** An estimate is too low where a second later another word is written. */
const CALL_GAS = 10_000_000

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

export interface Deployed {
  readonly state: string
  readonly nodes: string
  readonly market: string
  readonly provider: JsonRpcProvider
  readonly wallet: Wallet
  readonly abi: Interface
  readonly nodesAbi: Interface
  /** Calls as the owner, who is the market's sequencer and epoch manager too; mined. */
  readonly call: (abi: Interface, to: string, name: string, args: readonly unknown[]) => Promise<TransactionReceipt>
}

/**
 * With the optimizer: without it the contracts are larger than a chain takes.
 * @param folder folder of the .sol files
 * @param libraries folder with @openzeppelin
 */
export async function withDeployed(
  folder: string,
  libraries: string,
  measure: (deployed: Deployed) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'deployed-'))
  const anvil = await startAnvil({
    directory,
    port: 0,
    chainId: CHAIN_ID,
    blockTimeSeconds: 1,
    fundedAccounts: 1,
    idleSeconds: 600,
    stateIntervalSeconds: 600,
  })
  const provider = devProvider(anvil.rpcUrl, CHAIN_ID)
  try {
    const wallet = new Wallet(devAccount(0).privateKey, provider)
    await measure(await deploy(compile(folder, libraries), provider, wallet))
  } finally {
    provider.destroy()
    await anvil.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function deploy(
  contract: (name: string) => Compiled,
  provider: JsonRpcProvider,
  wallet: Wallet,
): Promise<Deployed> {
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
  const nodes = await proxied('PowerloomNodes', [owner, 1_000_000n, 'nodes'])
  const state = await proxied('PowerloomProtocolState', [owner, nodes, await create('DataMarketFactory')])
  const abi = new Interface(contract('PowerloomProtocolState').abi as never)
  const nodesAbi = new Interface(contract('PowerloomNodes').abi as never)
  const call: Deployed['call'] = async (of, to, name, args) => {
    const sent = await wallet.sendTransaction({ to, data: of.encodeFunctionData(name, args), gasLimit: CALL_GAS })
    return (await sent.wait())!
  }
  await call(abi, state, 'createDataMarket', [owner, 1, 1, 120_000, false])
  const answer = await provider.call({ to: state, data: abi.encodeFunctionData('dataMarketIdToAddress', [1]) })
  const market = abi.decodeFunctionResult('dataMarketIdToAddress', answer)[0] as string
  await call(abi, state, 'updateAddresses', [market, 1, [owner], [true]])
  await call(abi, state, 'updateEpochManager', [market, owner])
  await call(abi, state, 'updateSnapshotSubmissionWindow', [market, 10])
  await call(abi, state, 'updateBatchSubmissionWindow', [market, 5_000])
  for (const block of [1, 2]) await call(abi, state, 'releaseEpoch', [market, block, block])
  return { state, nodes, market, provider, wallet, abi, nodesAbi, call }
}
