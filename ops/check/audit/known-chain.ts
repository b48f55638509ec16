/** The known facts of the chain at a place of the log: enough to judge a submission there. */
import { knownTime } from '../../../schemas/none.ts'
import type { EpochTick } from '../../../schemas/types.ts'

/** Blocks above `headsKept` are let go once there are this many too many; a header that old is unknown. */
const SWEEP_BLOCKS = 256
/** Closed epochs that are remembered one by one; older ones count as closed by their number. */
const EPOCHS_KEPT = 1_024
/** The end of the year 9999: no time of a record is later. */
const TIME_MS_MAX = 253_402_300_799_999

export interface KnownBlock {
  readonly number: number
  readonly canonical: boolean
  /** Ms since 1970; undefined when nobody knows. */
  readonly time: number | undefined
}

export interface KnownEpoch {
  readonly dataMarket: string
  readonly epochId: number
  /** AWAITED: its release left the chain; it is to come again. */
  readonly state: 'OPEN' | 'AWAITED' | 'CLOSED'
  readonly releaseBlock: number
  /** Day of the contract; 0 when no tick says it. */
  readonly day: number
}

export class KnownChain {
  /** Number of the newest block. */
  head: number | undefined
  /** When that block was made, ms since 1970; undefined when no block that the log knows is left. */
  headTime: number | undefined
  /** ORPHAN ticks up to here. */
  forks = 0
  private readonly blocks = new Map<string, KnownBlock>()
  private blocksSeen = 0
  private readonly epochs = new Map<string, KnownEpoch>()
  private readonly forgotten = new Map<string, number>()
  private readonly newest = new Map<string, number>()
  private readonly first = new Map<string, number>()
  private readonly headsKept: number

  constructor(headsKept: number) {
    this.headsKept = headsKept
  }

  /** So many blocks came that the stage knows no other, also when the log begins somewhere. */
  get isFull(): boolean {
    return this.blocksSeen > this.headsKept + SWEEP_BLOCKS
  }

  block(hash: string): KnownBlock | undefined {
    return this.blocks.get(hash)
  }

  epoch(dataMarket: string, epochId: number): KnownEpoch | undefined {
    return this.epochs.get(`${dataMarket}/${epochId}`)
  }

  /** The newest epoch released (0: none), and the highest that is closed and forgotten. */
  market(dataMarket: string): { newest: number; forgotten: number } {
    return { newest: this.newest.get(dataMarket) ?? 0, forgotten: this.forgotten.get(dataMarket) ?? 0 }
  }

  /** True when the log, which begins somewhere, would hold the release of the epoch. */
  reachesBackTo(dataMarket: string, epochId: number): boolean {
    const first = this.first.get(dataMarket)
    return first !== undefined && (epochId === 0 || epochId >= first)
  }

  /** For a market that is served once more: epochs between were not followed. */
  beginAnew(dataMarket: string): void {
    this.newest.delete(dataMarket)
  }

  apply(tick: EpochTick): void {
    const { kind, dataMarket, epochId, releaseBlock, blockNumber, day } = tick
    // a tick that comes again has the count of when it was written
    this.forks = Math.max(this.forks, tick.forks)
    if (kind === 'HEAD') this.addBlock(tick)
    else if (kind === 'ORPHAN') this.dropFrom(blockNumber)
    else {
      this.epochs.set(`${dataMarket}/${epochId}`, {
        dataMarket,
        epochId,
        releaseBlock,
        day,
        state: kind === 'OPEN' ? 'OPEN' : 'CLOSED',
      })
      if (kind === 'OPEN' && !this.first.has(dataMarket)) this.first.set(dataMarket, epochId)
      const newest = this.newest.get(dataMarket)
      if (kind === 'OPEN' || newest === undefined) this.newest.set(dataMarket, Math.max(newest ?? 0, epochId))
      if (kind === 'CLOSE') this.forgetClosed(dataMarket)
    }
  }

  private addBlock({ blockNumber, blockHash, blockTimestamp }: EpochTick): void {
    this.blocksSeen++
    this.head = blockNumber
    const seconds = knownTime(blockTimestamp)
    this.headTime = seconds && Math.min(seconds * 1000, TIME_MS_MAX)
    this.blocks.set(blockHash, { number: blockNumber, canonical: true, time: this.headTime })
    // the stage keeps the head as one row more
    if (this.blocks.size + 1 <= this.headsKept + SWEEP_BLOCKS) return
    for (const [hash, { number }] of this.blocks) if (number <= blockNumber - this.headsKept) this.blocks.delete(hash)
  }

  private dropFrom(blockNumber: number): void {
    this.head = blockNumber - 1
    this.headTime = undefined
    for (const [hash, block] of this.blocks)
      if (block.number >= blockNumber) this.blocks.set(hash, { ...block, canonical: false })
      else if (block.canonical && block.time !== undefined)
        this.headTime = Math.max(this.headTime ?? block.time, block.time)
    for (const [key, epoch] of this.epochs)
      if (epoch.state === 'OPEN' && epoch.releaseBlock >= blockNumber)
        this.epochs.set(key, { ...epoch, state: 'AWAITED' })
    for (const dataMarket of this.newest.keys()) {
      const known = [...this.epochs.values()].filter(
        (epoch) => epoch.dataMarket === dataMarket && epoch.state !== 'AWAITED',
      )
      const { forgotten } = this.market(dataMarket)
      this.newest.set(dataMarket, Math.max(forgotten, ...known.map(({ epochId }) => epochId)))
    }
  }

  private forgetClosed(market: string): void {
    const closed = [...this.epochs.values()].filter(
      ({ dataMarket, state }) => dataMarket === market && state === 'CLOSED',
    )
    if (closed.length <= EPOCHS_KEPT) return
    const lowest = closed.map(({ epochId }) => epochId).reduce((a, b) => Math.min(a, b))
    this.epochs.delete(`${market}/${lowest}`)
    this.forgotten.set(market, Math.max(lowest, this.forgotten.get(market) ?? 0))
  }
}
