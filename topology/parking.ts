/**
 * The waiting room of a task: submissions whose epoch is still to be released, by epoch, in the order of the log. Every
 * owner of a slot has places of its own, so that nobody fills the places of another; copies take no place.
 */
import type { ParkedSubmission } from '../schemas/types.ts'
import type { ScopedStore } from '../streams/store.ts'
import { asBuffer } from './keccak.ts'
import { epochScope } from './topics.ts'

/** An epoch, all epochs of a market, or (empty) everything. */
export interface Place {
  /** Lower case. */
  readonly dataMarket?: string
  readonly epochId?: number
}

/** How many places there are, at least. */
export interface Room {
  /** Of all owners, all epochs. */
  readonly total: number
  /** Of one owner, for one epoch. */
  readonly perEpoch: number
  /** Epochs of a market that one owner may wait for. */
  readonly epochs: number
}

export type Parking = ReturnType<typeof createParking>

export function createParking(store: ScopedStore<ParkedSubmission>) {
  let owners: Owners | undefined
  /** Made from the store when it is first asked for, and kept in step from then on. */
  const counted = (): Owners => {
    owners ??= countOwners(store)
    return owners
  }

  return {
    /** The one that waits and is the same, signed by the same. @param dataMarket lower case */
    copyOf(dataMarket: string, parked: ParkedSubmission): ParkedSubmission | undefined {
      return store.get(epochScope(dataMarket, parked.submission.epochId), keyOf(parked))
    },

    /** Notes that a copy of what waits has another header. @param dataMarket lower case */
    contest(dataMarket: string, parked: ParkedSubmission): void {
      const submission = { ...parked.submission, contested: true }
      store.put(epochScope(dataMarket, submission.epochId), keyOf(parked), { ...parked, submission })
    },

    /** @param dataMarket lower case */
    park(dataMarket: string, parked: ParkedSubmission, room: Room): 'parked' | 'no-room' | 'over-quota' {
      const scope = epochScope(dataMarket, parked.submission.epochId)
      const { total, waiting, epochs, add } = counted()
      const mine = waiting(scope, parked)
      if (mine >= room.perEpoch) return 'over-quota'
      if (total() >= room.total || (mine === 0 && epochs(scope, parked) >= room.epochs)) return 'no-room'
      add(scope, parked, 1)
      store.put(scope, keyOf(parked), parked)
      return 'parked'
    },

    /**
     * Goes through what is parked there, in the order of the log, and lets go of what `leaves` answers true for.
     */
    release(where: Place, leaves: (parked: ParkedSubmission) => boolean): void {
      const { add } = counted()
      for (const scope of [...store.scopes()]) {
        if (!isWithin(scope, where)) continue
        for (const parked of inLogOrder(store, scope)) {
          if (!leaves(parked)) continue
          add(scope, parked, -1)
          store.delete(scope, keyOf(parked))
        }
        if (store.sizeOf(scope) === 0) store.dropScope(scope)
      }
    },
  }
}

type Owners = ReturnType<typeof countOwners>

/** How many submissions, and for how many epochs of a market, each owner of a slot has waiting. */
function countOwners(store: ScopedStore<ParkedSubmission>) {
  const counts = new Map<string, number>()
  let sum = 0
  const inEpoch = (scope: string, { signer, submission }: ParkedSubmission): string =>
    `${scope}/${submission.slotId}/${signer}`
  const inMarket = (scope: string, parked: ParkedSubmission): string =>
    inEpoch(scope.slice(0, scope.indexOf('/')), parked)

  const change = (key: string, by: 1 | -1): number => {
    const count = (counts.get(key) ?? 0) + by
    if (count === 0) counts.delete(key)
    else counts.set(key, count)
    return count
  }
  const add = (scope: string, parked: ParkedSubmission, by: 1 | -1): void => {
    sum += by
    const count = change(inEpoch(scope, parked), by)
    const isFirstOrLast = count === (by === 1 ? 1 : 0)
    if (isFirstOrLast) change(inMarket(scope, parked), by)
  }
  for (const scope of store.scopes()) for (const [, parked] of store.entries(scope)) add(scope, parked, 1)

  return {
    add,
    total: (): number => sum,
    waiting: (scope: string, parked: ParkedSubmission): number => counts.get(inEpoch(scope, parked)) ?? 0,
    epochs: (scope: string, parked: ParkedSubmission): number => counts.get(inMarket(scope, parked)) ?? 0,
  }
}

/** Anybody can sign what another has signed: what waits of one is not in the way of the other. */
const keyOf = ({ submission, signer }: ParkedSubmission): string =>
  `${asBuffer(submission.digest).toString('hex')}/${signer}`

function inLogOrder(store: ScopedStore<ParkedSubmission>, scope: string): ParkedSubmission[] {
  const offsetOf = ({ submission }: ParkedSubmission): number => submission.position!.offset
  return [...store.entries(scope)].map(([, parked]) => parked).sort((a, b) => offsetOf(a) - offsetOf(b))
}

const isWithin = (scope: string, { dataMarket, epochId }: Place): boolean =>
  dataMarket === undefined ||
  (epochId === undefined ? scope.startsWith(`${dataMarket}/`) : scope === epochScope(dataMarket, epochId))
