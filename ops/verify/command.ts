/** `sequencer verify`: checks a batch without a log and without a node. */
import { Command } from 'commander'
import { z } from 'zod'
import { CliError, EXIT } from '../cli-error.ts'
import { directoryPaths } from '../data-directory.ts'
import { address, evenWithFaults, httpUrl, parseOptions, whole } from '../options.ts'
import { BatchFormatError } from './batch-json.ts'
import { renderReport } from './render.ts'
import type { VerifyReport } from './report.ts'
import { readBatch, readBatchFile } from './source.ts'
import { type VerifyOptions, verifyBatch } from './verify.ts'

const slotOwner = z
  .string()
  .regex(/^[0-9]{1,15}=0x[0-9a-fA-F]{40}$/, 'not <slot>=<0x and 40 hex digits>')
  .transform((text) => text.split('=') as [slot: string, owner: string])

const schema = z
  .object({
    chainId: whole(1, Number.MAX_SAFE_INTEGER).optional(),
    protocolState: address.optional(),
    slot: z.array(slotOwner).default([]),
    previous: z.array(z.string()).default([]),
    closeBlockHash: z
      .string()
      .regex(/^0x[0-9a-fA-F]{64}$/, 'not 0x and 64 hex digits')
      .optional(),
    blocks: z.string().optional(),
    dataDir: z.string().optional(),
    kubo: httpUrl.optional(),
    json: z.boolean().default(false),
  })
  .refine(
    ({ chainId, protocolState }) => (chainId === undefined) === (protocolState === undefined),
    evenWithFaults('--chain-id and --protocol-state belong together'),
  )
  .refine(
    ({ slot, chainId }) => !slot?.length || chainId !== undefined,
    evenWithFaults('--slot needs --chain-id and --protocol-state'),
  )

export type VerifyArguments = z.input<typeof schema>

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
    .action(async (target: string, given: VerifyArguments) => {
      const report = await runVerify(target, given)
      process.stdout.write(given.json ? `${JSON.stringify(report)}\n` : renderReport(report))
      process.exitCode = report.ok ? EXIT.ok : EXIT.failed
    })
}

/** Throws CliError for wrong arguments, a batch that is not found, and bytes that are no batch. */
export async function runVerify(target: string, given: VerifyArguments): Promise<VerifyReport> {
  const { chainId, protocolState, slot, closeBlockHash, ...options } = parseOptions(schema, given, 'verify')
  const blocks = [options.blocks, options.dataDir && directoryPaths(options.dataDir).blocks].filter(
    (folder) => folder !== undefined,
  )
  const { bytes, cid } = await readBatch(target, { blocks, kubo: options.kubo })
  const checks: VerifyOptions = {
    slots: new Map(slot.map(([id, owner]) => [Number(id), owner])),
    domain: chainId === undefined || protocolState === undefined ? undefined : { chainId, protocolState },
    closeBlockHash,
    previous: await Promise.all(options.previous.map(readBatchFile)),
    expectedCid: cid,
  }
  try {
    return await verifyBatch(bytes, checks)
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
