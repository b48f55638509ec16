/**
 * The development chain of `sequencer dev`: anvil with DevProtocolState, its markets, roles, windows and slots. Started
 * again on the same directory it is the same chain; what the options ask for and the chain lacks is added.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getCreateAddress, type Interface, type JsonRpcProvider } from 'ethers'
import { classifyRpcFailure, EvmError } from '../../../connectors/evm/errors.ts'
import { type Anvil, type AnvilOptions, startAnvil } from './anvil.ts'
import { devProtocolState } from './contracts/dev-contract.ts'
import { DEV_ROLE_INDEX, type DevAccount, devAccount } from './dev-accounts.ts'
import { type DevDayPorts, type DevDays, dayChanges, SOURCE_BLOCK_TIME } from './dev-days.ts'
import { createDevSender, type DevSender, type DevTransaction, devProvider } from './dev-sender.ts'

type Node = Pick<Anvil, 'rpcUrl' | 'adopted' | 'close'>

export const DEV_CHAIN_ID = 31_337
const FUNDED_ACCOUNTS = 20
const IDLE_SECONDS = 120
const STATE_INTERVAL_SECONDS = 1
const VALIDATORS = 3
/** About 110 k gas each: a full chunk stays below what one transaction may cost on any hard fork (16.7 M). */
const SLOTS_PER_TRANSACTION = 100
/** About 2,500 gas each, of the gas of one block. */
const OWNERS_PER_CALL = 5_000
/** Transactions that one block holds: the set-up mines one block for each sending. */
const PER_BLOCK = 4
const DEPLOY_GAS = 8_000_000
const CALL_GAS = 1_000_000
const SLOT_GAS = 120_000

export interface DevSlot {
  readonly slotId: number
  readonly owner: string
}

/** In blocks from the block that released the epoch; snapshot < batch < attestation. */
export interface DevWindows {
  readonly snapshot: number
  readonly batch: number
  readonly attestation: number
}

export interface DevChainOptions {
  readonly directory: string
  /** A development node with anvil's accounts that runs already, instead of an anvil of our own. */
  readonly rpcUrl?: string | undefined
  /** 0 takes a free port. */
  readonly port: number
  readonly blockTimeSeconds: number
  /** Number of data markets to be made. */
  readonly markets: number
  readonly windows: DevWindows
  readonly slots: readonly DevSlot[]
  /** Source-chain blocks of an epoch, 1 to 255; of markets created now. */
  readonly epochSize?: number
  /** How many of the development accounts are validators (default 3). */
  readonly validators?: number
  /** Further sequencer addresses beside `accounts.sequencer`. */
  readonly sequencers?: readonly string[]
  readonly minAttestations?: number
  /** Days of all markets. */
  readonly days?: DevDays
  readonly idleSeconds?: number
  readonly stateIntervalSeconds?: number
  readonly statesKept?: number
  /** The chain is gone although nobody closed it; not told of a node given by `rpcUrl`. */
  readonly onEnded?: (error: EvmError) => void
}

export interface DevChain {
  readonly rpcUrl: string
  readonly chainId: number
  /** Lower case, as all addresses here. Plays the Nodes registry too. */
  readonly protocolState: string
  readonly markets: readonly string[]
  readonly accounts: {
    readonly owner: DevAccount
    readonly epochManager: DevAccount
    readonly sequencer: DevAccount
    readonly validators: readonly DevAccount[]
  }
  /** Block by which everything was set up for the first time: where a clock starts. */
  readonly startBlock: number
  /** The chain was still running when we came. */
  readonly adopted: boolean
  /** Ends the chain and keeps its state. */
  close(): Promise<void>
}

export async function startDevChain(options: DevChainOptions): Promise<DevChain> {
  const { rpcUrl } = options
  const node = rpcUrl === undefined ? await startAnvil(anvilOptions(options)) : await existingNode(rpcUrl, options)
  try {
    return await setUp(node, options)
  } catch (error) {
    await node.close()
    throw error
  }
}

/** A development node that runs already; it is left running. Throws EvmError `UNREACHABLE` or `WRONG_CHAIN`. */
async function existingNode(rpcUrl: string, { directory }: DevChainOptions): Promise<Node> {
  mkdirSync(directory, { recursive: true })
  const provider = devProvider(rpcUrl, DEV_CHAIN_ID)
  try {
    const chainId = Number(await provider.send('eth_chainId', []))
    if (chainId !== DEV_CHAIN_ID)
      throw new EvmError('WRONG_CHAIN', `${rpcUrl} serves chain ${chainId}, a development chain has id ${DEV_CHAIN_ID}`)
  } catch (error) {
    throw classifyRpcFailure(error, rpcUrl)
  } finally {
    provider.destroy()
  }
  return { rpcUrl, adopted: true, close: async () => {} }
}

/** Options of every anvil that runs a development chain. */
export const DEV_CHAIN_OPTIONS = {
  chainId: DEV_CHAIN_ID,
  fundedAccounts: FUNDED_ACCOUNTS,
  idleSeconds: IDLE_SECONDS,
  stateIntervalSeconds: STATE_INTERVAL_SECONDS,
} as const

const anvilOptions = (options: DevChainOptions): AnvilOptions => ({
  ...DEV_CHAIN_OPTIONS,
  directory: options.directory,
  port: options.port,
  blockTimeSeconds: options.blockTimeSeconds,
  ...(options.idleSeconds !== undefined && { idleSeconds: options.idleSeconds }),
  ...(options.stateIntervalSeconds !== undefined && { stateIntervalSeconds: options.stateIntervalSeconds }),
  ...(options.statesKept !== undefined && { statesKept: options.statesKept }),
  ...(options.onEnded && { onEnded: options.onEnded }),
})

async function setUp(node: Node, options: DevChainOptions): Promise<DevChain> {
  const accounts = rolesOf(options.validators ?? VALIDATORS)
  const owner = createDevSender(node.rpcUrl, DEV_CHAIN_ID, accounts.owner.privateKey, { mine: true })
  try {
    const file = join(options.directory, 'devchain.json')
    const record = readRecord(file)
    if (record && (await hashOf(owner.provider, record.startBlock)) !== record.startHash)
      throw chainLost(options.directory)
    const state = await deploy(owner)
    await ensureMarkets(state, options)
    if (options.days) await send(state, await dayChanges(state.markets, options.days, portsOf(state)))
    await ensureRoles(state, accounts, options)
    await ensureSlots(state, options.slots)
    const startBlock = record?.startBlock ?? (await owner.provider.getBlockNumber())
    if (!record)
      writeFileSync(file, JSON.stringify({ startBlock, startHash: await hashOf(owner.provider, startBlock) }))
    const { address: protocolState, markets } = state
    const { rpcUrl, adopted, close } = node
    return { rpcUrl, chainId: DEV_CHAIN_ID, protocolState, markets, accounts, startBlock, adopted, close }
  } finally {
    owner.close()
  }
}

const rolesOf = (validators: number): DevChain['accounts'] => ({
  owner: devAccount(DEV_ROLE_INDEX.owner),
  epochManager: devAccount(DEV_ROLE_INDEX.epochManager),
  sequencer: devAccount(DEV_ROLE_INDEX.sequencer),
  validators: Array.from({ length: validators }, (_, i) => devAccount(DEV_ROLE_INDEX.firstValidator + i)),
})

const chainLost = (directory: string): EvmError =>
  new EvmError(
    'CHAIN_LOST',
    `the development chain of ${directory} is gone (its state.json was removed or replaced), but the log beside it knows that chain`,
  )

/** The contract as the set-up sees it: `markets` is filled in by `ensureMarkets`. */
interface DevState {
  readonly owner: DevSender
  readonly address: string
  readonly contract: Interface
  readonly markets: string[]
}

/** The first transaction of the owner, whose account nobody else uses: so the address follows from the account. */
async function deploy(owner: DevSender): Promise<DevState> {
  const { interface: contract, bytecode } = devProtocolState()
  const address = getCreateAddress({ from: owner.address, nonce: 0 }).toLowerCase()
  if ((await owner.provider.getCode(address)) === '0x') await owner.send([{ data: bytecode, gasLimit: DEPLOY_GAS }])
  return { owner, address, contract, markets: [] }
}

async function ensureMarkets(state: DevState, { markets, epochSize = 1, windows }: DevChainOptions): Promise<void> {
  const present = Number(await read(state, 'dataMarketCount', []))
  const create = [state.owner.address, epochSize, 1, SOURCE_BLOCK_TIME, false]
  const missing = Math.max(0, markets - present)
  await send(
    state,
    Array.from({ length: missing }, () => call(state, 'createDataMarket', create)),
  )
  for (let id = 1; id <= markets; id++) {
    state.markets.push(String(await read(state, 'dataMarketIdToAddress', [id])).toLowerCase())
  }
  const wanted = [windows.snapshot, windows.batch, windows.attestation]
  const changes: DevTransaction[] = []
  for (const market of state.markets) {
    const names = ['snapshotSubmissionWindow', 'batchSubmissionWindow', 'attestationSubmissionWindow']
    const stated = await Promise.all(names.map((name) => read(state, name, [market])))
    if (stated.some((window, i) => Number(window) !== wanted[i])) {
      changes.push(call(state, 'devSetWindows', [market, ...wanted]))
    }
  }
  await send(state, changes)
}

const portsOf = (state: DevState): DevDayPorts => ({
  read: (name, args) => read(state, name, args),
  call: (name, args) => call(state, name, args),
})

async function ensureRoles(state: DevState, accounts: DevChain['accounts'], options: DevChainOptions): Promise<void> {
  const validators = accounts.validators.map(({ address }) => address)
  const sequencers = [accounts.sequencer.address, ...(options.sequencers ?? []).map((address) => address.toLowerCase())]
  const minAttestations = options.minAttestations ?? Math.min(2, validators.length)
  const changes: DevTransaction[] = []
  for (const market of state.markets) {
    const grants = [
      ...membership(state, market, 0, await members(state, 'getValidators', market), validators),
      ...membership(state, market, 1, await members(state, 'getSequencers', market), sequencers),
    ]
    if (grants.length === 0) continue
    changes.push(...grants)
    changes.push(call(state, 'updateEpochManager', [market, accounts.epochManager.address]))
    changes.push(call(state, 'updateMinAttestationsForConsensus', [market, minAttestations]))
  }
  await send(state, changes)
}

const members = async (state: DevState, name: string, market: string): Promise<string[]> =>
  ((await read(state, name, [market])) as string[]).map((address) => address.toLowerCase())

/** The change of one role's members from `present` to `wanted`, if any. */
function membership(
  state: DevState,
  market: string,
  role: number,
  present: readonly string[],
  wanted: readonly string[],
): DevTransaction[] {
  const added = wanted.filter((address) => !present.includes(address))
  const removed = present.filter((address) => !wanted.includes(address))
  if (added.length + removed.length === 0) return []
  const allowed = [...added.map(() => true), ...removed.map(() => false)]
  return [call(state, 'updateAddresses', [market, role, [...added, ...removed], allowed])]
}

/** Assigns the slots whose owner differs; slots that are no longer asked for stay as they are. */
async function ensureSlots(state: DevState, slots: readonly DevSlot[]): Promise<void> {
  const last = slots.reduce((max, { slotId }) => Math.max(max, slotId), 0)
  const owners: string[] = []
  for (let from = 1; from <= last; from += OWNERS_PER_CALL)
    owners.push(...((await read(state, 'devSlotOwners', [from, OWNERS_PER_CALL])) as string[]))
  const missing = slots.filter(({ slotId, owner }) => owners[slotId - 1]?.toLowerCase() !== owner.toLowerCase())
  const changes: DevTransaction[] = []
  for (let at = 0; at < missing.length; at += SLOTS_PER_TRANSACTION) {
    const chunk = missing.slice(at, at + SLOTS_PER_TRANSACTION)
    const args = [chunk.map(({ slotId }) => slotId), chunk.map(({ owner }) => owner)]
    const transaction = call(state, 'assignSnapshotterToNodeBulkAdmin', args)
    changes.push({ ...transaction, gasLimit: CALL_GAS + chunk.length * SLOT_GAS })
  }
  for (let at = 0; at < changes.length; at += PER_BLOCK) await send(state, changes.slice(at, at + PER_BLOCK))
}

const call = (state: DevState, name: string, args: readonly unknown[]): DevTransaction => ({
  to: state.address,
  data: state.contract.encodeFunctionData(name, args),
  gasLimit: CALL_GAS,
})

async function send(state: DevState, transactions: readonly DevTransaction[]): Promise<void> {
  if (transactions.length > 0) await state.owner.send(transactions)
}

async function read(state: DevState, name: string, args: readonly unknown[]): Promise<unknown> {
  const data = state.contract.encodeFunctionData(name, args)
  const answer = await state.owner.provider.call({ to: state.address, data })
  return state.contract.decodeFunctionResult(name, answer)[0]
}

async function hashOf(provider: JsonRpcProvider, block: number): Promise<string | undefined> {
  const found = (await provider.send('eth_getBlockByNumber', [`0x${block.toString(16)}`, false])) as {
    hash: string
  } | null
  return found?.hash
}

function readRecord(file: string): { readonly startBlock: number; readonly startHash: string } | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}
