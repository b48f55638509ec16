/**
 * Whether a submission is valid, recomputed: market, form, signature, slot, flagged, epoch, deadline, header, in this order.
 * What comes before its epoch waits for the release.
 */
import type { EpochTick, VerdictReason } from '../../schemas/types.ts'
import type { MarketRules, ProtocolRules } from '../../topology/rules.ts'
import { toHex } from '../verify/keccak.ts'
import type { SignatureReader } from '../verify/signature.ts'
import type { ReadSubmission } from './cursor.ts'
import type { Decision, Entry, KeptSubmission } from './entry.ts'
import { faultOfForm } from './form.ts'
import { type KnownBlock, KnownChain } from './known-chain.ts'
import type { OwnerAt } from './owners.ts'
import { signedMax } from './quota.ts'
import type { ServedMarkets } from './served-markets.ts'
import { Waiting } from './waiting.ts'

export type Outcome =
  | { readonly kind: 'valid'; readonly entry: Entry }
  | { readonly kind: 'refused'; readonly decision: Decision }
  | { readonly kind: 'waits' }
  /** The log no longer reaches back to what decides. */
  | { readonly kind: 'beyond' }

type Judgement =
  | { readonly kind: 'valid'; readonly headerBlock?: number }
  | { readonly kind: 'refused'; readonly reason: VerdictReason }
  | { readonly kind: 'waits' }

const WAITS: Judgement = { kind: 'waits' }
const refused = (reason: VerdictReason): Judgement => ({ kind: 'refused', reason })
const BLOCK_HASH = /^0x[0-9a-f]{64}$/

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
  /** Records at the beginning of the log have expired. */
  private readonly isCut: boolean
  /** Per partition. */
  private readonly parked = new Map<number, Waiting>()

  constructor(rules: ProtocolRules, markets: ServedMarkets, sources: JudgeSources, isCut: boolean) {
    this.markets = markets
    this.sources = sources
    this.chain = new KnownChain(rules.headsKept)
    this.parkedMax = rules.parkedMax
    this.isCut = isCut
  }

  judge({ partition, offset, submission }: ReadSubmission): Outcome {
    const dataMarket = submission.dataMarket.toLowerCase()
    const unsigned = { partition, offset, dataMarket, submission, digest: '', signer: '' }
    const served = this.markets.isServed(dataMarket)
    if (served === undefined) return { kind: 'beyond' }
    if (!served) return outcome(unsigned, 'UNKNOWN_MARKET')
    if (this.isCut && !this.chain.reachesBackTo(dataMarket, submission.epochId)) return { kind: 'beyond' }
    if (this.sources.partitionOf(submission) !== partition) return outcome(unsigned, 'MALFORMED')
    const fault = faultOfForm(submission, this.markets.rulesOf(dataMarket))
    if (fault) return outcome(unsigned, fault)
    const digest = this.sources.reader.digest(this.separatorOf(dataMarket), submission)
    const signer = this.sources.reader.signer(digest, submission.signature)
    if ('fault' in signer) return outcome(unsigned, 'BAD_SIGNATURE')
    const entry = { ...unsigned, digest: toHex(digest), signer: signer.address }
    const judgement = this.judgeEntry(entry)
    if (judgement.kind !== 'waits') return outcomeOf(entry, judgement)
    const waiting = this.parked.get(partition) ?? new Waiting()
    this.parked.set(partition, waiting)
    const reason = this.refusesToWait(entry, waiting)
    if (reason) return outcome(entry, reason)
    waiting.add(entry)
    return { kind: 'waits' }
  }

  /** A copy of one that waits; more than the owner may have waiting; too many before anything of the chain is known. */
  private refusesToWait(entry: Entry, waiting: Waiting): VerdictReason | undefined {
    const { dataMarket, submission } = entry
    const copy = waiting.copyOf(entry)
    if (copy) {
      if (copy.submission.header !== submission.header) copy.contested = true
      return 'DUPLICATE'
    }
    const rules = this.markets.rulesOf(dataMarket)
    const epochs = waiting.ofOwner(entry).map((other) => other.submission.epochId)
    const inEpoch = epochs.filter((epochId) => epochId === submission.epochId).length
    if (inEpoch > signedMax(entry, rules)) return 'RATE_LIMITED'
    if (this.chain.head === undefined && waiting.size >= this.parkedMax) return 'EPOCH_NOT_OPEN'
    const isUnheardOf = this.chain.market(dataMarket).newest === 0
    return isUnheardOf && inEpoch === 0 && new Set(epochs).size > rules.epochsAhead ? 'EPOCH_NOT_OPEN' : undefined
  }

  /** What the tick decides about those that waited. */
  onTick(tick: EpochTick): readonly Outcome[] {
    const { kind, dataMarket, epochId } = tick
    if (kind === 'CLOSE') {
      this.chain.apply(tick)
      return []
    }
    const isFirst = this.chain.head === undefined
    this.chain.apply(tick)
    if (kind === 'HEAD')
      return [
        ...this.followMarkets(tick),
        ...(isFirst
          ? this.judgeAgain(
              () => true,
              (entry) => this.judgeEntry(entry),
            )
          : []),
      ]
    if (kind === 'ORPHAN') {
      this.markets.apply(tick)
      return []
    }
    const awaited = epochId + this.markets.rulesOf(dataMarket).epochsAhead
    const isAwaited = ({ submission }: Entry) => submission.epochId > epochId && submission.epochId <= awaited
    return this.judgeAgain(
      (entry) => entry.dataMarket === dataMarket && !isAwaited(entry),
      (entry) => this.judgeWaiting(entry),
    )
  }

  /** Of a removed market, who waits for an epoch that was never open is refused; of one that comes, epochs begin anew. */
  private followMarkets(tick: EpochTick): readonly Outcome[] {
    for (const { dataMarket, served } of tick.markets)
      if (served && this.markets.isServed(dataMarket) === false) this.chain.beginAnew(dataMarket)
    this.markets.apply(tick)
    const removed = new Set(tick.markets.filter(({ served }) => !served).map(({ dataMarket }) => dataMarket))
    if (removed.size === 0) return []
    const outcomes: Outcome[] = []
    for (const waiting of this.parked.values())
      for (const entry of [...waiting.entries()]) {
        const state = this.chain.epoch(entry.dataMarket, entry.submission.epochId)?.state
        if (!removed.has(entry.dataMarket) || state === 'OPEN' || state === 'AWAITED') continue
        outcomes.push(outcome(entry, 'UNKNOWN_MARKET'))
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

  *waiting(): Generator<Entry> {
    for (const waiting of this.parked.values()) yield* waiting.entries()
  }

  private judgeAgain(concerns: (entry: Entry) => boolean, judge: (entry: Entry) => Judgement): readonly Outcome[] {
    const outcomes: Outcome[] = []
    for (const waiting of this.parked.values())
      for (const entry of [...waiting.entries()]) {
        const judgement = concerns(entry) ? judge(entry) : WAITS
        if (judgement.kind === 'waits') continue
        outcomes.push(outcomeOf(entry, judgement))
        waiting.delete(entry)
      }
    return outcomes
  }

  private judgeEntry(entry: Entry): Judgement {
    const { dataMarket, submission } = entry
    const { head } = this.chain
    if (head === undefined) return BLOCK_HASH.test(submission.header) ? WAITS : refused('UNKNOWN_HEADER')
    const signer = this.judgeSigner(entry, head)
    if (signer) return signer
    const epoch = this.judgeEpoch(submission.epochId, this.markets.rulesOf(dataMarket))
    if (epoch?.kind === 'refused') return epoch
    if (submission.deadline < head) return refused('DEADLINE_PASSED')
    if (!BLOCK_HASH.test(submission.header)) return refused('UNKNOWN_HEADER')
    if (epoch) return epoch
    if (entry.contested) return validAt(this.chain.block(submission.header))
    return this.judgeHeader(submission.header, this.chain.epoch(dataMarket, submission.epochId)!.releaseBlock)
  }

  /** Once its epoch is released: its deadline counted when it came, and its header is looked at when the epoch closes. */
  private judgeWaiting(entry: Entry): Judgement {
    const { dataMarket, submission } = entry
    const { head } = this.chain
    if (head === undefined) return WAITS
    return (
      this.judgeSigner(entry, head) ??
      this.judgeEpoch(submission.epochId, this.markets.rulesOf(dataMarket)) ??
      validAt(this.chain.block(submission.header))
    )
  }

  private judgeSigner({ dataMarket, submission, signer }: Entry, head: number): Judgement | undefined {
    const ownership = this.sources.ownerAt(submission.slotId, head)
    if (!ownership) return refused('UNKNOWN_SLOT')
    if (ownership.owner === '') return refused('SLOT_INACTIVE') // suspended: its owner changed too often
    if (ownership.owner !== signer) return refused('SLOT_MISMATCH')
    if (!ownership.active) return refused('SLOT_INACTIVE')
    if (this.markets.rulesOf(dataMarket).flagged.includes(signer)) return refused('FLAGGED')
    return submission.epochId === 0 ? refused('SIMULATION') : undefined
  }

  private judgeEpoch(epochId: number, { dataMarket, epochsAhead }: MarketRules): Judgement | undefined {
    const epoch = this.chain.epoch(dataMarket, epochId)
    if (epoch?.state === 'OPEN') return undefined
    const { newest, forgotten } = this.chain.market(dataMarket)
    if (epoch?.state === 'CLOSED' || epochId <= forgotten) return refused('EPOCH_CLOSED')
    if (newest > 0 && epochId > newest + epochsAhead) return refused('EPOCH_TOO_FAR')
    return !epoch && epochId < newest ? refused('EPOCH_NOT_OPEN') : WAITS
  }

  private judgeHeader(header: string, releaseBlock: number): Judgement {
    const block = this.chain.block(header)
    if (block?.canonical === false) return refused('ORPHANED_HEADER')
    if (block && block.number < releaseBlock) return refused('STALE_HEADER')
    return validAt(block)
  }
}

const validAt = (block: KnownBlock | undefined): Judgement =>
  block ? { kind: 'valid', headerBlock: block.number } : { kind: 'valid' }

const outcomeOf = (entry: Entry, judgement: Exclude<Judgement, { kind: 'waits' }>): Outcome =>
  judgement.kind === 'refused'
    ? outcome(entry, judgement.reason)
    : {
        kind: 'valid',
        entry: { ...entry, ...(judgement.headerBlock !== undefined && { headerBlock: judgement.headerBlock }) },
      }

const outcome = (entry: Entry, reason: VerdictReason): Outcome => ({ kind: 'refused', decision: { entry, reason } })
