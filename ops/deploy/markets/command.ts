/** `sequencer markets list|add|remove`. */
import { Command } from 'commander'
import { z } from 'zod'
import { EXIT } from '../../base/cli-error.ts'
import { AS_JSON, address, parseOptions, whole } from '../../base/options.ts'
import { answer } from '../../base/output.ts'
import { adminSocketPath } from '../../ground/admin-socket.ts'
import { readSettings } from '../../ground/directory-settings.ts'
import { type MarketsAdmin, marketsAdminOfLog, marketsAdminOfRunning } from '../../ground/markets-admin.ts'
import { type LogTarget, type OpenLog, type TargetOptions, targetOf, withTargetOptions } from '../../ground/open-log.ts'
import { tellUnread } from '../../ground/watched-log.ts'
import { type ChangeReport, changeMarket } from './change.ts'
import { askChain, type ChainAddress } from './on-chain.ts'
import { renderChange, renderMarkets } from './render.ts'

/** Blocks come within seconds; a clock that was just started may have to catch up first. */
const WAIT_SECONDS = 60

const changeSchema = z.object({
  address,
  wait: z.union([z.literal(false), whole(0, 3_600)]),
  dryRun: z.boolean().default(false),
})

export function marketsCommand(open: OpenLog): Command {
  const list = withTargetOptions(new Command('list'))
    .description('Which data markets are served, since when, and what was asked for')
    .option('--json', AS_JSON)
    .action(async (options: TargetOptions & { json?: boolean }) => {
      const read = async ({ admin }: Way) => [await admin.statuses(), await admin.unread()] as const
      const [statuses, unread] = await withAdmin(open, targetOf(options), read)
      answer(options.json, { items: statuses, unread: unread ?? null }, () => renderMarkets(statuses))
      tellUnread(unread)
    })
  return new Command('markets')
    .addCommand(list)
    .addCommand(changeCommand(open, 'add', 'Serve a data market from one of the next blocks on'))
    .addCommand(changeCommand(open, 'remove', 'Stop serving a data market; its open epochs are still finished'))
}

function changeCommand(open: OpenLog, action: 'add' | 'remove', description: string): Command {
  return withTargetOptions(new Command(action))
    .description(description)
    .argument('<address>', 'data market contract')
    .option('--dry-run', 'only say what would happen')
    .option('--wait <s>', 'seconds to wait for the clock', String(WAIT_SECONDS))
    .option('--no-wait', 'end when the request is in the log')
    .option('--json', AS_JSON)
    .action(async (dataMarket: string, given: TargetOptions & { json?: boolean }) => {
      const report = await runChange(open, action, dataMarket, given)
      answer(given.json, report, () => renderChange(report))
      if (report.outcome === 'refused') process.exitCode = EXIT.failed
      if (report.outcome === 'unread') process.exitCode = EXIT.unavailable
    })
}

async function runChange(
  open: OpenLog,
  action: 'add' | 'remove',
  market: string,
  given: TargetOptions,
): Promise<ChangeReport> {
  const fields = { wait: WAIT_SECONDS, ...given, address: market }
  const { address: dataMarket, wait, dryRun } = parseOptions(changeSchema, fields, `markets ${action}`, 'address')
  return withAdmin(open, targetOf(given), ({ admin, chain, answers }) => {
    const waitMs = answers && wait !== false ? wait * 1_000 : 0
    return changeMarket({ dataMarket, action, dryRun, waitMs }, { admin, onChain: () => askChain(chain, dataMarket) })
  })
}

interface Way {
  readonly admin: MarketsAdmin
  readonly chain: ChainAddress
  /** True when a clock may be running that answers; on a directory that this process has open, none is. */
  readonly answers: boolean
}

/** By the socket of the process that runs on a directory, else by the log. */
async function withAdmin<T>(open: OpenLog, target: LogTarget, use: (way: Way) => Promise<T>): Promise<T> {
  if (target.kind === 'directory') {
    const admin = await marketsAdminOfRunning(adminSocketPath(target.dataDir))
    const settings = admin && readSettings(target.dataDir)
    if (settings) return use({ admin, chain: settings.chain, answers: true })
  }
  const opened = await open(target)
  try {
    return await use({ admin: marketsAdminOfLog(opened), chain: opened.chain, answers: target.kind === 'cluster' })
  } finally {
    await opened.close()
  }
}
