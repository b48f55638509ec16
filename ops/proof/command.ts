/** `sequencer proof get` and `sequencer proof verify`. */
import { readFile, writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { CliError, EXIT } from '../cli-error.ts'
import { askApi, askRunning } from '../lookup/directory.ts'
import { knownMarkets } from '../markets/known-markets.ts'
import { type OpenLog, type TargetOptions, targetOf, withTargetOptions } from '../open-log.ts'
import { address, httpUrl, marketOf, parseOptions, whole } from '../options.ts'
import { checkOnChain } from './chain.ts'
import { type Proof, ProofFault, proofText } from './format.ts'
import { createProofs, ProofRefusal, proofPorts } from './source.ts'
import { createProofVerifier } from './verify.ts'

const number = whole(0, Number.MAX_SAFE_INTEGER)
const getSchema = z.object({
  slot: number,
  epoch: number,
  project: z.string().optional(),
  dataMarket: address.optional(),
  api: httpUrl.optional(),
  out: z.string().optional(),
})
const verifySchema = z.object({ rpc: httpUrl.optional(), json: z.boolean().optional() })

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
      if (options.out === undefined) process.stdout.write(text)
      else await write(options.out, text)
    })
}

function checkCommand(): Command {
  return new Command('verify')
    .description('Check a proof: alone from the file, and against the chain when a node is given')
    .argument('<file>', 'what `proof get` wrote')
    .option('--rpc <url>', 'node of the anchor chain')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nThe file alone shows that a signed submission is in a batch with this CID. That the batch is anchored, only a node' +
        '\ncan show. Exit code 1: the proof does not hold; the first reason is printed.',
    )
    .action(async (file: string, given: Record<string, unknown>) => {
      const { rpc, json } = parseOptions(verifySchema, given, 'proof verify')
      const result = await runProofVerify(file, rpc)
      process.stdout.write(json ? `${JSON.stringify(result)}\n` : renderResult(result))
      process.exitCode = result.ok ? EXIT.ok : EXIT.failed
    })
}

/** Throws CliError when there is no such proof. */
export async function runProofGet(open: OpenLog, options: GetArguments): Promise<Proof> {
  const { slot, epoch, project, dataMarket, api } = options
  const path = `/v1/proofs/${epoch}/${slot}`
  const fields = { project, market: dataMarket }
  if (api !== undefined) return askApi(api, path, fields)
  const target = targetOf(options)
  const running = target.kind === 'directory' ? await askRunning<Proof>(target.dataDir, path, fields) : undefined
  if (running) return running
  const opened = await open(target)
  try {
    const { log, topics, rules, chain } = opened
    const market = marketOf(await knownMarkets(log, topics, rules), dataMarket)
    const query = { dataMarket: market, epochId: epoch, slotId: slot, projectId: project }
    return await createProofs(chain, proofPorts(log, topics)).get(query)
  } catch (error) {
    throw error instanceof ProofRefusal ? refused(error, slot, epoch) : error
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

export interface ProofResult {
  readonly ok: boolean
  /** Why it does not hold; null when it does. */
  readonly reason: string | null
  /** What file and node show, in words. */
  readonly shown: readonly string[]
  readonly notShown: readonly string[]
}

async function runProofVerify(path: string, rpc: string | undefined): Promise<ProofResult> {
  const bytes = await read(path)
  try {
    const { proof, shown, notShown } = (await createProofVerifier())(bytes)
    if (rpc === undefined) return { ok: true, reason: null, shown, notShown: notShown.map(({ text }) => text) }
    const onChain = await checkOnChain(proof, rpc)
    const still = notShown.filter(({ nodeShows }) => !nodeShows).map(({ text }) => text)
    return { ok: true, reason: null, shown: [...shown, ...onChain], notShown: still }
  } catch (error) {
    if (!(error instanceof ProofFault)) throw error
    return { ok: false, reason: error.message, shown: [], notShown: [] }
  }
}

function renderResult({ ok, reason, shown, notShown }: ProofResult): string {
  if (!ok) return `The proof does NOT hold: ${reason}.\n`
  const lines = [...shown.map((text) => `shown       ${text}`), ...notShown.map((text) => `not shown   ${text}`)]
  return `${lines.join('\n')}\nThe proof holds.\n`
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new CliError(`${path} cannot be read: ${(error as Error).message}`, 'Check the path.', EXIT.usage, error)
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text)
  } catch (error) {
    throw new CliError(
      `${path} cannot be written: ${(error as Error).message}`,
      'Check --out.',
      EXIT.unavailable,
      error,
    )
  }
}
