/** Typed, checked reads of the anchor chain. A malformed or contradictory answer is an EvmError, never a value. */
import { AbiCoder, dataSlice, keccak256 } from 'ethers'
import { nodesInterface, protocolStateInterface } from './abi.ts'
import { EvmError } from './errors.ts'
import type { Ask } from './rpc.ts'
import { hash, quantity } from './rpc-values.ts'
import type { BlockPoint } from './window.ts'

export interface BlockHeader extends BlockPoint {
  readonly number: number
  /** 0x and 64 lower-case hex digits. */
  readonly hash: string
  readonly parentHash: string
  readonly logsBloom: string
}

export interface ReleasedEpoch {
  /** Lower case. */
  readonly dataMarket: string
  readonly epochId: number
  readonly begin: number
  readonly end: number
}

/** Who holds a slot from a block on. */
export interface SlotChange {
  readonly slotId: number
  /** Lower case; the zero address when unassigned. */
  readonly owner: string
  readonly active: boolean
}

export interface BlockEvents {
  readonly releases: readonly ReleasedEpoch[]
  /** In log order. */
  readonly slotChanges: readonly SlotChange[]
}

export interface ContractAddresses {
  readonly protocolState: string
  /** The Nodes registry. */
  readonly nodes: string
}

/** Which state a call reads: that of a block by its hash (so never another fork's), or the newest. */
export type StateAt = { readonly blockHash: string } | 'latest'

export const ZERO_ADDRESS = `0x${'0'.repeat(40)}`
/** Times that an empty answer is asked for again when the block's bloom filter says that there may be a log. */
const EMPTY_ANSWERS_MAX = 3

const topicOf = { release: topic('EpochReleased'), ...slotTopics() }
const topics = Object.values(topicOf)

/** Solidity's `block.number` on most chains is the block's own; see window.ts. */
export type ContractBlockSource = 'number' | 'l1BlockNumber'

export const blockNumber = async (ask: Ask): Promise<number> =>
  quantity(await ask('eth_blockNumber', []), 'eth_blockNumber')

/** The canonical block of that number, or undefined when the node has none (yet). */
export async function headerAt(
  ask: Ask,
  number: number,
  source: ContractBlockSource,
): Promise<BlockHeader | undefined> {
  const raw = (await ask('eth_getBlockByNumber', [hex(number), false])) as Record<string, unknown> | null
  if (raw === null || raw === undefined) return undefined
  const header = {
    number: quantity(raw.number, 'block number'),
    hash: hash(raw.hash, 'block hash'),
    parentHash: hash(raw.parentHash, 'parent hash'),
    timestamp: quantity(raw.timestamp, 'block timestamp'),
    contractBlock: quantity(raw[source], source),
    logsBloom: String(raw.logsBloom ?? '0x'),
  }
  if (header.number !== number) throw malformed(`block ${number} was answered with block ${header.number}`)
  return header
}

/**
 * The events of one block. Asked for by block hash: a node that does not have that block says so, where for a range it
 * would answer with nothing, and an epoch would be skipped. An empty answer is checked against the block's bloom filter.
 */
export async function eventsOf(
  ask: Ask,
  block: Pick<BlockHeader, 'number' | 'hash' | 'logsBloom'>,
  { protocolState, nodes }: ContractAddresses,
): Promise<BlockEvents> {
  const filter = { blockHash: block.hash, address: [...new Set([protocolState, nodes])], topics: [topics] }
  let logs: readonly RawLog[] = []
  for (let asked = 0; asked < EMPTY_ANSWERS_MAX && logs.length === 0; asked++) {
    logs = (await ask('eth_getLogs', [filter])) as RawLog[]
    if (!Array.isArray(logs)) throw malformed('eth_getLogs was not answered with a list')
    if (!mayHold(block.logsBloom, protocolState, nodes)) break
  }
  const known = logs.filter(({ address, topics: [topic = ''] }) => {
    const from = topic === topicOf.release ? protocolState : nodes
    return address.toLowerCase() === from && (topics as string[]).includes(topic)
  })
  const ordered = known.toSorted((a, b) => quantity(a.logIndex, 'log index') - quantity(b.logIndex, 'log index'))
  for (const log of ordered) {
    const fits = log.blockHash.toLowerCase() === block.hash && log.removed !== true
    if (!fits)
      throw new EvmError('INCONSISTENT', `a log of block ${block.number} is of another fork`, { retriable: true })
  }
  return {
    releases: ordered.filter((log) => log.topics[0] === topicOf.release).map(releaseOf),
    slotChanges: ordered.filter((log) => log.topics[0] !== topicOf.release).map(slotChangeOf),
  }
}

interface RawLog {
  readonly address: string
  readonly topics: readonly string[]
  readonly data: string
  readonly blockHash: string
  readonly logIndex: string
  readonly removed?: boolean
}

function releaseOf({ topics: [, market, epochId], data }: RawLog): ReleasedEpoch {
  const [begin, end] = AbiCoder.defaultAbiCoder().decode(['uint256', 'uint256', 'uint256'], data)
  return {
    dataMarket: dataSlice(market!, 12).toLowerCase(),
    epochId: quantity(epochId, 'epochId'),
    begin: quantity(begin, 'epoch begin'),
    end: quantity(end, 'epoch end'),
  }
}

function slotChangeOf({ topics: [topic], data }: RawLog): SlotChange {
  if (topic !== topicOf.assigned)
    return { slotId: quantity(dataSlice(data, 0, 32), 'nodeId'), owner: ZERO_ADDRESS, active: false }
  const [slotId, , owner] = AbiCoder.defaultAbiCoder().decode(['uint256', 'address', 'address'], data)
  return { slotId: quantity(slotId, 'nodeId'), owner: String(owner).toLowerCase(), active: true }
}

export const submissionWindow = async (
  ask: Ask,
  protocolState: string,
  dataMarket: string,
  at: StateAt,
): Promise<number> =>
  quantity(await call(ask, protocolState, 'snapshotSubmissionWindow', [dataMarket], at), 'snapshotSubmissionWindow')

/** The newest epoch of a market; 0 when none was released. */
export async function currentEpochId(ask: Ask, protocolState: string, dataMarket: string): Promise<number> {
  const data = protocolStateInterface.encodeFunctionData('currentEpoch', [dataMarket])
  const answer = await ask('eth_call', [{ to: protocolState, data }, 'latest'])
  return quantity(decode(protocolStateInterface, 'currentEpoch', answer).epochId, 'currentEpoch')
}

/** The block that released an epoch; 0 when none did. */
export async function releaseBlockOf(
  ask: Ask,
  protocolState: string,
  dataMarket: string,
  epochId: number,
): Promise<number> {
  const data = protocolStateInterface.encodeFunctionData('epochInfo', [dataMarket, epochId])
  const answer = await ask('eth_call', [{ to: protocolState, data }, 'latest'])
  return quantity(decode(protocolStateInterface, 'epochInfo', answer).blocknumber, 'release block')
}

export const nodesAddress = async (ask: Ask, protocolState: string, at: StateAt): Promise<string> =>
  String(await call(ask, protocolState, 'snapshotterState', [], at)).toLowerCase()

/** The highest slot id. */
export const slotCount = async (ask: Ask, protocolState: string, at: StateAt): Promise<number> =>
  quantity(await call(ask, protocolState, 'getTotalNodeCount', [], at), 'getTotalNodeCount')

export async function slotAt(ask: Ask, nodes: string, slotId: number, at: StateAt): Promise<SlotChange> {
  const data = nodesInterface.encodeFunctionData('nodeInfo', [slotId])
  const info = decode(nodesInterface, 'nodeInfo', await ask('eth_call', [{ to: nodes, data }, at]))
  const owner = String(info.snapshotterAddress).toLowerCase()
  return { slotId, owner, active: info.active === true && info.burnedOn === 0n }
}

async function call(ask: Ask, to: string, name: string, args: readonly unknown[], at: StateAt): Promise<unknown> {
  const data = protocolStateInterface.encodeFunctionData(name, args)
  return decode(protocolStateInterface, name, await ask('eth_call', [{ to, data }, at]))[0]
}

function decode(abi: typeof nodesInterface, name: string, answer: unknown) {
  try {
    return abi.decodeFunctionResult(name, String(answer))
  } catch (cause) {
    const hint = answer === '0x' ? ': there is no such contract at this address and block' : ''
    throw new EvmError('RPC_ERROR', `${name} was answered with ${String(answer).slice(0, 80)}${hint}`, {
      retriable: true,
      cause,
    })
  }
}

/** False only when the bloom filter excludes every event we look for; true without a filter in the header. */
export function mayHold(logsBloom: string, protocolState: string, nodes: string): boolean {
  if (!/^0x[0-9a-f]{512}$/i.test(logsBloom)) return true
  const has = (item: string): boolean => bloomBits(item).every((bit) => isSet(logsBloom, bit))
  if (has(protocolState) && has(topicOf.release)) return true
  return has(nodes) && [topicOf.minted, topicOf.burned, topicOf.assigned].some(has)
}

/** Yellow paper, M3:2048: three 11-bit numbers from the first three pairs of bytes of the hash. */
function bloomBits(item: string): number[] {
  const digest = keccak256(item)
  return [0, 2, 4].map((at) => Number(dataSlice(digest, at, at + 2)) & 2047)
}

/** Bit 0 is the lowest of the last byte. */
const isSet = (bloom: string, bit: number): boolean =>
  ((Number.parseInt(bloom[bloom.length - 1 - (bit >> 2)]!, 16) >> (bit & 3)) & 1) === 1

function topic(name: string): string {
  return protocolStateInterface.getEvent(name)!.topicHash
}

function slotTopics() {
  const of = (name: string): string => nodesInterface.getEvent(name)!.topicHash
  return { minted: of('NodeMinted'), burned: of('NodeBurned'), assigned: of('SnapshotterAddressChanged') }
}

const hex = (number: number): string => `0x${number.toString(16)}`

const malformed = (message: string): EvmError => new EvmError('RPC_ERROR', message, { retriable: true })
