/** Options of `sequencer dev`, parsed once; all faults are reported together. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { address, httpUrl, oneOf, parseOptions, port, share, whole } from '../../base/options.ts'
import { LOG_LEVELS } from '../../settings/log-settings.ts'

const devSchema = z.object({
  dataDir: z.string().min(1, 'no name of a directory'),
  epochs: whole(1, 1_000_000).optional(),
  rpc: httpUrl.optional(),
  listenPort: port,
  opsPort: port,
  chainPort: port,
  kubo: httpUrl.optional(),
  cidVersion: whole(0, 1).transform((version) => (version === 0 ? 0 : 1)),
  tree: oneOf('chained', 'fresh'),
  snapshotters: whole(0, 5_000),
  spareSlots: whole(0, 20_000),
  projects: whole(1, 2_000),
  badShare: share,
  seed: whole(0, 2 ** 31),
  blockTime: whole(1, 60),
  epochBlocks: whole(1, 1_000),
  dayEpochs: whole(2, 1_000_000),
  dayQuota: whole(1, 1_000_000).optional(),
  window: whole(1, 10_000),
  markets: whole(1, 4),
  spareMarkets: whole(0, 4),
  partitions: whole(1, 64),
  workers: whole(0, 16),
  otlpUrl: httpUrl.optional(),
  logLevel: oneOf(...LOG_LEVELS).optional(),
  json: z.boolean(),
})

export type DevConfig = z.infer<typeof devSchema>

const chainSchema = devSchema
  .pick({
    dataDir: true,
    rpc: true,
    chainPort: true,
    snapshotters: true,
    spareSlots: true,
    seed: true,
    blockTime: true,
    epochBlocks: true,
    dayEpochs: true,
    dayQuota: true,
    window: true,
    markets: true,
    spareMarkets: true,
    json: true,
  })
  .extend({ signerKeyFile: z.string().min(1).optional(), sequencer: z.array(address).default([]) })

export type ChainConfig = z.infer<typeof chainSchema>

export const DEV_DEFAULTS = {
  dataDir: '.data/dev',
  listenPort: 9100,
  opsPort: 9090,
  chainPort: 8545,
  cidVersion: 1,
  tree: 'chained',
  snapshotters: 36,
  spareSlots: 0,
  projects: 12,
  badShare: 0.15,
  seed: 1,
  blockTime: 1,
  epochBlocks: 4,
  dayEpochs: 20,
  window: 3,
  markets: 1,
  spareMarkets: 0,
  partitions: 4,
  workers: 0,
  json: false,
} as const

/** Reads the options of the command line. Throws CliError that lists every fault. */
export function parseDevConfig(options: Record<string, unknown>): DevConfig {
  const config = parseOptions(devSchema, { ...DEV_DEFAULTS, ...options }, 'dev')
  return { ...config, dataDir: resolve(config.dataDir) }
}

/** Reads the options of `devchain`, as `parseDevConfig`. */
export function parseChainConfig(options: Record<string, unknown>): ChainConfig {
  const config = parseOptions(chainSchema, { ...DEV_DEFAULTS, ...options }, 'devchain')
  return { ...config, dataDir: resolve(config.dataDir) }
}
