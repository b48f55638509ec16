/** The settings of the stores of batches. */
import { z } from 'zod'
import { httpUrl as url } from '../base/options.ts'
import { whole } from './market-schema.ts'

const file = z.string().min(1)
/** As the Pinning Service API has it. */
const ORIGINS_MAX = 20
const multiaddr = z.string().regex(/^\/[^\s]+\/p2p\/\w+$/, 'not a multiaddr that ends in /p2p/<peer id>')

export const storageSettings = z
  .strictObject({
    kubo: z.array(url).max(20).default([]).describe('RPC addresses of Kubo nodes.'),
    directory: file
      .optional()
      .describe(
        'Directory that keeps the batches as files, beside or instead of Kubo. Nobody else can read them there.',
      ),
    cidVersion: z
      .union([z.literal(0), z.literal(1)])
      .default(1)
      .describe('CIDs of the batches.'),
    required: whole(1, 21)
      .optional()
      .describe(
        'Stores, of the directory and the Kubo nodes, that must hold a batch before it is anchored. The others are given it in the background. All but one when absent, and at least 1.',
      ),
    timeoutMs: whole(1_000, 3_600_000)
      .default(30_000)
      .describe('How long a store has for one request, ms; a second more for each MiB of a batch.'),
    pinning: z
      .array(
        z.strictObject({
          url,
          tokenFile: file,
          origins: z.array(multiaddr).max(ORIGINS_MAX).default([]),
        }),
      )
      .max(10)
      .default([])
      .describe(
        'Services of the IPFS Pinning Service API that also pin each batch: `url`, `tokenFile` with the access token (mode 0600), and `origins`, the public multiaddrs of the Kubo nodes. They fetch the batches from those nodes, and do not count for `storage.required`.',
      ),
    checkMinutes: whole(0, 10_080)
      .default(60)
      .describe('Time between two checks of the stores; a store is given the batches that it lacks. 0 for no checks.'),
    checkHours: whole(1, 8_760)
      .default(24)
      .describe(
        'A check asks about the batches of so many hours. `sequencer batches heal` asks about batches of any age.',
      ),
    keepDays: whole(0, 36_500)
      .default(0)
      .describe('Days after which stores let go of a batch: unpin it, or delete its files. 0 for never.'),
  })
  .prefault({})
  .describe('Where the role anchor-effects stores batches.')

type StorageSettings = z.output<typeof storageSettings>

/** Faults that one setting alone cannot show. Settings that name no store belong to another process. */
export function storageFaults({ directory, kubo, pinning, required = 1 }: StorageSettings) {
  const faults: { readonly path: string; readonly message: string }[] = []
  const stores = kubo.length + (directory === undefined ? 0 : 1)
  if (stores > 0 && required > stores)
    faults.push({
      path: 'storage.required',
      message: `${required} stores must hold a batch, and ${stores} of storage.kubo and storage.directory are named`,
    })
  if (pinning.length > 0 && kubo.length === 0)
    faults.push({
      path: 'storage.pinning',
      message:
        'a pinning service is not given batches, it fetches them: name a Kubo node in storage.kubo that has them',
    })
  const services = pinning.map(({ url }) => url)
  return [...faults, ...namedTwice('storage.kubo', kubo), ...namedTwice('storage.pinning', services)]
}

function namedTwice(path: string, urls: readonly string[]) {
  const hosts = urls.map((url) => new URL(url).host)
  const twice = hosts.find((host, at) => hosts.indexOf(host) < at)
  return twice === undefined ? [] : [{ path, message: `${twice} is named twice: it is one store` }]
}
