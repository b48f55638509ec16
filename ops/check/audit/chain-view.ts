/** The anchor chain and its epochs as the markers in `submissions` tell them, and what is missing between them. */
import { isNone } from '../../../schemas/none.ts'
import type { EpochTick, RefusedEpoch } from '../../../schemas/types.ts'
import type { Findings } from './report.ts'
import type { ServedMarkets } from './served-markets.ts'
import type { WholeEpochs } from './whole-epochs.ts'

export interface Head {
  readonly number: number
  readonly hash: string
  /** Seconds. */
  readonly timestamp: number
  /** Number of the block as the contract counts blocks; undefined where the log does not tell. */
  readonly contractBlock: number | undefined
}

export interface EpochView {
  readonly dataMarket: string
  readonly epochId: number
  readonly releaseBlock: number
  readonly releaseTimestamp: number
  /** Empty when the log begins behind that block. */
  readonly releaseHash: string
  /** As in Head. */
  readonly releaseContractBlock: number | undefined
  /** Block with which it opened: that of its release, or a later one when the clock found the release late. */
  readonly openBlock: number
  /** Epochs right before it that the market's owner skipped. */
  readonly passedOver: number
  readonly window: number
  /** As of its release; 0 when it is in none. */
  readonly day: number
  readonly dailyQuota: number
  close: EpochTick | undefined
  /** The outcome of each batch and of the ending call is known; not before the close. */
  isDecided?: boolean
}

export interface ChainViewOptions {
  /** Headers that a CLOSE names, at most. */
  readonly headsKept: number
  /** The contract counts the blocks of this chain: also when an older clock did not say so. */
  readonly countsOwnBlocks: boolean
}

export class ChainView {
  /** Canonical blocks in order. */
  readonly heads: Head[] = []
  readonly epochs = new Map<string, EpochView>()
  /** Epochs without a release in the log, before one with. */
  readonly gaps: { dataMarket: string; before: number; from: number; to: number }[] = []
  /** Releases of the chain as it is that opened no epoch, in order. */
  refused: RefusedEpoch[] = []
  private readonly unclosed = new Map<string, EpochView>()
  /** Highest epoch released per market. */
  readonly newest = new Map<string, number>()
  /** Epochs released and closed so far, over all markets. */
  released = 0
  closed = 0
  /** Epochs that the owners of their markets skipped: the contract never released them. */
  passedOver = 0
  /** Closed epochs whose windows the log cannot measure: an older clock did not say how the contract counts blocks. */
  windowsUnchecked = 0
  private readonly markets: ServedMarkets
  /** Epochs whose release has left the chain. */
  private readonly awaited = new Set<string>()
  private readonly findings: Findings
  private readonly whole: WholeEpochs

  private readonly options: ChainViewOptions

  constructor(markets: ServedMarkets, findings: Findings, whole: WholeEpochs, options: ChainViewOptions) {
    this.options = options
    this.markets = markets
    this.findings = findings
    this.whole = whole
  }

  get head(): Head | undefined {
    return this.heads.at(-1)
  }

  epoch(dataMarket: string, epochId: number): EpochView | undefined {
    return this.epochs.get(`${dataMarket}/${epochId}`)
  }

  apply(tick: EpochTick): void {
    if (tick.kind === 'HEAD') this.addHead(tick)
    else if (tick.kind === 'ORPHAN') this.dropHeads(tick.blockNumber)
    else if (tick.kind === 'OPEN') this.open(tick)
    else this.close(tick)
  }

  private addHead(tick: EpochTick): void {
    if (this.head) this.compareWithParent(tick, this.head)
    const head = {
      number: tick.blockNumber,
      hash: tick.blockHash,
      timestamp: tick.blockTimestamp,
      contractBlock: this.contractBlockOf(tick),
    }
    this.heads.push(head)
    for (const one of tick.refused) this.refused.push(one)
    for (const { dataMarket, served } of tick.markets)
      if (served && this.markets.isServed(dataMarket) === false) this.newest.delete(dataMarket)
    this.checkClosed(head)
  }

  private compareWithParent({ blockNumber, parentHash }: EpochTick, { number, hash }: Head): void {
    const where = `block ${blockNumber}`
    if (blockNumber > number + 1)
      this.findings.add('skipped', where, `blocks ${number + 1} to ${blockNumber - 1} are missing`)
    else if (blockNumber <= number)
      this.findings.add('mismatches', where, `it comes after block ${number} without an ORPHAN`)
    else if (parentHash !== hash)
      this.findings.add('mismatches', where, `its parent ${parentHash} is not block ${number}, ${hash}`)
  }

  private contractBlockOf({ contractBlock, blockNumber }: EpochTick): number | undefined {
    if (!isNone(contractBlock)) return contractBlock
    return this.options.countsOwnBlocks ? blockNumber : undefined
  }

  private dropHeads(from: number): void {
    while (this.head && this.head.number >= from) this.heads.pop()
    this.refused = this.refused.filter(({ block }) => block < from)
    for (const [key, epoch] of this.unclosed) {
      if (epoch.releaseBlock < from) continue
      this.unclosed.delete(key)
      this.epochs.delete(key)
      this.awaited.add(key)
      this.released--
      this.passedOver -= epoch.passedOver
      const before = this.newest.get(epoch.dataMarket)!
      const newest = epoch.epochId - 1 - epoch.passedOver
      if (before > newest) this.newest.set(epoch.dataMarket, newest)
    }
  }

  private open(tick: EpochTick): void {
    const { dataMarket, epochId, releaseBlock, submissionWindow: window, day, dailyQuota } = tick
    const before = this.newest.get(dataMarket)
    const where = `epoch ${epochId} of ${dataMarket}`
    const key = `${dataMarket}/${epochId}`
    if (this.markets.isServed(dataMarket) === false && !this.awaited.delete(key))
      this.findings.add('mismatches', where, 'it was opened, though the market is not served')
    // The first epochs of the log may follow some that came before it.
    const skippedTo = tick.skippedFrom > 0 ? tick.skippedFrom : epochId
    if (before !== undefined && skippedTo > before + 1)
      this.gaps.push({ dataMarket, before: epochId, from: before + 1, to: skippedTo - 1 })
    if (this.epoch(dataMarket, epochId)) {
      this.findings.add('duplicated', where, 'it was released before')
      return
    }
    this.newest.set(dataMarket, Math.max(before ?? epochId, epochId))
    const release = this.headsFrom(releaseBlock)[0]
    const epoch: EpochView = {
      dataMarket,
      epochId,
      releaseBlock,
      releaseTimestamp: release?.timestamp ?? tick.blockTimestamp,
      releaseHash: release?.number === releaseBlock ? release.hash : '',
      releaseContractBlock: release ? release.contractBlock : this.contractBlockOf(tick),
      openBlock: tick.blockNumber,
      passedOver: epochId - skippedTo,
      window,
      day,
      dailyQuota,
      close: undefined,
    }
    this.epochs.set(key, epoch)
    this.unclosed.set(key, epoch)
    this.released++
    this.passedOver += epoch.passedOver
  }

  private close(tick: EpochTick): void {
    const { dataMarket, epochId, blockNumber } = tick
    const epoch = this.epoch(dataMarket, epochId)
    const where = `epoch ${epochId} of ${dataMarket}`
    if (!epoch) {
      if (!this.whole.isCut)
        this.findings.add('mismatches', where, `closed by block ${blockNumber}, though it was not open`)
      return
    }
    if (epoch.close) {
      this.findings.add('duplicated', where, `it was closed before, by block ${epoch.close.blockNumber}`)
      return
    }
    epoch.close = tick
    this.unclosed.delete(`${dataMarket}/${epochId}`)
    this.closed++
    // blocks of another may have expired
    if (this.whole.has(dataMarket, epochId)) this.compareWindow(where, epoch, tick)
  }

  private compareWindow(where: string, epoch: EpochView, { blockNumber, acceptedHeaders }: EpochTick): void {
    const canonical = this.headsFrom(epoch.releaseBlock).filter(({ number }) => number <= blockNumber)
    const first = canonical.find((head) => this.isPast(epoch, head))
    if (this.isMeasured(epoch, canonical)) this.findings.same(where, 'closing block', first?.number, blockNumber)
    else if (!closesByOwnNumbers(epoch, blockNumber)) this.windowsUnchecked++
    const accepted = canonical.slice(-this.options.headsKept).map(({ hash }) => hash)
    this.findings.same(where, 'accepted headers', accepted.join(), acceptedHeaders.join())
  }

  /** True when another block has the place of the epoch's release block by now, in the chain as the log has it so far. */
  hasLostRelease({ releaseBlock, releaseHash }: EpochView): boolean {
    if (releaseHash === '') return false
    let [low, high] = [0, this.heads.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.heads[middle]!.number < releaseBlock) low = middle + 1
      else high = middle
    }
    return this.heads[low]?.hash !== releaseHash
  }

  /** Blocks in order, a number may be missing between them. */
  private headsFrom(number: number): readonly Head[] {
    let at = this.heads.length
    while (at > 0 && this.heads[at - 1]!.number >= number) at--
    return this.heads.slice(at)
  }

  private isInBlocks({ dataMarket }: EpochView): boolean {
    return this.markets.rulesOf(dataMarket).windowUnit === 'blocks'
  }

  /** Whether the log tells where these blocks lie in the window of an epoch. */
  private isMeasured(epoch: EpochView, heads: readonly Head[]): boolean {
    if (!this.isInBlocks(epoch)) return true
    return epoch.releaseContractBlock !== undefined && heads.every(({ contractBlock }) => contractBlock !== undefined)
  }

  /** Whether the window of an epoch is over at this block; false where the log does not tell. */
  private isPast(epoch: EpochView, { number, contractBlock, timestamp }: Head): boolean {
    const { releaseContractBlock, releaseTimestamp, openBlock, window } = epoch
    if (number <= openBlock) return false
    if (!this.isInBlocks(epoch)) return timestamp > releaseTimestamp + window
    if (contractBlock === undefined || releaseContractBlock === undefined) return false
    return contractBlock > releaseContractBlock + window
  }

  /** An epoch must be closed by the first block past its window: by the next block at the latest it was. */
  private checkClosed(head: Head): void {
    const before = this.heads.at(-2)
    if (!before) return
    for (const [key, epoch] of this.unclosed) {
      if (!this.isPast(epoch, before)) continue
      const where = `epoch ${epoch.epochId} of ${epoch.dataMarket}`
      this.findings.add('skipped', where, `not closed by block ${before.number}, though block ${head.number} follows`)
      this.unclosed.delete(key)
      this.epochs.delete(key)
    }
  }
}

/** Most chains count by their own numbers. When that explains the close, there is nothing left to ask. */
const closesByOwnNumbers = ({ releaseBlock, openBlock, window }: EpochView, blockNumber: number): boolean =>
  blockNumber === Math.max(releaseBlock + window, openBlock) + 1

export const nameOf = ({ dataMarket, epochId }: EpochView): string => `epoch ${epochId} of ${dataMarket}`
