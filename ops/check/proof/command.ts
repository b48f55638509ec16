/** `sequencer proof get` and `sequencer proof verify`. */
import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { readBounded } from '../../base/bounded-file.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, address, httpUrl, marketOf, parseOptions, whole } from '../../base/options.ts'
import { answer, stdout } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { type OpenedLog, type OpenLog, type TargetOptions, targetOf, withTargetOptions } from '../../ground/open-log.ts'
import { askApi, askRunning } from '../../ground/running-process.ts'
import { notWhole, watchedLog } from '../../ground/watched-log.ts'
import { knownMarkets } from '../../reading/known-markets.ts'
import { PROOF_BYTES_MAX, type Proof, proofText } from '../../reading/proof/format.ts'
import { createProofs, ProofRefusal, proofPorts } from '../../reading/proof/source.ts'
import { bothOrNone, pinFields, pinOf, withPinOptions } from '../../settings/pin.ts'
import { checkProof, exitCodeOf, renderResult } from './check.ts'

const number = whole(0, Number.MAX_SAFE_INTEGER)
const getSchema = z.object({
  slot: number,
  epoch: number,
  project: z.string().optional(),
  dataMarket: address.optional(),
  api: httpUrl.optional(),
  out: z.string().optional(),
})
const verifySchema = z
  .object({ ...pinFields, dataMarket: address.optional(), rpc: httpUrl.optional(), json: z.boolean().optional() })
  .refine(...bothOrNone)

type GetArguments = TargetOptions & z.infer<typeof getSchema>

export function proofCommand(open: OpenLog): Command {
  return new Command('proof').addCommand(getCommand(open)).addCommand(checkCommand())
}

function getCommand(open: OpenLog): Command {
  return withTargetOptions(new Command('get'))
    .description('Write the proof for a submission, a JSON file that speaks for itself')
    .requiredOption('--slot <n>', 'slot of the snapshotter')
    .requiredOption('--epoch <n>', 'epoch')
    .option('--project <id>', 'project; needed when the slot counts in several')
    .option('--data-market <address>', 'data market; needed when there are several')
    .option('--api <url>', 'ask a sequencer with the role api instead of reading its log')
    .option('--out <file>', 'where to write it; standard output by default')
    .action(async (given: TargetOptions) => {
      const options: GetArguments = { ...given, ...parseOptions(getSchema, given, 'proof get') }
      const text = proofText(await runProofGet(open, options))
      if (options.out === undefined) stdout.printRaw(text)
      else {
        await write(options.out, text)
        stdout.print(`the proof is in ${printable(options.out)}`)
      }
    })
}

function checkCommand(): Command {
  return withPinOptions(new Command('verify'))
    .description('Check a proof against a contract that you name: by the file, and on the chain when a node is given')
    .argument('<file>', 'the file that `proof get` wrote')
    .option('--data-market <address>', 'data market that it should be about')
    .option('--rpc <url>', 'node of the anchor chain')
    .option('--json', AS_JSON)
    .addHelpText(
      'after',
      '\nAnybody can make a file that holds for a contract of their own. So it holds only for the contract that you name: by' +
        '\n--chain-id and --protocol-state, --deployment or --config. The file alone shows that a signed submission is in a' +
        '\nbatch with this CID; that the contract keeps the batch, only a node can show (--rpc).' +
        '\nExit codes: 0 it holds · 1 it does not, and the first reason is printed · 4 nothing speaks against it, but no contract' +
        '\nor no node was named.',
    )
    .action(checkFile)
}

async function checkFile(file: string, given: Record<string, unknown>): Promise<void> {
  const { rpc, json, dataMarket, ...pin } = parseOptions(verifySchema, given, 'proof verify')
  const bytes = await readBounded(file, PROOF_BYTES_MAX)
  const result = await checkProof(bytes, { pin: pinOf(pin), dataMarket, rpc })
  answer(json, result, () => renderResult(result))
  process.exitCode = exitCodeOf(result)
}

/** Throws CliError when there is no such proof. */
export async function runProofGet(open: OpenLog, options: GetArguments): Promise<Proof> {
  const { slot, epoch, project, dataMarket, api } = options
  const path = `/v1/proofs/${epoch}/${slot}`
  const fields = { project, market: dataMarket }
  if (api !== undefined) return askApi(api, path, fields)
  const target = targetOf(options)
  const running = target.kind === 'directory' ? await askRunning<Proof>(target.dataDir, path, fields) : undefined
  return running ?? proofInLog(await open(target), options)
}

async function proofInLog(opened: OpenedLog, { slot, epoch, project, dataMarket }: GetArguments): Promise<Proof> {
  const watched = watchedLog(opened.log)
  try {
    const { log } = watched
    const { topics, rules, chain } = opened
    const market = marketOf(await knownMarkets(log, topics, rules), dataMarket)
    const query = { dataMarket: market, epochId: epoch, slotId: slot, projectId: project }
    return await createProofs(chain, proofPorts(log, topics)).get(query)
  } catch (error) {
    throw (await notWhole(watched)) ?? (error instanceof ProofRefusal ? refused(error, slot, epoch) : error)
  } finally {
    await opened.close()
  }
}

function refused({ code, message }: ProofRefusal, slot: number, epoch: number): CliError {
  const hint = {
    NOT_IN_A_BATCH: `\`sequencer why --slot ${slot} --epoch ${epoch}\` says what became of its submissions.`,
    NOT_ANCHORED: `\`sequencer epoch ${epoch}\` says where it stands. A proof is given once the batch is final.`,
    AMBIGUOUS: 'Name the project with --project.',
  }[code]
  return new CliError(message, hint, EXIT.failed)
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text)
  } catch (error) {
    throw new CliError(
      `${printable(path)} cannot be written: ${printable((error as Error).message)}`,
      'Check --out.',
      EXIT.unavailable,
      error,
    )
  }
}
