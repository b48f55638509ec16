/** Submissions that wait for their epoch or their header, by epoch, in the order of the log. */
import type { ParkedSubmission } from '../schemas/types.ts'
import type { ScopedStore } from '../streams/store.ts'
import { epochScope } from './topics.ts'

/** An epoch, all epochs of a market, or (empty) everything. */
export interface Place {
  /** Lower case. */
  readonly dataMarket?: string
  readonly epochId?: number
}
export type Parking = ReturnType<typeof createParking>

export function createParking(store: ScopedStore<ParkedSubmission>, parkedMax: number) {
  const total = (): number => {
    let sum = 0
    for (const scope of store.scopes()) sum += store.sizeOf(scope)
    return sum
  }
  const inLogOrder = (scope: string): ParkedSubmission[] =>
    [...store.entries(scope)].map(([, parked]) => parked).sort((a, b) => offsetOf(a) - offsetOf(b))

  return {
    /** False when it is full. @param dataMarket lower case */
    park(dataMarket: string, parked: ParkedSubmission): boolean {
      if (total() >= parkedMax) return false
      store.put(epochScope(dataMarket, parked.submission.epochId), `${offsetOf(parked)}`, parked)
      return true
    },

    /**
     * Goes through what is parked there, in the order of the log, and lets go of what `leaves` answers true for.
     */
    release(where: Place, leaves: (parked: ParkedSubmission) => boolean): void {
      for (const scope of [...store.scopes()]) {
        if (!isWithin(scope, where)) continue
        for (const parked of inLogOrder(scope)) if (leaves(parked)) store.delete(scope, `${offsetOf(parked)}`)
        if (store.sizeOf(scope) === 0) store.dropScope(scope)
      }
    },
  }
}

const offsetOf = ({ submission }: ParkedSubmission): number => submission.position!.offset

const isWithin = (scope: string, { dataMarket, epochId }: Place): boolean =>
  dataMarket === undefined ||
  (epochId === undefined ? scope.startsWith(`${dataMarket}/`) : scope === epochScope(dataMarket, epochId))
