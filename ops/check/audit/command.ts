/** `sequencer audit`. */
import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { z } from 'zod'
import { checkLog, isWhole } from '../../../connectors/log/embedded/repair.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, httpUrl, parseOptions } from '../../base/options.ts'
import { answer } from '../../base/output.ts'
import { directoryPaths } from '../../ground/directory-paths.ts'
import { type OpenLog, type TargetOptions, targetOf, withTargetOptions } from '../../ground/open-log.ts'
import { DAMAGE_HINT, renderDamage } from '../log/command.ts'
import { auditLog } from './audit.ts'
import { connectChain } from './connect-chain.ts'
import { readAnew } from './read-anew.ts'
import { isChecked, isClean, renderAudit } from './render.ts'
import type { AuditReport } from './report.ts'

const schema = z.object({
  rpc: httpUrl.optional(),
  json: z.boolean().optional(),
})

export type AuditArguments = TargetOptions & Readonly<z.infer<typeof schema>>

export function auditCommand(open: OpenLog): Command {
  return withTargetOptions(new Command('audit'))
    .option('--rpc <url>', 'node of the anchor chain to compare with; by default the nodes that the log was made with')
    .option('--json', AS_JSON)
    .addHelpText(
      'after',
      '\nNo process may be running on a data directory; a cluster is read while it runs. Exit code 1: something is lost, doubled,' +
        '\nskipped or different; 4: nothing is in the log, but no node of the chain was asked, or an older clock left out what it needs.' +
        '\nDays are recomputed as far back as all their epochs are in the log; with a node, the contract is asked what each slot has of them.',
    )
    .action(async (given: TargetOptions) => {
      const options: AuditArguments = { ...given, ...parseOptions(schema, given, 'audit') }
      const report = await runAudit(open, options)
      answer(options.json, report, () => renderAudit(report))
      process.exitCode = isClean(report) ? (isChecked(report) ? EXIT.ok : EXIT.unchecked) : EXIT.failed
    })
}

/** Every row is read first: what the records say means little where some are gone. */
async function checkWhole(directory: string): Promise<void> {
  const damage = await checkLog(directory)
  if (isWhole(damage)) return
  throw new CliError(renderDamage(damage), DAMAGE_HINT, EXIT.failed)
}

async function runAudit(open: OpenLog, { rpc, ...options }: AuditArguments): Promise<AuditReport> {
  const target = targetOf(options)
  const paths = target.kind === 'directory' ? directoryPaths(target.dataDir) : undefined
  if (paths && existsSync(paths.log)) await checkWhole(paths.log)
  const opened = await open(target)
  try {
    const chain = await connectChain(opened, rpc)
    try {
      const { topics, rules, appId } = opened
      const more = { anew: await readAnew(opened), ...(chain && { chain }), ...(paths && { blocks: paths.blocks }) }
      return await auditLog(opened.log, { topics, rules, appId, ...more })
    } finally {
      chain?.close()
    }
  } finally {
    await opened.close()
  }
}
