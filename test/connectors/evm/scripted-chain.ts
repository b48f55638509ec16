/** A chain in memory, with forks, and nodes of it that can be behind, cut off, or wrong. */
import { AbiCoder, getAddress, id, keccak256, zeroPadValue } from 'ethers'
import { nodesInterface, protocolStateInterface } from '../../../connectors/evm/contract/abi.ts'
import { ZERO_ADDRESS } from '../../../connectors/evm/contract/chain-reader.ts'
import type { Endpoint } from '../../../connectors/evm/nodes/ask.ts'
import { hex } from '../../hex.ts'

export const PROTOCOL_STATE = `0x${'aa'.repeat(20)}`
export const NODES = `0x${'bb'.repeat(20)}`
/** Another registry of slots, for `updateSnapshotterState`. */
export const OTHER_NODES = `0x${'b2'.repeat(20)}`
export const MARKET = `0x${'cc'.repeat(20)}`
export const OTHER_MARKET = `0x${'dd'.repeat(20)}`
const MARKETS = [MARKET, OTHER_MARKET]
/** The contract has no such market. */
export const FOREIGN_MARKET = `0x${'ee'.repeat(20)}`
export const CHAIN_ID = 11_169
const SECONDS_PER_BLOCK = 2
const GENESIS_TIMESTAMP = 1_700_000_000

export interface BlockContent {
  readonly releases?: readonly {
    readonly dataMarket: string
    readonly epochId: number
    /** Of source-chain blocks; as `epochRange` says by default. */
    readonly begin?: bigint
    readonly end?: bigint
  }[]
  /** `owner` undefined: burned. */
  readonly slots?: readonly { readonly slotId: number; readonly owner?: string }[]
  /** Changes a slot without an event. */
  readonly silently?: readonly { readonly slotId: number; readonly owner: string }[]
  /** The submission window of all markets from this block on. */
  readonly window?: number | bigint
  /** Whether the markets are switched on from this block on. */
  readonly enabled?: boolean
  /** Of all markets from this block on; a day begins with each epoch k > 1 for which k % epochsInADay is 1. */
  readonly epochsInADay?: number
  readonly quota?: number
  /** Sets the day counter of the markets here and of all with epochs, as an owner can (loadCurrentDay). */
  readonly day?: number
  readonly l1BlockNumber?: number
  readonly seconds?: number
  /** Its timestamp, seconds; by default so many after its parent's as `seconds` says. */
  readonly at?: number
  /** By default one of its own. */
  readonly hash?: string
  /** From this block on ProtocolState names another registry, which has these slots. */
  readonly registry?: { readonly address: string; readonly owners: ReadonlyMap<number, string> }
}

export interface ScriptedBlock extends BlockContent {
  readonly number: number
  readonly hash: string
  readonly parentHash: string
  readonly timestamp: number
  /** State after the block. */
  readonly owners: ReadonlyMap<number, string>
  readonly windowNow: number | bigint
  readonly nodesNow: string
  readonly enabledNow: boolean
  /** `market/epoch` → block and time of its newest release. */
  readonly released: ReadonlyMap<
    string,
    { readonly block: number; readonly timestamp: number; readonly end: number | bigint }
  >
  /** Market → newest epoch. */
  readonly counts: ReadonlyMap<string, number>
  readonly epochsInADayNow: number
  readonly quotaNow: number
  /** Market → day counter, where it is not 1. */
  readonly days: ReadonlyMap<string, number>
}

/** Returns an answer in place of the right one, throws, or returns undefined to let the right one through. */
export type Fault = (method: string, params: readonly unknown[]) => unknown

export class ScriptedChain {
  blocks: ScriptedBlock[] = []
  private forks = 0

  constructor(first: BlockContent = {}) {
    this.mine(first)
  }

  get head(): ScriptedBlock {
    return this.blocks.at(-1)!
  }

  mine(content: BlockContent = {}): ScriptedBlock {
    const parent = this.blocks.at(-1)
    const number = this.blocks.length
    const owners = new Map(content.registry?.owners ?? parent?.owners)
    for (const { slotId, owner } of [...(content.slots ?? []), ...(content.silently ?? [])]) {
      owners.set(slotId, owner ?? ZERO_ADDRESS)
    }
    const next = parent ? parent.timestamp + (content.seconds ?? SECONDS_PER_BLOCK) : GENESIS_TIMESTAMP
    const timestamp = content.at ?? next
    const released = new Map(parent?.released)
    const counts = new Map(parent?.counts)
    const epochsInADayNow = content.epochsInADay ?? parent?.epochsInADayNow ?? 720
    const days = new Map(parent?.days)
    const markets = [...MARKETS, ...counts.keys(), ...(content.releases ?? []).map(({ dataMarket }) => dataMarket)]
    if (content.day !== undefined) for (const market of markets) days.set(market, content.day)
    for (const { dataMarket, epochId, end = epochRange(epochId).end } of content.releases ?? []) {
      if (epochId > 1 && epochId % epochsInADayNow === 1) days.set(dataMarket, (days.get(dataMarket) ?? 1) + 1)
      released.set(`${dataMarket}/${BigInt(epochId)}`, { block: content.l1BlockNumber ?? number, timestamp, end })
      counts.set(dataMarket, epochId)
    }
    const block = {
      ...content,
      number,
      hash: content.hash ?? id(`block ${number} of fork ${this.forks}`),
      parentHash: parent?.hash ?? id('none'),
      timestamp,
      owners,
      windowNow: content.window ?? parent?.windowNow ?? 3,
      enabledNow: content.enabled ?? parent?.enabledNow ?? true,
      nodesNow: content.registry?.address ?? parent?.nodesNow ?? NODES,
      released,
      counts,
      epochsInADayNow,
      quotaNow: content.quota ?? parent?.quotaNow ?? 50,
      days,
    }
    this.blocks.push(block)
    return block
  }

  /** Drops the newest blocks; those mined from now on are other ones. */
  reorg(depth: number): void {
    this.blocks.length -= depth
    this.forks++
  }

  /** A node that may lag by `behind()` blocks and answer wrongly. */
  node(fault: Fault = () => undefined, behind: () => number = () => 0): Endpoint {
    return {
      ask: async (method, params) => {
        const answer = fault(method, params)
        return answer === undefined ? this.answer(method, params, this.blocks.length - 1 - behind()) : answer
      },
      close: () => undefined,
    }
  }

  private answer(method: string, params: readonly unknown[], head: number): unknown {
    const visible = this.blocks.slice(0, head + 1)
    switch (method) {
      case 'eth_chainId':
        return hex(CHAIN_ID)
      case 'eth_blockNumber':
        return hex(head)
      case 'eth_getBlockByNumber': {
        const block = visible[Number(params[0])]
        return block ? headerJson(block) : null
      }
      case 'eth_getBlockByHash': {
        const block = visible.find(({ hash }) => hash === params[0])
        return block ? headerJson(block) : null
      }
      case 'eth_getLogs': {
        const { blockHash } = params[0] as { blockHash: string }
        const block = visible.find(({ hash }) => hash === blockHash)
        if (!block) throw rpcError('unknown block')
        const { address } = params[0] as { address?: readonly string[] }
        return logsJson(block).filter((log) => !address || address.includes(log.address.toLowerCase()))
      }
      case 'eth_call':
        return call(params[0] as { to: string; data: string }, this.stateAt(params[1], visible))
      default:
        throw rpcError(`method ${method} not found`)
    }
  }

  private stateAt(at: unknown, visible: readonly ScriptedBlock[]): ScriptedBlock {
    if (at === 'latest') return visible.at(-1)!
    const block = visible.find(({ hash }) => hash === (at as { blockHash: string }).blockHash)
    if (!block) throw rpcError('header not found')
    return block
  }
}

export const rpcError = (message: string): Error =>
  Object.assign(new Error('could not coalesce error'), { error: { code: -32000, message } })

export const RELEASE_TOPIC = protocolStateInterface.getEvent('EpochReleased')!.topicHash
const coder = AbiCoder.defaultAbiCoder()

export const headerJson = (block: ScriptedBlock) => ({
  number: hex(block.number),
  hash: block.hash,
  parentHash: block.parentHash,
  timestamp: hex(block.timestamp),
  gasLimit: hex(30_000_000),
  logsBloom: `0x${(logsJson(block).length > 0 ? 'ff' : '00').repeat(256)}`,
  ...(block.l1BlockNumber !== undefined && { l1BlockNumber: hex(block.l1BlockNumber) }),
})

export const epochRange = (epochId: number): { begin: number; end: number } => ({
  begin: epochId * 10,
  end: epochId * 10 + 9,
})

function logsJson(block: ScriptedBlock) {
  const releases = (block.releases ?? []).map(({ dataMarket, epochId, ...given }) => {
    const { begin, end } = { ...epochRange(epochId), ...given }
    return {
      address: getAddress(PROTOCOL_STATE),
      topics: [
        RELEASE_TOPIC,
        zeroPadValue(dataMarket, 32),
        zeroPadValue(`0x${epochId.toString(16).padStart(4, '0')}`, 32),
      ],
      data: coder.encode(['uint256', 'uint256', 'uint256'], [begin, end, block.timestamp]),
    }
  })
  const slots = (block.slots ?? []).map(({ slotId, owner }) =>
    owner === undefined
      ? {
          address: block.nodesNow,
          topics: [nodesInterface.getEvent('NodeBurned')!.topicHash, zeroPadValue(MARKET, 32)],
          data: coder.encode(['uint256'], [BigInt(slotId)]),
        }
      : {
          address: block.nodesNow,
          topics: [nodesInterface.getEvent('SnapshotterAddressChanged')!.topicHash],
          data: coder.encode(['uint256', 'address', 'address'], [BigInt(slotId), owner, owner]),
        },
  )
  const place = {
    blockNumber: hex(block.number),
    blockHash: block.hash,
    transactionHash: id('transaction'),
    removed: false,
  }
  return [...releases, ...slots].map((log, i) => ({ ...log, ...place, logIndex: hex(i) }))
}

const SELECTOR_CHARACTERS = 10

function call({ to, data }: { to: string; data: string }, state: ScriptedBlock): string {
  const abi = to === PROTOCOL_STATE ? protocolStateInterface : nodesInterface
  const called = abi.getFunction(data.slice(0, SELECTOR_CHARACTERS))!
  const { name } = called
  const args = abi.decodeFunctionData(called, data)
  switch (name) {
    case 'snapshotterState':
      return abi.encodeFunctionResult(name, [state.nodesNow])
    case 'dataMarketEnabled':
      return abi.encodeFunctionResult(name, [state.enabledNow])
    case 'currentEpoch':
      return abi.encodeFunctionResult(name, [0, 0, BigInt(state.counts.get(String(args[0]).toLowerCase()) ?? 0)])
    case 'epochInfo': {
      const { block, timestamp, end } = state.released.get(`${String(args[0]).toLowerCase()}/${args[1]}`) ?? {
        block: 0,
        timestamp: 0,
        end: 0,
      }
      return abi.encodeFunctionResult(name, [timestamp, block, BigInt(end)])
    }
    case 'snapshotSubmissionWindow':
      if (String(args[0]).toLowerCase() === FOREIGN_MARKET) throw rpcError('execution reverted: unknown data market')
      return abi.encodeFunctionResult(name, [state.windowNow])
    case 'dayCounter':
      return abi.encodeFunctionResult(name, [state.days.get(String(args[0]).toLowerCase()) ?? 1])
    case 'epochsInADay':
      return abi.encodeFunctionResult(name, [state.epochsInADayNow])
    case 'dailySnapshotQuota':
      return abi.encodeFunctionResult(name, [state.quotaNow])
    case 'getTotalNodeCount':
      return abi.encodeFunctionResult(name, [Math.max(0, ...state.owners.keys())])
    case 'nodeInfo': {
      const owner = state.owners.get(Number(args[0])) ?? ZERO_ADDRESS
      const burned = owner === ZERO_ADDRESS ? 1 : 0
      return abi.encodeFunctionResult(name, [owner, 0, 0, 1, burned, 1, false, false, burned === 0, false])
    }
    default:
      throw rpcError(`no ${name}`)
  }
}

export const ownerAddress = (n: number): string => `0x${keccak256(`0x${n.toString(16).padStart(8, '0')}`).slice(-40)}`

export const release = (epochId: number, dataMarket = MARKET) => ({ releases: [{ dataMarket, epochId }] })

/** Blocks 0 to 12: epochs 1 (block 2), 2 (block 5) and one of a market that is not ours; slots in blocks 0, 4 and 8. */
export function exampleChain(): ScriptedChain {
  const chain = new ScriptedChain({
    slots: [
      { slotId: 1, owner: ownerAddress(1) },
      { slotId: 3, owner: ownerAddress(3) },
    ],
  })
  chain.mine()
  chain.mine(release(1))
  chain.mine(release(77, OTHER_MARKET))
  chain.mine({ slots: [{ slotId: 1, owner: ownerAddress(11) }] })
  chain.mine(release(2))
  chain.mine({ window: 5 })
  chain.mine()
  chain.mine({ slots: [{ slotId: 3 }, { slotId: 2, owner: ownerAddress(2) }] })
  for (let i = 0; i < 4; i++) chain.mine()
  return chain
}

/** Numbers below 2^15 from a seed (the generator of the C standard). */
export function pseudoRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 16) & 0x7fff
  }
}
