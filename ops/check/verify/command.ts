/** `sequencer verify`: checks a batch without a log and without a node. */
import { Command } from 'commander'
import { z } from 'zod'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, address, evenWithFaults, httpUrl, parseOptions } from '../../base/options.ts'
import { answer } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { directoryPaths } from '../../ground/directory-paths.ts'
import { bothOrNone, pinFields, pinOf, withPinOptions } from '../../settings/pin.ts'
import type { ChainOptions } from '../audit/chain.ts'
import { BatchFormatError } from './batch-json.ts'
import { checkAnchored } from './chain.ts'
import { renderReport } from './render.ts'
import type { VerifyReport } from './report.ts'
import { readBatch, readBatchFile } from './source.ts'
import { type VerifyOptions, verifyBatch } from './verify.ts'

const slotOwner = z
  .string()
  .regex(/^[0-9]{1,15}=0x[0-9a-fA-F]{40}$/, 'not <slot>=<0x and 40 hex digits>')
  .transform((text) => text.split('=') as [slot: string, owner: string])

const isPinned = (way: { chainId?: unknown; deployment?: unknown; config?: unknown }): boolean =>
  [way.chainId, way.deployment, way.config].some((one) => one !== undefined)

const schema = z
  .object({
    ...pinFields,
    cid: z.string().optional(),
    rpc: httpUrl.optional(),
    dataMarket: address.optional(),
    slot: z.array(slotOwner).default([]),
    previous: z.array(z.string()).default([]),
    closeBlockHash: z
      .string()
      .regex(/^0x[0-9a-fA-F]{64}$/, 'not 0x and 64 hex digits')
      .optional(),
    blocks: z.string().optional(),
    dataDir: z.string().optional(),
    kubo: httpUrl.optional(),
    strict: z.boolean().default(false),
    json: z.boolean().default(false),
  })
  .refine(...bothOrNone)
  .refine(
    ({ slot, ...pin }) => !slot?.length || isPinned(pin),
    evenWithFaults('--slot needs --chain-id and --protocol-state, or another way to name both'),
  )
  .refine(
    ({ rpc, ...pin }) => rpc === undefined || isPinned(pin),
    evenWithFaults('--rpc needs --chain-id and --protocol-state, or another way to name both'),
  )

export type VerifyArguments = z.input<typeof schema>

export function verifyCommand(): Command {
  const collect = (value: string, before: readonly string[] = []) => [...before, value]
  return withPinOptions(new Command('verify'))
    .argument('<file|cid>', 'batch file (compact or pretty JSON), or a CID to look up in a store')
    .option('--slot <slot=owner>', 'owner of a slot, e.g. 4036=0x…; can be repeated', collect)
    .option(
      '--previous <file>',
      "the epoch's earlier batches in order, when the tree is chained; can be repeated",
      collect,
    )
    .option('--close-block-hash <hash>', 'hash of the block that closed the epoch; decides ties')
    .option('--cid <cid>', 'the CID that the bytes of a file should have')
    .option('--data-market <address>', 'data market of the batch, where its submissions name none')
    .option('--rpc <url>', 'node of the chain, to ask whether the contract keeps the batch')
    .option('--blocks <dir>', 'block store to look a CID up in')
    .option('--data-dir <dir>', 'data directory whose block store to look a CID up in')
    .option('--kubo <url>', 'Kubo RPC address to look a CID up at')
    .option('--strict', 'fail also when something could not be checked')
    .option('--json', AS_JSON)
    .addHelpText(
      'after',
      '\nWithout chain and contract no signature can be checked: what a batch names itself is no measure.' +
        '\nExit code 1: something is wrong; 4: nothing is, in what could be checked, and the last line says what could not.',
    )
    .action(async (target: string, given: VerifyArguments) => {
      const report = await runVerify(target, given)
      answer(given.json, report, () => renderReport(report, given.strict))
      process.exitCode = exitCodeOf(report, given.strict)
    })
}

const exitCodeOf = ({ ok, unchecked }: VerifyReport, strict: boolean | undefined): number =>
  !ok || (strict && unchecked.length > 0) ? EXIT.failed : unchecked.length > 0 ? EXIT.unchecked : EXIT.ok

/** No signature covers the market that submissions name. */
function ofMarket(report: VerifyReport, dataMarket: string | undefined): VerifyReport {
  if (dataMarket === undefined || report.dataMarket === dataMarket) return report
  if (report.dataMarket === null) return { ...report, dataMarket }
  const message = `it names the data market ${report.dataMarket}, not ${dataMarket}`
  return {
    ...report,
    ok: false,
    problems: [...report.problems, { code: 'MARKETS_DIFFER', where: 'the batch', message }],
  }
}

async function withChain(report: VerifyReport, options: ChainOptions): Promise<VerifyReport> {
  const problems = [...report.problems, ...(await checkAnchored(report, options))]
  const unchecked = report.unchecked.filter(({ code }) => code !== 'CHAIN')
  return { ...report, ok: problems.length === 0, problems, unchecked }
}

/** Throws CliError for wrong arguments, a batch that is not found, and bytes that are no batch. */
export async function runVerify(target: string, given: VerifyArguments): Promise<VerifyReport> {
  const { slot, closeBlockHash, ...options } = parseOptions(schema, given, 'verify')
  const domain = pinOf(options)
  const blocks = [options.blocks, options.dataDir && directoryPaths(options.dataDir).blocks].filter(
    (folder) => folder !== undefined,
  )
  const { bytes, cid } = await readBatch(target, { blocks, kubo: options.kubo })
  const checks: VerifyOptions = {
    slots: new Map(slot.map(([id, owner]) => [Number(id), owner])),
    domain,
    closeBlockHash,
    previous: await Promise.all(options.previous.map(readBatchFile)),
    expectedCid: cid,
    statedCid: options.cid,
  }
  try {
    const report = await verifyBatch(bytes, checks)
    const named = ofMarket(report, options.dataMarket)
    return domain && options.rpc ? await withChain(named, { ...domain, url: options.rpc }) : named
  } catch (error) {
    if (!(error instanceof BatchFormatError)) throw error
    throw new CliError(
      `${printable(target)} is no batch: ${printable(error.message)}`,
      'A batch is JSON with submissionIDs, submissions, roothash, pids and cids.',
      EXIT.failed,
      error,
    )
  }
}
