/**
 * The measure of a batch or a proof: chain and contract, named by the caller. The file that is checked may name others, a
 * contract of its own maker for instance, in which everything is in order (decision 0024).
 */
import type { Command } from 'commander'
import { z } from 'zod'
import { CliError } from '../base/cli-error.ts'
import { address, evenWithFaults, oneOf, whole } from '../base/options.ts'
import { DEPLOYMENTS, type Deployment } from './deployments.ts'
import { fromFile } from './sources.ts'

export interface Pin extends Deployment {
  /** The source that names it, in words. */
  readonly by: string
}

/** Fields of the options that `withPinOptions` adds, for a schema. */
export const pinFields = {
  chainId: whole(1, Number.MAX_SAFE_INTEGER).optional(),
  protocolState: address.optional(),
  deployment: oneOf(...Object.keys(DEPLOYMENTS)).optional(),
  config: z.string().min(1, 'no name of a file').optional(),
}

interface PinOptions {
  readonly chainId?: number | undefined
  readonly protocolState?: string | undefined
  readonly deployment?: string | undefined
  readonly config?: string | undefined
}

export const bothOrNone = [
  ({ chainId, protocolState }: PinOptions) => (chainId === undefined) === (protocolState === undefined),
  evenWithFaults('--chain-id and --protocol-state belong together'),
] as const

export const withPinOptions = (command: Command): Command =>
  command
    .option('--chain-id <n>', 'chain of the contract')
    .option('--protocol-state <address>', 'its ProtocolState contract')
    .option('--deployment <name>', `both by name: ${Object.keys(DEPLOYMENTS).join(', ')}`)
    .option('--config <file>', 'both out of the configuration of a sequencer')

/** Undefined when nothing was pinned. Throws CliError when it was in two ways, or when the file does not name them. */
export function pinOf({ chainId, protocolState, deployment, config }: PinOptions): Pin | undefined {
  const ways = [chainId ?? protocolState, deployment, config].filter((way) => way !== undefined)
  if (ways.length > 1)
    throw new CliError(
      'chain and contract are named in more than one way',
      'Give --chain-id with --protocol-state, or --deployment, or --config.',
    )
  if (chainId !== undefined && protocolState !== undefined)
    return { chainId, protocolState, by: '--chain-id and --protocol-state' }
  if (deployment !== undefined) return { ...DEPLOYMENTS[deployment]!, by: `the deployment ${deployment}` }
  return config === undefined ? undefined : { ...chainIn(config), by: config }
}

const chainSchema = z.object({ chainId: z.int().min(1), protocolState: address })

/** Only what the file says itself: a variable of the environment is nothing that one sees. */
function chainIn(config: string): Deployment {
  const { given, faults, isUnread } = fromFile(config)
  const value = (name: string) => given.find(({ path }) => path === `chain.${name}`)?.value
  const parsed = chainSchema.safeParse({ chainId: value('chainId'), protocolState: value('protocolState') })
  if (parsed.success) return parsed.data
  const why = isUnread
    ? faults.map(({ message }) => message)
    : parsed.error.issues.map(({ path, message }) => `chain.${path.join('.')}: ${message}`)
  throw new CliError(`${config} names no chain and contract: ${why.join('; ')}`, 'Check --config.')
}
