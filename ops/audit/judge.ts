/**
 * Whether a submission is valid, recomputed: market, form, signature, slot, flagged, epoch, deadline, header, in this order.
 * What cannot be judged yet waits for the tick that it needs.
 */
import type { EpochTick, VerdictReason } from '../../schemas/types.ts'
import type { MarketRules, ProtocolRules } from '../../topology/rules.ts'
import { toHex } from '../verify/keccak.ts'
import type { SignatureReader } from '../verify/signature.ts'
import type { ReadSubmission } from './cursor.ts'
import type { Decision, Entry } from './entry.ts'
import { faultOfForm } from './form.ts'
import { KnownChain } from './known-chain.ts'
import type { OwnerAt } from './owners.ts'
import type { ServedMarkets } from './served-markets.ts'

export type Outcome =
  | { readonly kind: 'valid'; readonly entry: Entry }
  | { readonly kind: 'refused'; readonly decision: Decision }
  | { readonly kind: 'waits' }
  /** The log no longer reaches back to what decides. */
  | { readonly kind: 'beyond' }

/** Valid, refused for good, or not yet to be judged: then `reason` is its verdict if the epoch closes over it. */
type Judgement = { readonly valid: true } | { readonly reason: VerdictReason; readonly waits: boolean }

const VALID: Judgement = { valid: true }
const refused = (reason: VerdictReason): Judgement => ({ reason, waits: false })
const waits = (reason: VerdictReason): Judgement => ({ reason, waits: true })
const BLOCK_HASH = /^0x[0-9a-f]{64}$/

export class Judge {
  private readonly markets: ServedMarkets
  private readonly separators = new Map<string, Uint8Array>()
  private readonly ownerAt: OwnerAt
  private readonly reader: SignatureReader
  private readonly chain: KnownChain
  private readonly parkedMax: number
  /** Records at the beginning of the log have expired. */
  private readonly isCut: boolean
  /** Per partition, in the order of the log. */
  private readonly parked = new Map<number, Entry[]>()

  constructor(rules: ProtocolRules, markets: ServedMarkets, ownerAt: OwnerAt, reader: SignatureReader, isCut: boolean) {
    this.markets = markets
    this.ownerAt = ownerAt
    this.reader = reader
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
    const fault = faultOfForm(submission, this.markets.rulesOf(dataMarket))
    if (fault) return outcome(unsigned, fault)
    const digest = this.reader.digest(this.separatorOf(dataMarket), submission)
    const signer = this.reader.signer(digest, submission.signature)
    if ('fault' in signer) return outcome(unsigned, 'BAD_SIGNATURE')
    const entry = { ...unsigned, digest: toHex(digest), signer: signer.address }
    const judgement = this.judgeEntry(entry)
    if ('valid' in judgement) return { kind: 'valid', entry }
    if (!judgement.waits) return outcome(entry, judgement.reason)
    const waiting = this.parked.get(partition) ?? []
    this.parked.set(partition, waiting)
    if (waiting.length >= this.parkedMax) return outcome(entry, judgement.reason)
    waiting.push(entry)
    return { kind: 'waits' }
  }

  /** What the tick decides about those that waited. */
  onTick(tick: EpochTick): readonly Outcome[] {
    const { kind, dataMarket, epochId, blockHash } = tick
    if (kind === 'CLOSE') {
      const outcomes = this.judgeAgain((entry) => isOf(entry, dataMarket, epochId), true)
      this.chain.apply(tick)
      return outcomes
    }
    const isFirst = this.chain.head === undefined
    this.chain.apply(tick)
    if (kind === 'HEAD')
      return [
        ...this.followMarkets(tick),
        ...this.judgeAgain(({ submission }) => isFirst || submission.header === blockHash),
      ]
    if (kind === 'ORPHAN') {
      this.markets.apply(tick)
      return []
    }
    const awaited = epochId + this.markets.rulesOf(dataMarket).epochsAhead
    const isAwaited = ({ submission }: Entry) => submission.epochId > epochId && submission.epochId <= awaited
    return this.judgeAgain((entry) => entry.dataMarket === dataMarket && !isAwaited(entry))
  }

  /** Of a removed market, who waits for an epoch that was never open is refused; of one that comes, epochs begin anew. */
  private followMarkets(tick: EpochTick): readonly Outcome[] {
    for (const { dataMarket, served } of tick.markets)
      if (served && this.markets.isServed(dataMarket) === false) this.chain.beginAnew(dataMarket)
    this.markets.apply(tick)
    const removed = new Set(tick.markets.filter(({ served }) => !served).map(({ dataMarket }) => dataMarket))
    if (removed.size === 0) return []
    const outcomes: Outcome[] = []
    for (const [partition, entries] of this.parked) {
      const waitsInVain = ({ dataMarket, submission }: Entry): boolean => {
        const state = this.chain.epoch(dataMarket, submission.epochId)?.state
        return removed.has(dataMarket) && state !== 'OPEN' && state !== 'AWAITED'
      }
      for (const entry of entries.filter(waitsInVain)) outcomes.push(outcome(entry, 'UNKNOWN_MARKET'))
      this.parked.set(
        partition,
        entries.filter((entry) => !waitsInVain(entry)),
      )
    }
    return outcomes
  }

  private separatorOf(dataMarket: string): Uint8Array {
    const separator = this.separators.get(dataMarket) ?? this.reader.domainSeparator(this.markets.rulesOf(dataMarket))
    this.separators.set(dataMarket, separator)
    return separator
  }

  *waiting(): Generator<Entry> {
    for (const entries of this.parked.values()) yield* entries
  }

  /** @param atLast what would wait on gets its verdict */
  private judgeAgain(concerns: (entry: Entry) => boolean, atLast = false): readonly Outcome[] {
    const outcomes: Outcome[] = []
    for (const [partition, entries] of this.parked) {
      const still = entries.filter((entry) => {
        if (!concerns(entry)) return true
        const judgement = this.judgeEntry(entry)
        if ('valid' in judgement) outcomes.push({ kind: 'valid', entry })
        else if (!judgement.waits || atLast) outcomes.push(outcome(entry, judgement.reason))
        else return true
        return false
      })
      this.parked.set(partition, still)
    }
    return outcomes
  }

  private judgeEntry({ dataMarket, submission, signer }: Entry): Judgement {
    const rules = this.markets.rulesOf(dataMarket)
    const { head } = this.chain
    if (head === undefined) return waits('EPOCH_NOT_OPEN')
    const ownership = this.ownerAt(submission.slotId, head)
    if (!ownership) return refused('UNKNOWN_SLOT')
    if (ownership.owner === '') return refused('SLOT_INACTIVE') // suspended: its owner changed too often
    if (ownership.owner !== signer) return refused('SLOT_MISMATCH')
    if (!ownership.active) return refused('SLOT_INACTIVE')
    if (rules.flagged.includes(signer)) return refused('FLAGGED')
    if (submission.epochId === 0) return refused('SIMULATION')
    const epoch = this.judgeEpoch(submission.epochId, rules)
    if (epoch) return epoch
    if (submission.deadline < head) return refused('DEADLINE_PASSED')
    return this.judgeHeader(submission.header, this.chain.epoch(dataMarket, submission.epochId)!.releaseBlock)
  }

  private judgeEpoch(epochId: number, { dataMarket, epochsAhead }: MarketRules): Judgement | undefined {
    const epoch = this.chain.epoch(dataMarket, epochId)
    if (epoch?.state === 'OPEN') return undefined
    const { newest, forgotten } = this.chain.market(dataMarket)
    if (epoch?.state === 'CLOSED' || epochId <= forgotten) return refused('EPOCH_CLOSED')
    if (newest > 0 && epochId > newest + epochsAhead) return refused('EPOCH_TOO_FAR')
    return !epoch && epochId < newest ? refused('EPOCH_NOT_OPEN') : waits('EPOCH_NOT_OPEN')
  }

  private judgeHeader(header: string, releaseBlock: number): Judgement {
    if (!BLOCK_HASH.test(header)) return refused('UNKNOWN_HEADER')
    const block = this.chain.block(header)
    if (!block) return waits('UNKNOWN_HEADER')
    if (!block.canonical) return refused('ORPHANED_HEADER')
    return block.number < releaseBlock ? refused('STALE_HEADER') : VALID
  }
}

const isOf = ({ dataMarket, submission }: Entry, market: string, epochId: number): boolean =>
  dataMarket === market && submission.epochId === epochId

const outcome = (entry: Entry, reason: VerdictReason): Outcome => ({ kind: 'refused', decision: { entry, reason } })
