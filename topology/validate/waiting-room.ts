/**
 * The waiting room of a task: submissions whose epoch is still to be released, by epoch, in the order of the log. Every
 * owner of a slot has places of its own, so that nobody fills the places of another; copies take no place. Signers for a slot
 * that is not their own, as far as the log knows, share one room.
 */
import type { ParkedSubmission } from '../../schemas/types.ts'
import type { ScopedStore } from '../../streams/store.ts'
import { asBuffer } from '../shared/keccak.ts'
import { epochScope } from '../topics.ts'

/** Places that are there at least. */
export interface Room {
  /** Places of all strangers to their slot. */
  readonly strangers: number
  /** Places of all signers. Above it the signers with most places give way to the others. */
  readonly total: number
  /** Places of a signer and slot, for one epoch. */
  readonly perEpoch: number
  /** Epochs of a market that one owner may wait for, when the newest of what it has waiting came at `arrivedAt`. */
  epochs(arrivedAt: number): number
}

/** The reason to give way: the farthest submission of an owner to a nearer one, or the owner with more than a fair share of the room. */
export type Why = 'farther' | 'share'
type GaveWay = (waiting: ParkedSubmission, why: Why) => void

/** `no-place`: the owner waits for as many epochs as it may, and all of them are nearer. */
export type Entered = 'waits' | 'no-room' | 'over-quota' | 'no-place'

/** The part of all places that stays filled when they were shared out. */
const FILLED_AGAIN = 7 / 8

export type WaitingRoom = ReturnType<typeof createWaitingRoom>

export function createWaitingRoom(store: ScopedStore<ParkedSubmission>) {
  const { index, put, replace, remove, sweep, shareOut } = createRows(store)

  return {
    /** The one that waits and is the same, signed by the same. @param dataMarket lower case */
    copyOf(dataMarket: string, { submission, signer }: Waiting): ParkedSubmission | undefined {
      return store.get(epochScope(dataMarket, submission.epochId), keyOf({ submission, signer }))
    },

    /**
     * Notes what a copy of one that waits changes: it came later, and is not too early for what the first was too early for; or
     * it has another header. So it makes no difference which of them is first. @param dataMarket lower case
     */
    hearAgain(dataMarket: string, first: ParkedSubmission, copy: { arrivedAt: number; contests: boolean }): void {
      const arrivedAt = Math.max(first.arrivedAt, copy.arrivedAt)
      if (!copy.contests && arrivedAt === first.arrivedAt) return
      const submission = copy.contests ? { ...first.submission, contested: true } : first.submission
      const scope = epochScope(dataMarket, submission.epochId)
      replace(scope, { ...first, submission, arrivedAt })
    },

    /**
     * @param dataMarket lower case
     * @param gaveWay takes what leaves in favour of it: the owner's submissions for the farthest epoch, or those of the owners
     *   with most
     */
    enter(dataMarket: string, waiting: ParkedSubmission, room: Room, gaveWay: GaveWay): Entered {
      const { submission, stranger } = waiting
      const scope = epochScope(dataMarket, submission.epochId)
      const owner = index().ownerOf(scope, waiting)
      const mine = owner?.epochs.get(submission.epochId)
      if ((mine?.size ?? 0) >= room.perEpoch) return 'over-quota'
      if (stranger && (index().strangers() >= room.strangers || index().rows() >= room.total)) return 'no-room'
      if (!stranger && !mine && owner && owner.epochs.size >= room.epochs(newestOf(owner, waiting))) {
        const farthest = farthestOf(owner)
        if (farthest < submission.epochId) return 'no-place'
        const left = epochScope(dataMarket, farthest)
        for (const key of [...owner.epochs.get(farthest)!.keys()]) gaveWay(remove(left, key), 'farther')
        sweep(left)
      }
      if (index().rows() >= room.total) {
        if (index().sizeWith(scope, waiting) > index().share(room.total, waiting, scope)) return 'no-room'
        for (const other of shareOut(room.total)) gaveWay(other, 'share')
      }
      put(scope, waiting)
      return 'waits'
    },

    /**
     * Goes through the submissions that wait for those epochs, in the order of the log, and lets go of what `leaves` answers true for.
     * @param isMeant by market, epoch, and a time in ms before which nothing that waits for it came
     */
    release(
      isMeant: (dataMarket: string, epochId: number, arrivedFrom: number) => boolean,
      leaves: (waiting: ParkedSubmission) => boolean,
    ): void {
      for (const scope of [...store.scopes()]) {
        const at = scope.indexOf('/')
        if (!isMeant(scope.slice(0, at), Number(scope.slice(at + 1)), index().arrivedFrom(scope))) continue
        let arrivedFrom = Number.POSITIVE_INFINITY
        for (const [key, waiting] of [...store.entries(scope)].sort(inLogOrder))
          if (leaves(waiting)) remove(scope, key)
          else arrivedFrom = Math.min(arrivedFrom, waiting.arrivedAt)
        index().arriveFrom(scope, arrivedFrom)
        sweep(scope)
      }
    },
  }
}

/** The rows, and the index that is kept in step with them. */
function createRows(store: ScopedStore<ParkedSubmission>) {
  let made: Index | undefined
  /** Made from the store when it is first asked for. */
  const index = (): Index => {
    made ??= indexOf(store)
    return made
  }
  const remove = (scope: string, key: string): ParkedSubmission => {
    const waiting = store.get(scope, key)!
    index().remove(scope, key, waiting)
    store.delete(scope, key)
    return waiting
  }
  const sweep = (scope: string): void => {
    if (store.sizeOf(scope) > 0) return
    store.dropScope(scope)
    index().forget(scope)
  }
  return {
    index,
    remove,
    sweep,
    put(scope: string, waiting: ParkedSubmission): void {
      const key = keyOf(waiting)
      index().add(scope, key, waiting)
      store.put(scope, key, waiting)
    },
    replace(scope: string, waiting: ParkedSubmission): void {
      const key = keyOf(waiting)
      index().remove(scope, key, store.get(scope, key)!)
      index().add(scope, key, waiting)
      store.put(scope, key, waiting)
    },
    /** Makes some room, so that it need not be done for each: nobody who has no more than others loses anything. */
    shareOut(total: number): ParkedSubmission[] {
      const left: ParkedSubmission[] = []
      for (const [scope, key] of index().beyondShare(Math.floor(total * FILLED_AGAIN))) {
        left.push(remove(scope, key))
        sweep(scope)
      }
      return left.sort((a, b) => a.submission.position!.offset - b.submission.position!.offset)
    },
  }
}

type Waiting = Pick<ParkedSubmission, 'submission' | 'signer'>
type Index = ReturnType<typeof indexOf>
/** The waiting submissions of a signer for its slot. */
interface Owner {
  size: number
  /** When it came, by epoch and row. */
  readonly epochs: Map<number, Map<string, number>>
}

function indexOf(store: ScopedStore<ParkedSubmission>) {
  const owners = new Map<string, Owner>()
  /** Size → how many owners have so much waiting. */
  const sizes = new Map<number, number>()
  const arrivals = new Map<string, number>()
  let strangers = 0
  let all = 0
  const ownerKey = (scope: string, { signer, submission }: ParkedSubmission): string =>
    `${scope.slice(0, scope.indexOf('/'))}/${submission.slotId}/${signer}`

  const add = (scope: string, key: string, row: ParkedSubmission): void => {
    const { epochId } = row.submission
    const owner: Owner = owners.get(ownerKey(scope, row)) ?? { size: 0, epochs: new Map() }
    owners.set(ownerKey(scope, row), owner)
    const rows = owner.epochs.get(epochId) ?? new Map<string, number>()
    owner.epochs.set(epochId, rows.set(key, row.arrivedAt))
    resize(sizes, owner.size, ++owner.size)
    arrivals.set(scope, Math.min(arrivals.get(scope) ?? Number.POSITIVE_INFINITY, row.arrivedAt))
    all++
    if (row.stranger) strangers++
  }
  for (const scope of store.scopes()) for (const [key, row] of store.entries(scope)) add(scope, key, row)

  return {
    add,
    remove(scope: string, key: string, row: ParkedSubmission): void {
      const { epochId } = row.submission
      const owner = owners.get(ownerKey(scope, row))!
      const rows = owner.epochs.get(epochId)!
      rows.delete(key)
      if (rows.size === 0) owner.epochs.delete(epochId)
      resize(sizes, owner.size, --owner.size)
      if (owner.size === 0) owners.delete(ownerKey(scope, row))
      all--
      if (row.stranger) strangers--
    },
    forget: (scope: string): void => void arrivals.delete(scope),
    arriveFrom: (scope: string, from: number): void => void arrivals.set(scope, from),
    ownerOf: (scope: string, row: ParkedSubmission): Owner | undefined => owners.get(ownerKey(scope, row)),
    /** Nothing in the scope came before; what came then may be gone. */
    arrivedFrom: (scope: string): number => arrivals.get(scope) ?? Number.POSITIVE_INFINITY,
    strangers: (): number => strangers,
    rows: (): number => all,
    /** The number of submissions that its owner has with it. */
    sizeWith: (scope: string, row: ParkedSubmission): number => (owners.get(ownerKey(scope, row))?.size ?? 0) + 1,
    /** A fair share of so many places, with one more that comes. */
    share(places: number, row: ParkedSubmission, scope: string): number {
      const size = this.sizeWith(scope, row)
      const withIt = new Map(sizes)
      resize(withIt, size - 1, size)
      return fairShare(withIt, places)
    },
    /** Submissions of owners beyond a fair share of so many places, farthest epochs first and whole; nothing else decides. */
    beyondShare(places: number): readonly (readonly [scope: string, key: string])[] {
      const share = fairShare(sizes, places)
      const beyond: (readonly [string, string])[] = []
      for (const [name, owner] of owners) {
        let { size } = owner
        if (size <= share) continue
        const dataMarket = name.slice(0, name.indexOf('/'))
        for (const [epochId, rows] of [...owner.epochs].sort(([a], [b]) => b - a)) {
          if (size <= share) break
          for (const key of rows.keys()) beyond.push([epochScope(dataMarket, epochId), key])
          size -= rows.size
        }
      }
      return beyond
    },
  }
}

function resize(sizes: Map<number, number>, from: number, to: number): void {
  const before = (sizes.get(from) ?? 0) - 1
  if (before > 0) sizes.set(from, before)
  else sizes.delete(from)
  if (to > 0) sizes.set(to, (sizes.get(to) ?? 0) + 1)
}

/** The most that everybody may have of so many places, when who has less leaves the rest to the others. */
function fairShare(sizes: ReadonlyMap<number, number>, places: number): number {
  let owners = 0
  for (const count of sizes.values()) owners += count
  let left = places
  for (const [size, count] of [...sizes].sort(([a], [b]) => a - b)) {
    const share = Math.floor(left / owners)
    if (size > share) return share
    left -= size * count
    owners -= count
  }
  return Number.POSITIVE_INFINITY
}

function farthestOf(owner: Owner): number {
  let farthest = 0
  for (const epochId of owner.epochs.keys()) farthest = Math.max(farthest, epochId)
  return farthest
}

/**
 * The newest time of an owner's waiting submissions and the one that comes now: the log need not hold them in the order in which
 * they came.
 */
function newestOf(owner: Owner, { arrivedAt }: ParkedSubmission): number {
  let newest = arrivedAt
  for (const rows of owner.epochs.values()) for (const other of rows.values()) newest = Math.max(newest, other)
  return newest
}

/** Anybody can sign what another has signed: what waits of one is not in the way of the other. */
const keyOf = ({ submission, signer }: Waiting): string => `${asBuffer(submission.digest).toString('hex')}/${signer}`

type Row = readonly [key: string, waiting: ParkedSubmission]

const inLogOrder = ([, a]: Row, [, b]: Row): number => a.submission.position!.offset - b.submission.position!.offset
