/** Whether rows of `markets` rest on requests: every client with rights to the topic may write one. */
import type { MarketRequest, ServedMarket } from '../../../schemas/types.ts'

export interface PlacedRequest extends MarketRequest {
  /** In `market-requests`. */
  readonly offset: number
}

export interface AskedFor {
  /** Data market → its newest request. The topic is compacted: a market that was ever asked for has one. */
  readonly newest: ReadonlyMap<string, PlacedRequest>
  /** The requests before this offset are decided. */
  readonly decidedTo: number
}

/** Longest id that is told: anybody may write one. */
const ID_MAX = 64

/** Why a row is not the clock's, in words; undefined while nothing speaks against it. */
function whyUnfounded(
  dataMarket: string,
  { serving, requestId, refused }: ServedMarket,
  { newest, decidedTo }: AskedFor,
): string | undefined {
  const request = newest.get(dataMarket)
  if (request === undefined)
    return serving === 'CONFIGURED' ? undefined : `it says that ${dataMarket} is ${serving}, and nobody asked for that`
  if (request.requestId !== requestId) {
    if (request.offset >= decidedTo) return undefined // the row that answers it is still to come
    const ids = [requestId, request.requestId].map((id) => JSON.stringify(id.slice(0, ID_MAX)))
    return `it answers the request ${ids[0]} for ${dataMarket}, and the newest one, which is decided, is ${ids[1]}`
  }
  if (serving === 'CONFIGURED' || refused !== '' || request.served === (serving === 'ADDED')) return undefined
  return `it says that ${dataMarket} is ${serving}, and its request asked for the opposite`
}

export interface PlacedRow {
  readonly dataMarket: string
  readonly offset: number
  readonly row: ServedMarket
}

export interface UnfoundedRow extends PlacedRow {
  readonly why: string
}

/** Takes rows in their order, and keeps the newest of each market. */
export class JudgedRows {
  /** Data market → its newest row that rests on a request. */
  readonly founded = new Map<string, ServedMarket>()
  /** Data market → its newest row, where that rests on none. */
  readonly unfounded = new Map<string, UnfoundedRow>()
  private readonly asked: AskedFor | undefined

  /** @param asked undefined where nothing can be said, since the requests are not all there: then every row counts */
  constructor(asked: AskedFor | undefined) {
    this.asked = asked
  }

  take(placed: PlacedRow): void {
    const { dataMarket, row } = placed
    const why = this.asked && whyUnfounded(dataMarket, row, this.asked)
    if (why !== undefined) {
      this.unfounded.set(dataMarket, { ...placed, why })
      return
    }
    this.founded.set(dataMarket, row)
    this.unfounded.delete(dataMarket)
  }
}
