/** `sequencer rewards`. */
import { Command } from 'commander'
import { z } from 'zod'
import { EvmError } from '../../../connectors/evm/errors.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, address, parseOptions, whole } from '../../base/options.ts'
import { answer, type Lines } from '../../base/output.ts'
import { readSettings } from '../../ground/directory-settings.ts'
import { type OpenLog, type TargetOptions, targetOf, withTargetOptions } from '../../ground/open-log.ts'
import { tellUnread, watchedLog } from '../../ground/watched-log.ts'
import { readDays } from '../../reading/day-ledger.ts'
import { createDayContract, type DayContract, type DayContractOptions } from '../../reading/day-on-chain.ts'
import { compareDay, type DayReport, driftOf } from './reconcile.ts'
import { renderDays, renderReports, renderSlot } from './render.ts'
import { type DaySource, ledgerSource, runningSource } from './source.ts'

const schema = z.object({
  day: whole(1, Number.MAX_SAFE_INTEGER).optional(),
  slot: whole(0, Number.MAX_SAFE_INTEGER).optional(),
  dataMarket: address.optional(),
  reconcile: z.boolean().default(false),
  json: z.boolean().optional(),
})
type Fields = z.infer<typeof schema>

/** Days that are compared with the contract when none is named: today, and the days in which it may still be told. */
const DAYS_COMPARED = 3

/** @param openBesideChain as `open`, and brings up the development chain of a directory */
export function rewardsCommand(open: OpenLog, openBesideChain: OpenLog): Command {
  return withTargetOptions(new Command('rewards'))
    .option('--day <n>', 'only this day of the contract')
    .option('--slot <n>', 'the days of this slot')
    .option('--data-market <address>', 'only this data market')
    .option('--reconcile', `compare with the contract: the day that is named, or the newest ${DAYS_COMPARED}`)
    .option('--json', AS_JSON)
    .addHelpText('after', '\nExit code 1: nothing is known of what was asked for, or the contract has something else.')
    .action(async (given: TargetOptions) => {
      const fields = parseOptions(schema, given, 'rewards')
      const way = fields.reconcile ? openBesideChain : open
      await withSource(way, given, (found) => (fields.reconcile ? reconcile(found, fields) : show(found, fields)))
    })
}

interface Way {
  readonly source: DaySource
  readonly chain: DayContractOptions
  /** The reason why the source may lack records. */
  readonly unread: string | undefined
}

async function withSource(open: OpenLog, given: TargetOptions, use: (way: Way) => Promise<void>): Promise<void> {
  const target = targetOf(given)
  if (target.kind === 'directory') {
    const running = await runningSource(target.dataDir)
    const settings = running && readSettings(target.dataDir)
    if (running && settings) return use({ source: running, chain: settings.chain, unread: undefined })
  }
  const opened = await open(target)
  try {
    const { log, unread } = watchedLog(opened.log)
    const source = ledgerSource(await readDays(log, opened.topics))
    await use({ source, chain: opened.chain, unread: await unread() })
  } finally {
    await opened.close()
  }
}

async function show({ source, unread }: Way, { day, slot, dataMarket, json }: Fields): Promise<void> {
  const tell = (items: readonly object[], render: () => Lines): void => {
    answer(json, { items, unread: unread ?? null }, render)
    if (items.length === 0) process.exitCode = EXIT.failed
    tellUnread(unread)
  }
  const isMeant = (one: { readonly day: number }): boolean => (day ?? one.day) === one.day
  if (slot === undefined) {
    const days = (await source.days(dataMarket)).filter(isMeant)
    return tell(days, () => renderDays(days))
  }
  const found = (await source.daysOfSlot(slot, dataMarket)).filter(isMeant)
  tell(found, () => renderSlot(slot, found))
}

async function reconcile({ source, chain, unread }: Way, fields: Fields): Promise<void> {
  if (chain.rpcUrls.length === 0)
    throw new CliError('no node is configured here', 'Name one: chain.rpcUrls, --rpc.', EXIT.unavailable)
  const contract = createDayContract(chain)
  try {
    const reports = await reportsOf(source, contract, fields)
    const drift = reports.reduce((sum, one) => sum + driftOf(one), 0)
    answer(fields.json, { reports, drift, unread: unread ?? null }, () => renderReports(reports))
    if (reports.length === 0 || drift > 0) process.exitCode = EXIT.failed
    tellUnread(unread)
  } catch (error) {
    throw error instanceof EvmError ? unaskable(error) : error
  } finally {
    contract.close()
  }
}

function unaskable(error: EvmError): CliError {
  const what = `the contract cannot be asked: ${error.message}`
  return new CliError(what, 'Check the nodes: `sequencer doctor`.', EXIT.unavailable, error)
}

export async function reportsOf(
  source: DaySource,
  contract: Pick<DayContract, 'day' | 'slots'>,
  { day, slot, dataMarket }: Pick<Fields, 'day' | 'slot' | 'dataMarket'>,
): Promise<readonly DayReport[]> {
  const reports: DayReport[] = []
  const seen = new Map<string, number>()
  const all = slot === undefined ? await contract.slots() : 0
  for (const status of await source.days(dataMarket)) {
    const before = seen.get(status.dataMarket) ?? 0
    if (day === undefined ? before >= DAYS_COMPARED : status.day !== day) continue
    seen.set(status.dataMarket, before + 1)
    const slots = await source.slotsOf(status)
    const known = new Set([...slots.map(({ slotId }) => slotId), ...Array.from({ length: all }, (_, i) => i + 1)])
    const asked = slot === undefined ? [...known].sort((a, b) => a - b) : [slot]
    reports.push(compareDay(status, slots, asked, await contract.day(status, asked)))
  }
  return reports
}
