/**
 * Dedupe and quota, per slot and epoch. The same digest again is a DUPLICATE and costs nothing. Of the distinct ones the
 * first N by (receivedAt, submissionId) stand, whatever order they come in, so the result does not depend on how many
 * partitions they came through (decision 0003): a newcomer that sorts earlier displaces the last one for good.
 */
import type { EpochMarker, SlotEpochKey, SlotQuota, Submission, SubmissionKey, Withdrawal } from '../schemas/types.ts'
import type { ScopedStore } from '../streams/store.ts'
import { accept, type Decision, passOn, type StageSupplier, settle } from './gate.ts'
import { asBuffer } from './keccak.ts'
import { type MarketRules, marketRulesLookup, type ProtocolRules } from './rules.ts'
import { createSharedTexts } from './shared-texts.ts'
import type { Stores } from './stores.ts'
import { type AdmittedEvent, epochScope, type SubmissionEvent } from './topics.ts'

const STAGE = 'admit'
/**
 * Refused digests that are remembered per slot and epoch, so that a copy cannot come in by an earlier receivedAt. A slot
 * that has sent this many past its quota gets RATE_LIMITED for all that is new, also if it sorts earlier.
 */
export const REFUSED_MAX = 1_000

type Outcome = Decision<SubmissionKey, AdmittedEvent>

export const admitSubmission =
  (
    rules: ProtocolRules,
    stores: Pick<Stores, 'slotQuota'>,
  ): StageSupplier<SlotEpochKey, SubmissionEvent, SubmissionKey, AdmittedEvent> =>
  (context) => {
    const rulesOf = marketRulesLookup(rules)
    const seats = createSeats(context.store(stores.slotQuota))
    return {
      decide: ({ dataMarket }, value) => admit(seats, rulesOf(dataMarket), value as Submission),
      onMarker(marker) {
        const { dataMarket, epochId } = (marker as EpochMarker).tick
        seats.forget(epochScope(dataMarket, epochId))
        return [passOn<AdmittedEvent>(marker)]
      },
    }
  }

function admit(seats: Seats, market: MarketRules, submission: Submission): Outcome[] {
  const { dataMarket } = market
  const { slotId, epochId, projectId } = submission
  const scope = epochScope(dataMarket, epochId)
  const digest = asBuffer(submission.digest).toString('hex')
  const known = seats.find(scope, slotId, digest)
  if (known) return [duplicate(dataMarket, submission, known)]

  const quota = submission.fullNode ? market.perFullNodePerEpoch : market.perSlotPerEpoch
  const slot = seats.of(scope, slotId)
  const newcomer = seatOf(submission, digest)
  const last = slot.seated.at(-1)
  const hasRoom = slot.seated.length < quota
  const admitted = { dataMarket, epochId, projectId }
  if (!hasRoom && (!last || slot.refused >= REFUSED_MAX || byArrival(newcomer, last) > 0)) {
    seats.refuse(scope, newcomer)
    return [rateLimited(dataMarket, epochId, newcomer, quota)]
  }
  seats.take(scope, newcomer)
  const comesIn = accept<SubmissionKey, AdmittedEvent>(admitted, submission)
  if (hasRoom) return [comesIn]
  seats.refuse(scope, last!)
  const withdrawal: Withdrawal = { slotId, withdrawnDigest: Buffer.from(last!.digest, 'hex') }
  const goesOut = accept<SubmissionKey, AdmittedEvent>({ ...admitted, projectId: last!.projectId }, withdrawal)
  return [comesIn, goesOut, rateLimited(dataMarket, epochId, last!, quota)]
}

interface Seat extends SlotQuota {
  /** Hex. */
  readonly digest: string
}

/** What a slot has sent in an epoch: who is in, ascending by arrival, and how many were refused. */
interface SlotSeats {
  readonly seated: Seat[]
  refused: number
}

type Seats = ReturnType<typeof createSeats>

/** The store holds one row per digest; an index by slot, made from it when it is first asked for, finds the last seat. */
function createSeats(store: ScopedStore<SlotQuota>) {
  const index = new Map<string, Map<number, SlotSeats>>()
  const texts = createSharedTexts()
  const keyOf = (slotId: number, digest: string): string => `${slotId}/${digest}`

  const of = (scope: string, slotId: number): SlotSeats => {
    let slots = index.get(scope)
    if (!slots) {
      slots = indexOf(store.entries(scope))
      index.set(scope, slots)
    }
    const slot = slots.get(slotId) ?? { seated: [], refused: 0 }
    slots.set(slotId, slot)
    return slot
  }

  /** The slots of an epoch name the same projects and CIDs. */
  const keep = (scope: string, seat: Seat, refused = false): Seat => {
    const share = texts.of(scope)
    return { ...seat, refused, projectId: share(seat.projectId), snapshotCid: share(seat.snapshotCid) }
  }

  return {
    of,
    find: (scope: string, slotId: number, digest: string): SlotQuota | undefined =>
      store.get(scope, keyOf(slotId, digest)),

    take(scope: string, seat: Seat): void {
      const kept = keep(scope, seat)
      insert(of(scope, kept.slotId).seated, kept)
      store.put(scope, keyOf(kept.slotId, kept.digest), kept) // the same object: a row without its digest would be a second
    },

    /** Remembers a refusal, of a newcomer or of the one in the last seat. */
    refuse(scope: string, seat: Seat): void {
      const { slotId, digest } = seat
      const slot = of(scope, slotId)
      const at = slot.seated.findIndex((seated) => seated.digest === digest)
      if (at >= 0) slot.seated.splice(at, 1)
      if (at < 0 && slot.refused >= REFUSED_MAX) return
      slot.refused++
      store.put(scope, keyOf(slotId, digest), keep(scope, seat, true))
    },

    forget(scope: string): void {
      index.delete(scope)
      texts.forget(scope)
      store.dropScope(scope)
    },
  }
}

function indexOf(rows: Iterable<[string, SlotQuota]>): Map<number, SlotSeats> {
  const slots = new Map<number, SlotSeats>()
  for (const [key, row] of rows) {
    const slot = slots.get(row.slotId) ?? { seated: [], refused: 0 }
    slots.set(row.slotId, slot)
    if (row.refused) slot.refused++
    else insert(slot.seated, { ...row, digest: key.slice(key.indexOf('/') + 1) })
  }
  return slots
}

/** Keeps the order of arrival; a newcomer is nearly always the last. */
function insert(seated: Seat[], seat: Seat): void {
  let at = seated.length
  while (at > 0 && byArrival(seat, seated[at - 1]!) < 0) at--
  seated.splice(at, 0, seat)
}

type Arrival = Pick<Submission, 'receivedAt' | 'submissionId'>

/** Order of arrival as the records themselves tell it, the same in any interleaving. */
export const byArrival = (a: Arrival, b: Arrival): number =>
  a.receivedAt - b.receivedAt || (a.submissionId < b.submissionId ? -1 : a.submissionId > b.submissionId ? 1 : 0)

const seatOf = (
  { slotId, receivedAt, submissionId, projectId, snapshotCid, position }: Submission,
  digest: string,
) => ({
  digest,
  slotId,
  refused: false,
  receivedAt,
  submissionId,
  projectId,
  snapshotCid,
  position: position!,
})

const duplicate = (dataMarket: string, submission: Submission, first: SlotQuota): Outcome =>
  settle(dataMarket, submission, 'DUPLICATE', STAGE, 0, {
    rule: 'a signed submission counts once',
    expected: 'a new digest',
    actual: `the same as ${first.submissionId} (submissions ${first.position.partition}/${first.position.offset})`,
  })

/** By what the seat remembers, since the one that loses its seat is not the record in hand. */
const rateLimited = (dataMarket: string, epochId: number, seat: Seat, quota: number): Outcome => {
  const { slotId, position, submissionId, projectId, snapshotCid } = seat
  return {
    kind: 'settle',
    key: { dataMarket, epochId, slotId },
    verdict: {
      position,
      submissionId,
      slotId,
      projectId,
      snapshotCid,
      reason: 'RATE_LIMITED',
      stage: STAGE,
      rule: `the first ${quota} submissions of a slot in an epoch, by arrival`,
      expected: `at most ${quota}`,
      actual: 'one more',
      blockNumber: 0,
    },
  }
}
