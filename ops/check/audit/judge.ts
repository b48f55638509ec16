/**
 * Whether a submission is valid, recomputed: market, form, signature, form of the header, slot, flagged,
 * epoch, data source, in this order. A submission that comes before its epoch waits for the release; deadline and header are
 * judged at the close.
 */
import type { EpochTick, VerdictReason } from '../../../schemas/types.ts'
import type { MarketRules, ProtocolRules } from '../../../topology/rules.ts'
import { toHex } from '../verify/keccak.ts'
import type { SignatureReader } from '../verify/signature.ts'
import type { ReadSubmission } from './cursor.ts'
import type { Decision, Entry, KeptSubmission } from './entry.ts'
import { faultOfForm } from './form.ts'
import { KnownChain } from './known-chain.ts'
import type { OwnerAt } from './owners.ts'
import { signedMax } from './quota.ts'
import type { ServedMarkets } from './served-markets.ts'
import { isItsTurn } from './turns.ts'
import { Waiting } from './waiting.ts'
import type { WholeEpochs } from './whole-epochs.ts'

export type Outcome =
  | { readonly kind: 'valid'; readonly entry: Entry }
  | { readonly kind: 'refused'; readonly decision: Decision }
  | { readonly kind: 'waits' }
  /** The log no longer reaches back to what decides. */
  | { readonly kind: 'beyond' }

type Judgement =
  | ({ readonly kind: 'valid' } & Pick<Entry, 'headerBlock' | 'headerExpired'>)
  | { readonly kind: 'refused'; readonly reason: VerdictReason }
  | { readonly kind: 'waits' }

const WAITS: Judgement = { kind: 'waits' }
const refused = (reason: VerdictReason): Judgement => ({ kind: 'refused', reason })
const BLOCK_HASH = /^0x[0-9a-f]{64}$/
/** The most that an intake's clock is ahead of the newest block; more is a wrong clock. */
const WEEK_MS = 604_800_000

export interface JudgeSources {
  readonly ownerAt: OwnerAt
  readonly reader: SignatureReader
  /** Where a submission belongs in `submissions`. */
  readonly partitionOf: (submission: KeptSubmission) => number
}

export class Judge {
  private readonly markets: ServedMarkets
  private readonly separators = new Map<string, Uint8Array>()
  private readonly sources: JudgeSources
  private readonly chain: KnownChain
  private readonly parkedMax: number
  private readonly waitingMax: number
  private readonly whole: WholeEpochs
  /** Per partition. */
  private readonly rooms = new Map<number, Waiting>()

  constructor(rules: ProtocolRules, markets: ServedMarkets, sources: JudgeSources, whole: WholeEpochs) {
    this.markets = markets
    this.sources = sources
    this.chain = new KnownChain(rules.headsKept)
    this.parkedMax = rules.parkedMax
    this.waitingMax = rules.waitingMax
    this.whole = whole
  }

  /** The outcome of the submission, after the outcomes of those that it takes a place from. */
  judge(read: ReadSubmission): readonly Outcome[] {
    const gaveWay: Entry[] = []
    const outcome = this.judgeRead(read, gaveWay)
    return [...gaveWay.map((entry) => refusedOutcome(entry, 'EPOCH_TOO_FAR')), outcome]
  }

  private judgeRead({ partition, offset, submission }: ReadSubmission, gaveWay: Entry[]): Outcome {
    const dataMarket = submission.dataMarket.toLowerCase()
    const unsigned = { partition, offset, dataMarket, submission, digest: '', signer: '' }
    const served = this.markets.isServed(dataMarket)
    if (served === undefined) return { kind: 'beyond' }
    if (!served) return refusedOutcome(unsigned, 'UNKNOWN_MARKET')
    if (this.whole.isCut && !this.chain.reachesBackTo(dataMarket, submission.epochId)) return { kind: 'beyond' }
    if (this.sources.partitionOf(submission) !== partition) return refusedOutcome(unsigned, 'MALFORMED')
    const fault = faultOfForm(submission, this.markets.rulesOf(dataMarket))
    if (fault) return refusedOutcome(unsigned, fault)
    const digest = this.sources.reader.digest(this.separatorOf(dataMarket), submission)
    const signer = this.sources.reader.signer(digest, submission.signature)
    if ('fault' in signer) return refusedOutcome(unsigned, 'BAD_SIGNATURE')
    const signed = { ...unsigned, digest: toHex(digest), signer: signer.address }
    const judgement = this.judgeEntry(signed)
    return judgement.kind === 'waits' ? this.enter(this.arriving(signed), gaveWay) : outcomeOf(signed, judgement)
  }

  private enter(entry: Entry, gaveWay: Entry[]): Outcome {
    const waiting = this.rooms.get(entry.partition) ?? new Waiting()
    this.rooms.set(entry.partition, waiting)
    const reason = this.refusesToWait(entry, waiting, gaveWay)
    if (reason) return refusedOutcome(entry, reason)
    waiting.add(entry)
    return { kind: 'waits' }
  }

  /** By the time of the log: never before the newest block in it, and no more than a week after. */
  private arriving(entry: Entry): Entry {
    const { head, headTime, forks } = this.chain
    const { receivedAt, slotId } = entry.submission
    if (head === undefined) return { ...entry, arrivedAt: receivedAt, stranger: true }
    const { earliest, latest } =
      headTime === undefined
        ? { earliest: receivedAt, latest: receivedAt }
        : { earliest: headTime, latest: headTime + WEEK_MS }
    const arrivedAt = receivedAt < earliest ? earliest : Math.min(receivedAt, latest)
    const ownership = this.sources.ownerAt(slotId, head, forks)
    return { ...entry, arrivedAt, stranger: ownership?.owner !== entry.signer || !ownership.active }
  }

  /** A copy of one that waits; more than the owner may have waiting; a stranger to its slot for whom there is no room. */
  private refusesToWait(entry: Entry, waiting: Waiting, gaveWay: Entry[]): VerdictReason | undefined {
    const { dataMarket, submission } = entry
    const copy = waiting.copyOf(entry)
    if (copy) {
      if (copy.submission.header !== submission.header) copy.contested = true
      copy.arrivedAt = Math.max(copy.arrivedAt!, entry.arrivedAt!) // not too early for what a copy of it is in time for
      return 'DUPLICATE'
    }
    const rules = this.markets.rulesOf(dataMarket)
    const mine = waiting.ofOwner(entry)
    const inEpoch = mine.filter((other) => other.submission.epochId === submission.epochId).length
    if (inEpoch > signedMax(entry, rules)) return 'RATE_LIMITED'
    const isFull = (): boolean => waiting.size >= this.waitingMax
    if (entry.stranger) return isFull() || waiting.strangers >= this.parkedMax ? 'EPOCH_NOT_OPEN' : undefined
    const epochs = new Set(mine.map((other) => other.submission.epochId))
    if (inEpoch === 0 && epochs.size >= this.epochsAwaited([...mine, entry], rules)) {
      const farthest = [...epochs].reduce((a, b) => (a > b ? a : b))
      if (submission.epochId > farthest) return 'EPOCH_TOO_FAR'
      gaveWay.push(...mine.filter((other) => other.submission.epochId === farthest))
      for (const other of gaveWay) waiting.delete(other)
    }
    if (!isFull()) return undefined
    if (waiting.isBeyondShare(entry, this.waitingMax)) return 'EPOCH_TOO_FAR'
    gaveWay.push(...waiting.shareOut(this.waitingMax))
    return undefined
  }

  /** As many as can have been released from the newest block until the last of them came, and those ahead. */
  private epochsAwaited(entries: readonly Entry[], rules: MarketRules): number {
    const { head, headTime } = this.chain
    if (head !== undefined && headTime === undefined) return rules.epochsWaitingMax
    let behind = 0
    for (const { arrivedAt } of entries) behind = Math.max(behind, (arrivedAt! - (headTime ?? arrivedAt!)) / 1000)
    const released = Math.floor((behind + rules.clockSkewSeconds) / rules.epochSecondsMin)
    return Math.min(rules.epochsAhead + 1 + released, rules.epochsWaitingMax)
  }

  /** The outcomes that the tick decides for waiting submissions. */
  onTick(tick: EpochTick): readonly Outcome[] {
    const { kind, dataMarket } = tick
    const isFirst = this.chain.head === undefined
    this.chain.apply(tick)
    if (kind === 'CLOSE') return []
    if (kind === 'HEAD') return [...this.followMarkets(tick), ...(isFirst ? this.judgeAll() : [])]
    if (kind === 'ORPHAN') {
      this.markets.apply(tick)
      return []
    }
    const rules = this.markets.rulesOf(dataMarket)
    const isMeant = (epochId: number, arrivedFrom: number): boolean =>
      epochId <= tick.epochId || isTooEarly(epochId, arrivedFrom, tick, rules)
    const outcomes: Outcome[] = []
    for (const waiting of this.rooms.values())
      waiting.release(dataMarket, isMeant, (entry) => settles(this.judgeWaiting(entry, tick, rules), entry, outcomes))
    return outcomes
  }

  /**
   * A submission that waits in a removed market for an epoch that was never open is refused; in a market that comes, epochs begin
   * anew.
   */
  private followMarkets(tick: EpochTick): readonly Outcome[] {
    for (const { dataMarket, served } of tick.markets)
      if (served && this.markets.isServed(dataMarket) === false) this.chain.beginAnew(dataMarket)
    this.markets.apply(tick)
    const removed = new Set(tick.markets.filter(({ served }) => !served).map(({ dataMarket }) => dataMarket))
    if (removed.size === 0) return []
    const outcomes: Outcome[] = []
    for (const waiting of this.rooms.values())
      for (const entry of [...waiting.entries()]) {
        const state = this.chain.epoch(entry.dataMarket, entry.submission.epochId)?.state
        if (!removed.has(entry.dataMarket) || state === 'OPEN' || state === 'AWAITED') continue
        outcomes.push(refusedOutcome(entry, 'UNKNOWN_MARKET'))
        waiting.delete(entry)
      }
    return outcomes
  }

  private separatorOf(dataMarket: string): Uint8Array {
    const separator =
      this.separators.get(dataMarket) ?? this.sources.reader.domainSeparator(this.markets.rulesOf(dataMarket))
    this.separators.set(dataMarket, separator)
    return separator
  }

  /** When a block was made, ms since 1970. */
  timeOf(hash: string): number | undefined {
    return this.chain.block(hash)?.time
  }

  *waiting(): Generator<Entry> {
    for (const waiting of this.rooms.values()) yield* waiting.entries()
  }

  private judgeAll(): readonly Outcome[] {
    const outcomes: Outcome[] = []
    for (const waiting of this.rooms.values())
      for (const entry of [...waiting.entries()])
        if (settles(this.judgeEntry(entry), entry, outcomes)) waiting.delete(entry)
    return outcomes
  }

  private judgeEntry(entry: Entry): Judgement {
    const { dataMarket, submission } = entry
    const { head } = this.chain
    if (submission.epochId > 0 && !BLOCK_HASH.test(submission.header)) return refused('UNKNOWN_HEADER')
    if (head === undefined) return WAITS
    const epoch = submission.epochId === 0 ? undefined : this.judgeEpoch(submission.epochId, dataMarket)
    if (epoch?.kind === 'waits') return WAITS
    return this.judgeSigner(entry, head) ?? epoch ?? this.judgeProject(entry)
  }

  /** Judges a waiting submission when an epoch is released: its own, an earlier one, or one too far behind. */
  private judgeWaiting(entry: Entry, opened: EpochTick, rules: MarketRules): Judgement {
    const { dataMarket, submission } = entry
    const epoch = this.judgeEpoch(submission.epochId, dataMarket)
    if (epoch?.kind === 'waits' && !isTooEarly(submission.epochId, entry.arrivedAt!, opened, rules)) return WAITS
    const signer = this.judgeSigner(entry, opened.blockNumber)
    if (signer) return signer
    if (epoch?.kind === 'waits') return refused('EPOCH_TOO_FAR')
    return epoch ?? this.judgeProject(entry)
  }

  private judgeProject(entry: Entry): Judgement {
    const { dataMarket, submission } = entry
    const day = this.chain.epoch(dataMarket, submission.epochId)?.day ?? 0
    if (!isItsTurn(entry, day, this.markets.rulesOf(dataMarket))) return refused('WRONG_DATA_SOURCE')
    const block = this.chain.block(submission.header)
    if (block) return { kind: 'valid', headerBlock: block.number }
    return { kind: 'valid', ...(this.whole.isCut && !this.chain.isFull && { headerExpired: true }) }
  }

  /** The owner counts as of the release of the epoch; of one that was not released, as of the newest block. */
  private judgeSigner({ dataMarket, submission, signer }: Entry, head: number): Judgement | undefined {
    const asOf = this.chain.epoch(dataMarket, submission.epochId)?.releaseBlock ?? head
    const ownership = this.sources.ownerAt(submission.slotId, asOf, this.chain.forks)
    if (!ownership) return refused('UNKNOWN_SLOT')
    if (ownership.owner === '') return refused('SLOT_INACTIVE') // suspended: its owner changed too often
    if (ownership.owner !== signer) return refused('SLOT_MISMATCH')
    if (!ownership.active) return refused('SLOT_INACTIVE')
    if (this.markets.rulesOf(dataMarket).flagged.includes(signer)) return refused('FLAGGED')
    return submission.epochId === 0 ? refused('SIMULATION') : undefined
  }

  private judgeEpoch(epochId: number, dataMarket: string): Judgement | undefined {
    const epoch = this.chain.epoch(dataMarket, epochId)
    if (epoch?.state === 'OPEN') return undefined
    const { newest, forgotten } = this.chain.market(dataMarket)
    if (epoch?.state === 'CLOSED' || epochId <= forgotten) return refused('EPOCH_CLOSED')
    return !epoch && epochId < newest ? refused('EPOCH_NOT_OPEN') : WAITS
  }
}

/** Further than it may be beyond an epoch that is released after it came. */
function isTooEarly(epochId: number, arrivedAt: number, opened: EpochTick, rules: MarketRules): boolean {
  const ageSeconds = opened.blockTimestamp - arrivedAt / 1000
  return epochId > opened.epochId + rules.epochsAhead && ageSeconds > rules.clockSkewSeconds
}

/** True when the waiting of a submission is over; then its outcome is noted. */
function settles(judgement: Judgement, entry: Entry, outcomes: Outcome[]): boolean {
  if (judgement.kind === 'waits') return false
  outcomes.push(outcomeOf(entry, judgement))
  return true
}

function outcomeOf(entry: Entry, judgement: Exclude<Judgement, { kind: 'waits' }>): Outcome {
  if (judgement.kind === 'refused') return refusedOutcome(entry, judgement.reason)
  const { kind, ...header } = judgement
  return { kind, entry: { ...entry, ...header } }
}

const refusedOutcome = (entry: Entry, reason: VerdictReason): Outcome => ({
  kind: 'refused',
  decision: { entry, reason, stage: 'validate' },
})
