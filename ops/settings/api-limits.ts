/** Bounds for clients of the query API, with their defaults; `ops/api/limits.ts` holds them to it. */
export interface ApiLimits {
  readonly connectionsMax: number
  /** Connections of one IPv4 address, or one /64 of IPv6. */
  readonly connectionsPerAddressMax: number
  /** Requests of such an address; twice as many may come at once. */
  readonly requestsPerSecondMax: number
  /** From the connection, or the end of the request before, to the end of a request; ms. */
  readonly requestMsMax: number
  /** A connection on which nothing is sent or taken; ms. */
  readonly idleMsMax: number
  /** To `/v1/events`. */
  readonly listenersMax: number
  /** The same of one IPv4 address, or one /64 of IPv6. */
  readonly listenersPerAddressMax: number
  /** Addresses or networks of proxies: clients are told apart by their `x-forwarded-for`, their connections are not bounded by address. */
  readonly proxies: readonly string[]
}

export const API_LIMITS: ApiLimits = {
  connectionsMax: 1_024,
  connectionsPerAddressMax: 64,
  requestsPerSecondMax: 200,
  requestMsMax: 10_000,
  idleMsMax: 60_000,
  listenersMax: 200,
  listenersPerAddressMax: 16,
  proxies: [],
}
