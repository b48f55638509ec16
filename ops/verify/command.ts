/** `sequencer verify`: checks a batch without a log and without a node. */
import { join } from 'node:path'
import { Command } from 'commander'
import { CliError, EXIT } from '../cli-error.ts'
import { httpUrl } from '../options.ts'
import { BatchFormatError } from './batch-json.ts'
import { renderReport } from './render.ts'
import type { VerifyReport } from './report.ts'
import { readBatch, readBatchFile } from './source.ts'
import { type VerifyOptions, verifyBatch } from './verify.ts'

/** Folder of the file block store inside a data directory. */
export const BLOCKS_FOLDER = 'blocks'

export interface VerifyArguments {
  readonly chainId?: string
  readonly protocolState?: string
  readonly slot?: readonly string[]
  readonly previous?: readonly string[]
  readonly closeBlockHash?: string
  readonly blocks?: string
  readonly dataDir?: string
  readonly kubo?: string
  readonly json?: boolean
}

export function verifyCommand(): Command {
  const collect = (value: string, before: readonly string[] = []) => [...before, value]
  return new Command('verify')
    .argument('<file|cid>', 'batch file (compact or pretty JSON), or a CID to look up in a store')
    .option('--chain-id <n>', 'chain of the EIP-712 domain; needed to check signatures')
    .option('--protocol-state <address>', 'ProtocolState contract of the EIP-712 domain; needed to check signatures')
    .option('--slot <slot=owner>', 'owner of a slot, e.g. 4036=0x…; can be repeated', collect)
    .option(
      '--previous <file>',
      "the epoch's earlier batches in order, when the tree is chained; can be repeated",
      collect,
    )
    .option('--close-block-hash <hash>', 'hash of the block that closed the epoch; decides ties')
    .option('--blocks <dir>', 'block store to look a CID up in')
    .option('--data-dir <dir>', 'data directory whose block store to look a CID up in')
    .option('--kubo <url>', 'Kubo RPC address to look a CID up at')
    .option('--json', 'print the report as JSON')
    .action(async (target: string, options: VerifyArguments) => {
      const report = await runVerify(target, options)
      process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : renderReport(report))
      process.exitCode = report.ok ? EXIT.ok : EXIT.failed
    })
}

/** Throws CliError for wrong arguments, a batch that is not found, and bytes that are no batch. */
export async function runVerify(target: string, options: VerifyArguments): Promise<VerifyReport> {
  const checks = parseOptions(options)
  const blocks = [options.blocks, options.dataDir && join(options.dataDir, BLOCKS_FOLDER)].filter(
    (dir) => dir !== undefined,
  )
  const { bytes, cid } = await readBatch(target, { blocks: blocks as string[], kubo: options.kubo })
  const previous = await Promise.all((options.previous ?? []).map(readBatchFile))
  try {
    return await verifyBatch(bytes, { ...checks, previous, ...(cid !== undefined && { expectedCid: cid }) })
  } catch (error) {
    if (!(error instanceof BatchFormatError)) throw error
    throw new CliError(
      `${target} is no batch: ${error.message}`,
      'A batch is JSON with submissionIDs, submissions, roothash, pids and cids.',
      EXIT.failed,
      error,
    )
  }
}

function parseOptions(options: VerifyArguments): VerifyOptions {
  const { chainId, protocolState, slot = [], closeBlockHash } = options
  const faults: string[] = []
  if ((chainId === undefined) !== (protocolState === undefined))
    faults.push('--chain-id and --protocol-state belong together')
  if (chainId !== undefined && !/^[1-9][0-9]{0,15}$/.test(chainId)) faults.push(`--chain-id ${chainId}: not a chain id`)
  if (protocolState !== undefined && !ADDRESS.test(protocolState))
    faults.push(`--protocol-state ${protocolState}: not 0x and 40 hex digits`)
  if (closeBlockHash !== undefined && !/^0x[0-9a-fA-F]{64}$/.test(closeBlockHash))
    faults.push(`--close-block-hash ${closeBlockHash}: not 0x and 64 hex digits`)
  if (options.kubo !== undefined && !httpUrl.safeParse(options.kubo).success)
    faults.push(`--kubo ${options.kubo}: not an http or https URL`)
  const slots = new Map<number, string>()
  for (const text of slot) {
    const [, id, owner] = /^([0-9]{1,15})=(0x[0-9a-fA-F]{40})$/.exec(text) ?? []
    if (id === undefined) faults.push(`--slot ${text}: not <slot>=<0x and 40 hex digits>`)
    else slots.set(Number(id), owner!)
  }
  if (slots.size > 0 && chainId === undefined) faults.push('--slot needs --chain-id and --protocol-state')
  if (faults.length > 0) throw new CliError(faults.join('\n       '), 'See `sequencer verify --help`.')
  return {
    slots,
    ...(chainId !== undefined && { domain: { chainId: Number(chainId), protocolState: protocolState! } }),
    ...(closeBlockHash !== undefined && { closeBlockHash }),
  }
}

const ADDRESS = /^0x[0-9a-fA-F]{40}$/
