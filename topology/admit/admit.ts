/**
 * Dedupe and quota, per owner of a slot and epoch. The same digest again is a DUPLICATE and costs nothing. The first N distinct
 * digests stand by (signed deadline, the highest first, receivedAt, submissionId, digest), whatever order they come in, so the
 * result does not depend on the number of partitions that they came through (decision 0003): a newcomer that sorts earlier
 * displaces the last one for good. What was signed for a release that left the chain so gives way to what is signed for the next
 * one. An owner that signs more than are told apart has none that stand: else the order of arrival would decide which ones do.
 */
import type { SlotEpochKey, SlotQuota, Submission, SubmissionKey, Withdrawal } from '../../schemas/types.ts'
import type { ScopedStore } from '../../streams/store.ts'
import { accept, type Decision, passOn, type StageSupplier, settle } from '../gate.ts'
import { type MarketRules, marketRulesLookup, type ProtocolRules } from '../rules.ts'
import { byArrival, byText } from '../shared/arrival.ts'
import { isContested } from '../shared/contested.ts'
import { asBuffer } from '../shared/keccak.ts'
import { overQuota, type Quota, quotaOf } from '../shared/quota.ts'
import { createSharedTexts } from '../shared/shared-texts.ts'
import type { Stores } from '../stores.ts'
import { type Admitted, epochScope } from '../topics.ts'
import { duplicateOf } from '../verdict.ts'

const STAGE = 'admit'

type Outcome = Decision<SubmissionKey, Admitted>

export const admitSubmission =
  (rules: ProtocolRules, stores: Pick<Stores, 'slotQuota'>): StageSupplier<SlotEpochKey, SubmissionKey, Admitted> =>
  (context) => {
    const rulesOf = marketRulesLookup(rules)
    const seats = createSeats(context.store(stores.slotQuota))
    return {
      decide: ({ dataMarket }, submission) => admit(seats, rulesOf(dataMarket), submission),
      onMarker(marker) {
        const { dataMarket, epochId } = marker.tick
        seats.forget(epochScope(dataMarket, epochId))
        return [passOn(marker)]
      },
    }
  }

function admit(seats: Seats, market: MarketRules, submission: Submission): Outcome[] {
  const { dataMarket } = market
  const { slotId, epochId, projectId, signer } = submission
  const scope = epochScope(dataMarket, epochId)
  const digest = asBuffer(submission.digest).toString('hex')
  const known = seats.find(scope, submission, digest)
  const key = { dataMarket, epochId, projectId }
  if (known) {
    const duplicate = settle(dataMarket, submission, 'DUPLICATE', STAGE, 0, duplicateOf(known))
    if (known.refused || !isContested(known, submission)) return [duplicate]
    seats.contest(scope, digest, known)
    return [accept<SubmissionKey, Admitted>(key, { ...submission, contested: true }), duplicate]
  }

  const quota = quotaOf(market, submission.fullNode)
  const owner = seats.of(scope, slotId, signer)
  const newcomer = seatOf(submission, digest)
  if (owner.flooded) return [rateLimited(key, newcomer, quota)]
  if (owner.seated.length + owner.refused.size === quota.signedMax) {
    const lost = seats.flood(scope, newcomer)
    return [
      ...lost.flatMap((seat) => [withdraw(key, seat), rateLimited(key, seat, quota)]),
      rateLimited(key, newcomer, quota),
    ]
  }
  const last = owner.seated.at(-1)
  const hasRoom = owner.seated.length < quota.seats
  if (!hasRoom && bySeat(newcomer, last!) > 0) {
    seats.refuse(scope, newcomer)
    return [rateLimited(key, newcomer, quota)]
  }
  seats.take(scope, newcomer)
  const comesIn = accept<SubmissionKey, Admitted>(key, submission)
  if (hasRoom) return [comesIn]
  seats.refuse(scope, last!)
  return [comesIn, withdraw(key, last!), rateLimited(key, last!, quota)]
}

interface Seat extends SlotQuota {
  /** Hex. */
  readonly digest: string
}

/**
 * The signed submissions of an owner of a slot in an epoch: the admitted ones, as bySeat has them in order, and the digests of
 * the refused ones.
 */
interface OwnerSeats {
  readonly signer: string
  readonly seated: Seat[]
  readonly refused: Set<string>
  /** Too many: nothing is told apart any more. */
  flooded: boolean
}

type Seats = ReturnType<typeof createSeats>

/** The store holds one row per digest; an index by slot, made from it when it is first asked for, finds the last seat. */
function createSeats(store: ScopedStore<SlotQuota>) {
  const index = new Map<string, Map<number, OwnerSeats[]>>()
  const texts = createSharedTexts()
  const keyOf = ({ slotId, signer }: Pick<Seat, 'slotId' | 'signer'>, digest: string): string =>
    `${slotId}/${signer}/${digest}`

  const of = (scope: string, slotId: number, signer: string): OwnerSeats => {
    const slots = index.get(scope) ?? indexOf(store.entries(scope))
    index.set(scope, slots)
    return ownerIn(slots, slotId, signer)
  }

  /** The slots of an epoch name the same projects and CIDs. */
  const keep = (scope: string, seat: Seat, refused = false): Seat => {
    const share = texts.of(scope)
    const [projectId, snapshotCid, header] = [share(seat.projectId), share(seat.snapshotCid), share(seat.header)]
    return { ...seat, refused, projectId, snapshotCid, header }
  }

  return {
    of,
    find: (scope: string, owner: Pick<Seat, 'slotId' | 'signer'>, digest: string): SlotQuota | undefined =>
      store.get(scope, keyOf(owner, digest)),

    take(scope: string, seat: Seat): void {
      const kept = keep(scope, seat)
      insert(of(scope, kept.slotId, kept.signer).seated, kept)
      store.put(scope, keyOf(kept, kept.digest), kept) // the same object: a row without its digest would be a second
    },

    contest(scope: string, digest: string, row: SlotQuota): void {
      const { seated } = of(scope, row.slotId, row.signer)
      const contested = { ...row, digest, contested: true }
      const at = seated.findIndex((seat) => seat.digest === digest)
      seated.splice(at, 1, contested)
      store.put(scope, keyOf(row, digest), contested)
    },

    /** Remembers a refusal, of a newcomer or of the one in the last seat: a copy of it is a DUPLICATE. */
    refuse(scope: string, seat: Seat): void {
      const { slotId, digest, signer } = seat
      const owner = of(scope, slotId, signer)
      const at = owner.seated.findIndex((seated) => seated.digest === digest)
      if (at >= 0) owner.seated.splice(at, 1)
      owner.refused.add(digest)
      store.put(scope, keyOf(seat, digest), keep(scope, seat, true))
    },

    /** Puts one row in the place of all that the owner has. @returns what was seated */
    flood(scope: string, newcomer: Seat): readonly Seat[] {
      const { slotId, signer } = newcomer
      const owner = of(scope, slotId, signer)
      const seated = owner.seated.splice(0)
      // By what the owner has, not by all rows of the epoch: many owners may flood in one.
      for (const { digest } of seated) store.delete(scope, keyOf(newcomer, digest))
      for (const digest of owner.refused) store.delete(scope, keyOf(newcomer, digest))
      owner.refused.clear()
      owner.flooded = true
      store.put(scope, keyOf(newcomer, ''), floodOf(newcomer))
      return seated
    },

    forget(scope: string): void {
      index.delete(scope)
      texts.forget(scope)
      store.dropScope(scope)
    },
  }
}

function indexOf(rows: Iterable<[string, SlotQuota]>): Map<number, OwnerSeats[]> {
  const slots = new Map<number, OwnerSeats[]>()
  for (const [key, row] of rows) {
    const owner = ownerIn(slots, row.slotId, row.signer)
    const digest = key.slice(key.lastIndexOf('/') + 1)
    if (row.flooded) owner.flooded = true
    else if (row.refused) owner.refused.add(digest)
    else insert(owner.seated, { ...row, digest })
  }
  return slots
}

/** A slot has one owner, or two when it changes hands in the midst of an epoch. */
function ownerIn(slots: Map<number, OwnerSeats[]>, slotId: number, signer: string): OwnerSeats {
  const owners = slots.get(slotId) ?? []
  if (owners.length === 0) slots.set(slotId, owners)
  const known = owners.find((owner) => owner.signer === signer)
  if (known) return known
  const owner = { signer, seated: [], refused: new Set<string>(), flooded: false }
  owners.push(owner)
  return owner
}

/** Keeps the order of bySeat; of one deadline a newcomer is nearly always the last. */
function insert(seated: Seat[], seat: Seat): void {
  let at = seated.length
  while (at > 0 && bySeat(seat, seated[at - 1]!) < 0) at--
  seated.splice(at, 0, seat)
}

/** The highest deadline first: only the owner can sign. No two digests are equal, whatever their sender makes of the rest. */
const bySeat = (a: Seat, b: Seat): number => b.deadline - a.deadline || byArrival(a, b) || byText(a.digest, b.digest)

const seatOf = (
  {
    slotId,
    signer,
    deadline,
    receivedAt,
    submissionId,
    projectId,
    snapshotCid,
    position,
    header,
    contested,
  }: Submission,
  digest: string,
): Seat => ({
  digest,
  slotId,
  signer,
  refused: false,
  flooded: false,
  deadline,
  receivedAt,
  submissionId,
  projectId,
  snapshotCid,
  position: position!,
  header,
  contested,
})

/** The one row of an owner that signs too many. */
const floodOf = (seat: Seat): Seat => ({
  ...seat,
  refused: true,
  flooded: true,
  projectId: '',
  snapshotCid: '',
  header: '',
})

const withdraw = (key: SubmissionKey, { slotId, digest, signer, projectId }: Seat): Outcome =>
  accept({ ...key, projectId }, { slotId, withdrawnDigest: Buffer.from(digest, 'hex'), signer } satisfies Withdrawal)

/** Uses the data of the seat, since the submission that loses its seat is not the record in hand. */
const rateLimited = ({ dataMarket, epochId }: SubmissionKey, seat: Seat, quota: Quota): Outcome => {
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
      ...overQuota(quota),
      blockNumber: 0,
    },
  }
}
