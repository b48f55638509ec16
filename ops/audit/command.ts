/** `sequencer audit`. */
import { Command } from 'commander'
import { z } from 'zod'
import { CliError, EXIT } from '../cli-error.ts'
import type { OpenedDirectory } from '../lookup/directory.ts'
import { httpUrl, parseOptions } from '../options.ts'
import { type AuditOptions, auditLog } from './audit.ts'
import { type ChainReader, isChainOf, openChainReader } from './chain.ts'
import { isClean, renderAudit } from './render.ts'
import type { AuditReport } from './report.ts'

/** A data directory with the contract that its log was written for. */
export interface AuditableDirectory extends OpenedDirectory {
  readonly chain: { readonly rpcUrls: readonly string[]; readonly chainId: number; readonly protocolState: string }
}

const schema = z.object({
  dataDir: z.string().min(1, 'no name of a directory'),
  rpc: httpUrl.optional(),
  json: z.boolean().optional(),
})

export type AuditArguments = Readonly<z.infer<typeof schema>>

export function auditCommand(open: (dataDir: string) => Promise<AuditableDirectory>): Command {
  return new Command('audit')
    .description('Recompute everything from the log with a second implementation of the rules, and compare')
    .option('--data-dir <dir>', 'data directory; no process may be running on it', '.data/dev')
    .option(
      '--rpc <url>',
      'node of the anchor chain to compare with; by default the one that the directory was made with',
    )
    .option('--json', 'print the report as JSON')
    .action(async (given: unknown) => {
      const options = parseOptions(schema, given, 'audit')
      const report = await runAudit(open, options)
      process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : renderAudit(report))
      if (!isClean(report)) process.exitCode = EXIT.failed
    })
}

export async function runAudit(
  open: (dataDir: string) => Promise<AuditableDirectory>,
  { dataDir, rpc }: AuditArguments,
): Promise<AuditReport> {
  const directory = await open(dataDir)
  try {
    const chain = await connect(directory, rpc)
    try {
      const { topics, rules, appId } = directory
      const options: AuditOptions = { topics, rules, appId, ...(chain && { chain }) }
      return await auditLog(directory.log, options)
    } finally {
      chain?.close()
    }
  } finally {
    await directory.close()
  }
}

/** The node that was named, or the first of the directory's own that answers; a node that is down is no fault there. */
async function connect(
  { chain, log, topics }: AuditableDirectory,
  rpc: string | undefined,
): Promise<ChainReader | undefined> {
  for (const url of rpc === undefined ? chain.rpcUrls : [rpc]) {
    try {
      const reader = await openChainReader({ ...chain, url })
      if (await isChainOf(reader, log, topics)) return reader
      reader.close()
      throw new Error(`${url} has none of the blocks that the log knows`)
    } catch (error) {
      if (rpc === undefined) continue
      throw new CliError(
        `the node ${rpc} cannot be asked: ${(error as Error).message}`,
        'Check --rpc, or leave it out: the log is audited without a node too.',
        EXIT.unavailable,
        error,
      )
    }
  }
  return undefined
}
