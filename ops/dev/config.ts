/** Options of `sequencer dev`, parsed once; all faults are reported together. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { CliError } from '../cli-error.ts'

const port = z.coerce.number().int().min(0).max(65_535)
const count = (min: number, max: number) => z.coerce.number().int().min(min).max(max)

const devSchema = z.object({
  dataDir: z.string().min(1),
  epochs: count(1, 1_000_000).optional(),
  rpc: z.url({ protocol: /^https?$/ }).optional(),
  listenPort: port,
  opsPort: port,
  chainPort: port,
  kubo: z.url({ protocol: /^https?$/ }).optional(),
  cidVersion: z.coerce.number().pipe(z.union([z.literal(0), z.literal(1)])),
  tree: z.enum(['chained', 'fresh']),
  snapshotters: count(0, 5_000),
  projects: count(1, 2_000),
  badShare: z.coerce.number().min(0).max(1),
  seed: count(0, 2 ** 31),
  blockTime: count(1, 60),
  epochBlocks: count(1, 1_000),
  window: count(1, 10_000),
  markets: count(1, 4),
  partitions: count(1, 64),
  workers: count(0, 16),
  json: z.boolean(),
})

export type DevConfig = z.infer<typeof devSchema>

export const DEV_DEFAULTS = {
  dataDir: '.data/dev',
  listenPort: 9100,
  opsPort: 9090,
  chainPort: 8545,
  cidVersion: 1,
  tree: 'chained',
  snapshotters: 36,
  projects: 12,
  badShare: 0.15,
  seed: 1,
  blockTime: 1,
  epochBlocks: 4,
  window: 3,
  markets: 1,
  partitions: 4,
  workers: 0,
  json: false,
} as const

/** Reads the options of the command line. Throws CliError that lists every fault. */
export function parseDevConfig(options: Record<string, unknown>): DevConfig {
  const parsed = devSchema.safeParse({ ...DEV_DEFAULTS, ...options })
  if (!parsed.success) throw new CliError(faultsOf(parsed.error), 'See `sequencer dev --help`.')
  return { ...parsed.data, dataDir: resolve(parsed.data.dataDir) }
}

const faultsOf = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => `--${kebab(path.map(String).join('.'))}: ${message}`).join('\n       ')

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
