/** The chain of a run with a real clock, its nodes, which are late, behind, down, or lie, and the clock itself. */
import { startClock } from '../../connectors/evm/clock/clock.ts'
import type { ReleaseGap } from '../../connectors/evm/clock/release-check.ts'
import { EvmError } from '../../connectors/evm/errors.ts'
import type { Endpoint } from '../../connectors/evm/nodes/ask.ts'
import type { SimulatedClock } from '../../connectors/log/simulated/simulated-clock.ts'
import type { SimulatedLog } from '../../connectors/log/simulated/simulated-log.ts'
import type { Topics } from '../../topology/topics.ts'
import {
  type BlockContent,
  CHAIN_ID,
  PROTOCOL_STATE,
  RELEASE_TOPIC,
  type ScriptedBlock,
  ScriptedChain,
} from '../connectors/evm/scripted-chain.ts'
import { MARKET } from './chain-story.ts'
import { type ChainWords, liedAbout, type Moment } from './chain-words.ts'
import { burnedAt, type DayWords, SETTLED_BLOCKS } from './day-words.ts'
import type { ContractDays } from './pay-chain.ts'

const POLL_MS = 200
const BEHIND_MS = 700
/** A run has some blocks more than ten. */
const SECOND_LOOK_BLOCKS = 3

export interface TruePlay {
  readonly genesis: BlockContent
  readonly moments: readonly Moment[]
  readonly words: ChainWords
}

/** Outlives the processes, like the chain that it is. */
export class TrueChain {
  readonly chain: ScriptedChain
  /** The gaps that any clock has told of. */
  readonly gaps: ReleaseGap[] = []
  /** How often nodes were found to disagree, about blocks and slots and about receipts. */
  readonly disagreed = { blocks: 0, receipts: 0 }
  private readonly lie: ScriptedChain
  readonly words: ChainWords
  private readonly clock: SimulatedClock
  private readonly begun: number
  /** When each block came, by hash. */
  private readonly cameAt = new Map<unknown, number>()
  private isCalm = false
  private hasGoneBack = false

  constructor({ genesis, moments, words }: TruePlay, clock: SimulatedClock) {
    this.words = words
    this.clock = clock
    this.begun = clock.now()
    this.chain = new ScriptedChain(genesis)
    this.lie = new ScriptedChain(words.liar ? liedAbout(genesis, 0, words) : genesis)
    for (const moment of moments) clock.schedule(moment.atMs, 'blocks', () => this.move(moment))
  }

  /** Nodes are neither late nor behind any more. One that lies goes on lying. */
  calm(): void {
    this.isCalm = true
  }

  get agreement(): number {
    return this.words.agreement
  }

  /** The contract as the chain itself has it. */
  contractDays(words: DayWords): ContractDays {
    const { chain, clock, begun } = this
    const dayIn = ({ days }: ScriptedBlock): number => days.get(MARKET) ?? 1
    return {
      now: () => ({
        dayCounter: dayIn(chain.head),
        quota: chain.head.quotaNow,
        burned: burnedAt(words, clock.now() - begun),
      }),
      settledDay: () => dayIn(this.isCalm ? chain.head : (chain.blocks.at(-1 - SETTLED_BLOCKS) ?? chain.blocks[0]!)),
    }
  }

  receiptsDisagreed(): void {
    this.disagreed.receipts++
  }

  nodes(): Endpoint[] {
    return Array.from({ length: this.words.nodes }, (_, node) => this.node(node))
  }

  private move({ gone, blocks }: Moment): void {
    this.chain.reorg(gone)
    this.lie.reorg(gone)
    for (const content of blocks) {
      const block = this.chain.mine(content)
      this.cameAt.set(block.hash, this.clock.now())
      this.mineLie(content, block.number)
    }
  }

  private mineLie(content: BlockContent, number: number): void {
    const { liar } = this.words
    if (liar?.lie !== 'reorganisation' || number < liar.fromBlock || this.hasGoneBack) {
      this.lie.mine(liar ? liedAbout(content, number, this.words) : content)
      return
    }
    const again = this.lie.blocks.slice(-2)
    this.hasGoneBack = true
    this.lie.reorg(again.length)
    for (const { number, hash, ...before } of again)
      this.lie.mine(liedAbout({ ...before, hash }, liar.fromBlock, this.words))
    this.mineLie(content, number)
  }

  private node(node: number): Endpoint {
    const { liar, hasBloom } = this.words
    const chain = liar?.node === node ? this.lie : this.chain
    const right = chain.node(undefined, () => this.behind(node))
    return {
      close: () => undefined,
      ask: async (method, params) => {
        if (this.isDown()) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
        const answer = await right.ask(method, params)
        if (method === 'eth_getLogs') return this.shown(answer as { topics: string[] }[], params[0], node)
        const isBlock = method === 'eth_getBlockByNumber' || method === 'eth_getBlockByHash'
        return isBlock && answer !== null && !hasBloom ? { ...(answer as object), logsBloom: NO_BLOOM } : answer
      },
    }
  }

  private isDown(): boolean {
    const [from, to] = this.words.outage
    const at = this.clock.now() - this.begun
    return at >= from && at < to
  }

  private behind(node: number): number {
    const time = Math.floor((this.clock.now() - this.begun) / BEHIND_MS)
    return !this.isCalm && share(`behind ${node} ${time}`) < this.words.behindShare ? 1 : 0
  }

  /** Logs without the releases that come later. */
  private shown(logs: { topics: string[] }[], filter: unknown, node: number): unknown {
    const { lateShare, lateMsMax } = this.words
    const { blockHash } = filter as { blockHash: string }
    if (this.isCalm || share(`late ${node} ${blockHash}`) >= lateShare) return logs
    const shownAt = (this.cameAt.get(blockHash) ?? 0) + lateMsMax * share(`how late ${node} ${blockHash}`)
    return this.clock.now() >= shownAt ? logs : logs.filter(({ topics: [topic] }) => topic !== RELEASE_TOPIC)
  }
}

const NO_BLOOM = `0x${'0'.repeat(512)}`

/** Of 1, the same for the same text. */
function share(text: string): number {
  let mixed = 0x811c9dc5
  for (let at = 0; at < text.length; at++) mixed = Math.imul(mixed ^ text.charCodeAt(at), 0x01000193)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32
}

/** The role as it is, over these nodes. It ends when another one has taken over. */
export async function realClock(log: SimulatedLog, topics: Topics, appId: string, world: TrueChain): Promise<void> {
  const nodes = world.nodes()
  const clock = await startClock(
    {
      appId,
      topics,
      urls: nodes.map((_, node) => `${node}`),
      chainId: CHAIN_ID,
      protocolState: PROTOCOL_STATE,
      markets: [{ dataMarket: MARKET, windowUnit: 'blocks' }],
      startBlock: 1,
      depth: 0,
      pollMs: POLL_MS,
      backoffMsMax: 1_000,
      rangeBlocks: 4,
      stallMs: 3_000,
      secondLookBlocks: SECOND_LOOK_BLOCKS,
      agreement: world.agreement,
      observer: {
        releasesMissing: (gap) => gap && world.gaps.push(gap),
        disagreed: () => void world.disagreed.blocks++,
      },
    },
    { log, clock: log.clock, connect: (url) => nodes[Number(url)]! },
  )
  const error = await clock.stopped
  if (error && !(error instanceof EvmError && error.code === 'FENCED')) throw error
}
