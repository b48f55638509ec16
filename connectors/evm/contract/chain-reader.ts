/** Typed, checked reads of the anchor chain. A malformed or contradictory answer is an EvmError, never a value. */
import { AbiCoder, dataSlice, type Interface, keccak256, type Result } from 'ethers'
import { EvmError } from '../errors.ts'
import type { Ask } from '../nodes/ask.ts'
import { type Log, logsOfBlock } from '../nodes/log-answers.ts'
import { type BlockAnswer, blockAt, callResult, type StateOf } from '../nodes/node-answers.ts'
import { address, addressIn, badAnswer, bigQuantity, quantity } from '../nodes/rpc-values.ts'
import { nodesInterface, protocolStateInterface } from './abi.ts'
import type { BlockPoint } from './window.ts'

export interface BlockHeader extends BlockPoint, BlockAnswer {}

export interface ReleasedEpoch {
  /** Lower case. */
  readonly dataMarket: string
  readonly epochId: number
  readonly begin: number
  readonly end: number
  /** Set when a number of it is none that can be: then it opens no epoch, and that number is `EPOCH_MAX` + 1 here. */
  readonly absurd?: AbsurdRelease
}

export interface AbsurdRelease {
  /** The number that is wrong, with its value; or what the event carries, when it is none of its numbers. */
  readonly what: string
  /** 0x hex, 32 bytes. */
  readonly epochId: string
  /** The event itself cannot be read. */
  readonly isUnread: boolean
}

/** Largest id of an epoch, and largest block of the source chain in it: one more is still a number that records can hold. */
export const EPOCH_MAX = 2 ** 52

/** The owner of a slot from a block on. */
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
  /** An event of the registry cannot be read: which slots have changed only a reading of all tells. */
  readonly slotsUnread: boolean
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

/** The canonical block of that number, or undefined when the node has none (yet). */
export async function headerAt(
  ask: Ask,
  number: number,
  source: ContractBlockSource,
): Promise<BlockHeader | undefined> {
  const block = await blockAt(ask, number)
  return block && { ...block, contractBlock: contractBlockOf(block, source) }
}

/** A block as the contract counts it. */
export function contractBlockOf(block: BlockAnswer, source: ContractBlockSource): number {
  const counted = block[source]
  if (counted !== undefined) return counted
  throw badAnswer(`block ${block.number} has no ${source}, by which the contract is said to count`)
}

/** An empty answer is checked against the block's bloom filter, and asked for again where that speaks against it. */
async function logsByBloom(
  ask: Ask,
  block: Pick<BlockHeader, 'number' | 'hash' | 'logsBloom'>,
  { protocolState, nodes }: ContractAddresses,
): Promise<readonly Log[]> {
  const filter = { address: [...new Set([protocolState, nodes])], topics: [topics] }
  let logs: readonly Log[] = []
  for (let asked = 0; asked < EMPTY_ANSWERS_MAX && logs.length === 0; asked++) {
    logs = await logsOfBlock(ask, { ...filter, blockHash: block.hash, blockNumber: block.number })
    if (!mayHold(block.logsBloom, protocolState, nodes)) break
  }
  return logs
}

/**
 * The events of one block. The contract has releases of anybody's
 * markets too: of those nothing is looked at but whose they are.
 */
export async function eventsOf(
  ask: Ask,
  block: Pick<BlockHeader, 'number' | 'hash' | 'logsBloom'>,
  { protocolState, nodes }: ContractAddresses,
  isOurs: (dataMarket: string) => boolean,
): Promise<BlockEvents> {
  const logs = await logsByBloom(ask, block, { protocolState, nodes })
  // One of the two may have the other's events: they mean nothing there.
  const known = logs.filter(({ address, topics: [topic] }) =>
    topic === topicOf.release ? address === protocolState : address === nodes,
  )
  const releases = known
    .filter(({ topics: [topic, market] }) => topic === topicOf.release && isOurs(marketIn(market)))
    .map(releaseOf)
  const changes = known.filter((log) => log.topics[0] !== topicOf.release).map(slotChangeOf)
  const slotChanges = changes.flatMap((change) => change ?? [])
  return { releases, slotChanges, slotsUnread: changes.includes(undefined) }
}

const marketIn = (topic: string | undefined): string => addressIn(topic, 'the data market of an event')

function releaseOf({ topics: [, market, epochId], data }: Log): ReleasedEpoch {
  const words = decodeData(['uint256', 'uint256', 'uint256'], data)
  if (!words) return unreadRelease(marketIn(market), epochId, data)
  const [begin, end] = words
  const numbers = { epochId, begin, end }
  const read = Object.entries(numbers).map(
    ([name, value]) => [name, bigQuantity(value, `${name} of a release`)] as const,
  )
  const [epoch, first, last] = read.map(([, value]) => cut(value))
  const wrong = read.find(([, value]) => value > EPOCH_MAX)
  const absurd = wrong && { what: `${wrong[0]} is ${wrong[1]}`, epochId: epochId!, isUnread: false }
  return { dataMarket: marketIn(market), epochId: epoch!, begin: first!, end: last!, ...(absurd && { absurd }) }
}

/** An event of the same name in another form, as of a contract that was put behind the address. */
function unreadRelease(dataMarket: string, topic: string | undefined, data: string): ReleasedEpoch {
  const what = `its event carries ${data.slice(0, SHOWN_MAX)}, which is not begin, end and time`
  const epochId = cut(bigQuantity(topic, 'epochId of a release'))
  return { dataMarket, epochId, begin: 0, end: 0, absurd: { what, epochId: topic!, isUnread: true } }
}

const cut = (value: bigint): number => (value > EPOCH_MAX ? EPOCH_MAX + 1 : Number(value))

/** Nothing for a slot that no vote can name; undefined for an event that cannot be read. */
function slotChangeOf({ topics: [topic], data }: Log): SlotChange[] | undefined {
  const isAssigned = topic === topicOf.assigned
  const words = decodeData(isAssigned ? ['uint256', 'address', 'address'] : ['uint256'], data)
  if (!words) return undefined
  const [id, , to] = words
  if (bigQuantity(id, 'nodeId') > SLOT_MAX) return []
  const owner = isAssigned ? address(to, 'owner of a slot') : ZERO_ADDRESS
  return [{ slotId: quantity(id, 'nodeId'), owner, active: isAssigned }]
}

/** Id of a slot that a record can hold. */
const SLOT_MAX = BigInt(Number.MAX_SAFE_INTEGER)

/** Undefined when it is none of these. */
function decodeData(types: readonly string[], data: string): readonly unknown[] | undefined {
  try {
    return [...AbiCoder.defaultAbiCoder().decode(types, data)]
  } catch {
    return undefined
  }
}

/** The characters of an event that a message shows. */
const SHOWN_MAX = 80

/** In the market's unit; its owner may have set any number up to 2^256-1. */
export const submissionWindow = async (
  ask: Ask,
  protocolState: string,
  dataMarket: string,
  at: StateAt,
): Promise<bigint> =>
  bigQuantity(
    (await readResult(ask, protocolState, 'snapshotSubmissionWindow', [dataMarket], at))[0],
    'snapshotSubmissionWindow',
  )

/** Blocks or seconds, some weeks: with a longer one the log has let go of the first votes before the last may come. */
export const WINDOW_MAX = 2 ** 21

/** The newest epoch of a market; 0 when none was released, `EPOCH_MAX` + 1 when it has an id that cannot be. */
export async function currentEpochId(ask: Ask, protocolState: string, dataMarket: string): Promise<number> {
  const { epochId } = await readResult(ask, protocolState, 'currentEpoch', [dataMarket], 'latest')
  return cut(bigQuantity(epochId, 'currentEpoch'))
}

/** The block that released an epoch; 0 when none did. */
export async function releaseBlockOf(
  ask: Ask,
  protocolState: string,
  dataMarket: string,
  epochId: number,
): Promise<number> {
  const { blocknumber } = await readResult(ask, protocolState, 'epochInfo', [dataMarket, epochId], 'latest')
  return quantity(blocknumber, 'release block')
}

export const nodesAddress = async (ask: Ask, protocolState: string, at: StateAt): Promise<string> =>
  address((await readResult(ask, protocolState, 'snapshotterState', [], at))[0], 'snapshotterState')

/** The highest slot id. */
export const slotCount = async (ask: Ask, protocolState: string, at: StateAt): Promise<number> =>
  quantity((await readResult(ask, protocolState, 'getTotalNodeCount', [], at))[0], 'getTotalNodeCount')

export async function slotAt(ask: Ask, nodes: string, slotId: number, at: StateAt): Promise<SlotChange> {
  const info = await readResult(ask, nodes, 'nodeInfo', [slotId], at, nodesInterface)
  const owner = address(info.snapshotterAddress, 'owner of a slot')
  return { slotId, owner, active: info.active === true && info.burnedOn === 0n }
}

/** The answer to a read is none: empty where there is no contract, or one without such a function, or of another form. */
export class Unreadable extends EvmError {
  constructor(problem: string, cause?: unknown) {
    super('BAD_ANSWER', problem, { retriable: true, cause })
  }
}

/** Nothing at all came of a read. */
export class NoAnswer extends Unreadable {}

/**
 * Every read of a contract. Numbers of the result are still to be checked; of texts, each may throw when it is looked at.
 * @throws Unreadable, and what the node or the contract refuses it with
 */
export async function readResult(
  ask: Ask,
  to: string,
  name: string,
  args: readonly unknown[],
  at: StateOf,
  abi: Interface = protocolStateInterface,
): Promise<Result> {
  return decoded(abi, name, await callResult(ask, { to, data: abi.encodeFunctionData(name, args) }, at))
}

function decoded(abi: Interface, name: string, answer: string): Result {
  try {
    const result = abi.decodeFunctionResult(name, answer)
    for (const [i, { type }] of abi.getFunction(name)!.outputs.entries()) if (!type.startsWith('string')) void result[i]
    return result
  } catch (cause) {
    const said = `${name} was answered with ${answer.slice(0, 80)}`
    if (answer !== '0x') throw new Unreadable(said, cause)
    throw new NoAnswer(`${said}: there is no such contract at this address and block`, cause)
  }
}

/** False only when the bloom filter excludes every event we look for; true without a filter in the header. */
export function mayHold(logsBloom: string | undefined, protocolState: string, nodes: string): boolean {
  if (logsBloom === undefined) return true
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
