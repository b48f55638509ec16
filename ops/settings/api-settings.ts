import { z } from 'zod'
import { API_LIMITS } from './api-limits.ts'
import { whole } from './market-schema.ts'

const network = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], {
  error: 'not an address or a network such as 10.0.0.0/8',
})
const file = z.string().min(1)

export const apiSettings = z
  .strictObject({
    viewDirectory: file
      .optional()
      .describe(
        'The directory of the view behind the answers; in the user’s cache directory (`XDG_CACHE_HOME`, or `~/.cache`) by default. May be deleted: it is built anew from the topics.',
      ),
    keepHours: whole(1, 8_760)
      .default(720)
      .describe('Age at which rows leave the view. The topics keep 30 days at most.'),
    submissionsMax: whole(1_000, 10_000_000_000)
      .default(20_000_000)
      .describe(
        'Submissions that the view keeps, about 1 kB of disk each. Beyond it the oldest are dropped; first the submissions that only claim a slot.',
      ),
    legacyTokenFile: file
      .optional()
      .describe(
        'File with the token that clients of the deployed collector send; /legacy is served only with this token.',
      ),
    connectionsMax: whole(16, 100_000)
      .default(API_LIMITS.connectionsMax)
      .describe(
        'Connections of clients. At the bound the client with most gives up its oldest for a client with fewer.',
      ),
    connectionsPerAddressMax: whole(1, 100_000)
      .default(API_LIMITS.connectionsPerAddressMax)
      .describe('Connections of one IPv4 address, or one /64 of IPv6.'),
    requestsPerSecondMax: whole(1, 1_000_000)
      .default(API_LIMITS.requestsPerSecondMax)
      .describe(
        'Requests a second of such an address; twice as many may come at once. More get 429, and their connection is closed.',
      ),
    requestMsMax: whole(100, 600_000)
      .default(API_LIMITS.requestMsMax)
      .describe('Time that a client may take to send a request, ms.'),
    idleMsMax: whole(1_000, 3_600_000)
      .default(API_LIMITS.idleMsMax)
      .describe(
        'Time after which a connection is closed on which nothing is sent or taken, ms. Events have a sign of life every 15 s.',
      ),
    listenersMax: whole(0, 100_000)
      .default(API_LIMITS.listenersMax)
      .describe(
        'Listeners to `/v1/events`. At the bound the client with most gives up its oldest for a client with fewer.',
      ),
    listenersPerAddressMax: whole(1, 100_000)
      .default(API_LIMITS.listenersPerAddressMax)
      .describe('Listeners of one IPv4 address, or one /64 of IPv6. More get 429.'),
    proxies: z
      .array(network)
      .default([])
      .describe(
        'Addresses or networks of proxies before the API: their clients are told apart by `x-forwarded-for`, and their connections are not bounded by address.',
      ),
  })
  .prefault({})
  .describe('The role api: docs/api.md.')
