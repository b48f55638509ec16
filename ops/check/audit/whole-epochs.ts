/** Which epochs a log tells whole when records at its beginning have expired. */
import type { EpochTick } from '../../../schemas/types.ts'
import type { MarketRules } from '../../../topology/rules.ts'

/** In the first round goes what has expired; in the second what waited beside it, and may have had less room for it. */
const ROUNDS = 2
/** Intakes stamp no submission later than so many seconds after the newest block; a clock that is further off is a wrong one. */
const AHEAD_SECONDS_MAX = 3_600

type Opened = Pick<EpochTick, 'dataMarket' | 'epochId' | 'blockTimestamp'>

interface Beginning {
  readonly rounds: number
  /** Seconds since 1970: the submissions that the round is about came before. */
  readonly cameBefore: number
  /** The newest epoch that they can be for; undefined while that is not known. */
  readonly newest: number | undefined
}

export class WholeEpochs {
  /** Records at the beginning of `submissions` have expired. */
  readonly isCut: boolean
  private readonly rulesOf: (dataMarket: string) => Pick<MarketRules, 'epochsAhead' | 'clockSkewSeconds'>
  private readonly markets = new Map<string, Beginning>()
  /** Seconds since 1970: the latest that a submission says to have come at. */
  private seenAt = 0

  constructor(isCut: boolean, rulesOf: WholeEpochs['rulesOf']) {
    this.isCut = isCut
    this.rulesOf = rulesOf
  }

  /** @param receivedAt ms since 1970 */
  saw(receivedAt: number): void {
    this.seenAt = Math.max(this.seenAt, receivedAt / 1_000)
  }

  /** OPEN ticks in the order of the log. */
  opened({ dataMarket, epochId, blockTimestamp }: Opened): void {
    if (!this.isCut) return
    const before = this.markets.get(dataMarket) ?? this.beginning(ROUNDS, blockTimestamp)
    this.markets.set(dataMarket, this.after(before, { dataMarket, epochId, blockTimestamp }))
  }

  /**
   * Whether all submissions for the epoch lie in the log, with all that decided about them. False also while that is not known. Epoch 0
   * is nobody's: what is sent for it is judged by what is known when it comes.
   */
  has(dataMarket: string, epochId: number): boolean {
    if (!this.isCut) return true
    const beginning = this.markets.get(dataMarket)
    return beginning?.rounds === 0 && (epochId === 0 || epochId > beginning.newest!)
  }

  private beginning(rounds: number, blockTimestamp: number): Beginning {
    const latest = blockTimestamp + AHEAD_SECONDS_MAX
    return { rounds, cameBefore: Math.max(blockTimestamp, Math.min(this.seenAt, latest)), newest: undefined }
  }

  /**
   * An epoch that is released after they came, by more than clocks differ, was open at no time before, on no fork: what is left of
   * them is for it and those ahead. Once the last of these is open, nothing of them waits.
   */
  private after(of: Beginning, { dataMarket, epochId, blockTimestamp }: Opened): Beginning {
    const { epochsAhead, clockSkewSeconds } = this.rulesOf(dataMarket)
    if (of.rounds === 0) return of
    if (of.newest === undefined)
      return blockTimestamp > of.cameBefore + clockSkewSeconds ? { ...of, newest: epochId + epochsAhead } : of
    if (epochId < of.newest) return of
    const rounds = of.rounds - 1
    return rounds === 0 ? { ...of, rounds } : this.beginning(rounds, blockTimestamp)
  }
}
