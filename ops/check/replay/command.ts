/** `sequencer replay`. */
import { Command } from 'commander'
import { z } from 'zod'
import type { EpochKey, EpochTick } from '../../../schemas/types.ts'
import { rulesOfMarket } from '../../../topology/rules.ts'
import { NO_ROOM_RULE } from '../../../topology/validate/validate.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, address, httpUrl, marketOf, parseOptions, whole } from '../../base/options.ts'
import { answer, type Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { plural } from '../../base/words.ts'
import { type OpenedLog, type OpenLog, type TargetOptions, targetOf, withTargetOptions } from '../../ground/open-log.ts'
import { notWhole, watchedLog } from '../../ground/watched-log.ts'
import { knownMarkets } from '../../reading/known-markets.ts'
import { partitionsOf } from '../../reading/scan.ts'
import { connectChain } from '../audit/connect-chain.ts'
import type { Votes } from '../audit/days/contribution.ts'
import {
  compareBatches,
  compareChain,
  compareFinalizations,
  compareTallies,
  compareVerdicts,
  type Difference,
  Differences,
} from './compare.ts'
import { type ReplayInput, readInput } from './input.ts'
import { type Outcome, readRecorded } from './outcome.ts'
import { recompute } from './recompute.ts'

const schema = z.object({
  epoch: whole(1, Number.MAX_SAFE_INTEGER),
  dataMarket: address.optional(),
  rpc: httpUrl.optional(),
  json: z.boolean().optional(),
})

interface ReplayOptions {
  readonly epoch: number
  readonly dataMarket?: string | undefined
}

export type ReplayArguments = TargetOptions &
  ReplayOptions & { readonly rpc?: string | undefined; readonly json?: boolean | undefined }

export interface EpochContribution {
  readonly day: number
  readonly dailyQuota: number
  /** Sums over the slots. */
  readonly accepted: number
  readonly counted: number
  /** True when the votes were compared with the tallies; false when the tallies have expired, or are still to come. */
  readonly compared: boolean
  /** Ascending. */
  readonly slots: readonly (Votes & { readonly slotId: number })[]
}

export interface ReplayReport {
  readonly dataMarket: string
  readonly epochId: number
  readonly identical: boolean
  readonly submissions: number
  readonly verdicts: number
  readonly projects: number
  readonly batches: number
  /** True when the contract was compared too; false without a node, or while not everything is anchored. */
  readonly chain: boolean
  /** Votes that the epoch adds to its day; null when it is in none, or the market keeps none. */
  readonly contribution: EpochContribution | null
  /** Submissions that came after the close and have no verdict yet. */
  readonly pending: number
  /** The log begins at this block: what was decided by earlier ones (a header from before) may differ. */
  readonly cutAt: number | null
  readonly differences: readonly Difference[]
}

export function replayCommand(open: OpenLog): Command {
  return withTargetOptions(new Command('replay'))
    .requiredOption('--epoch <n>', 'epoch')
    .option('--data-market <address>', 'data market; needed when there are several')
    .option('--rpc <url>', 'node of the anchor chain to compare with; by default the nodes that the log was made with')
    .option('--json', AS_JSON)
    .addHelpText(
      'after',
      '\nIt runs the very code that made the epoch, so a difference means that the log, the rules or the code changed since:' +
        '\nwhat a new version would have decided. `sequencer audit` asks another question, whether that code is right, and' +
        '\ntherefore has an implementation of its own. Exit code 1: there are differences; 3: the log does not hold the epoch;' +
        '\n4: the log has no difference, but no node was asked, or the epoch is not anchored yet.' +
        '\nNo process may be running on a data directory; a cluster is read while it runs.',
    )
    .action((given: TargetOptions) => tellReplay(open, given))
}

async function tellReplay(open: OpenLog, given: TargetOptions): Promise<void> {
  const options: ReplayArguments = { ...given, ...parseOptions(schema, given, 'replay') }
  const report = await runReplay(open, options)
  answer(options.json, report, () => renderReplay(report))
  process.exitCode = report.identical ? (report.chain ? EXIT.ok : EXIT.unchecked) : EXIT.failed
}

async function runReplay(open: OpenLog, { rpc, ...options }: ReplayArguments): Promise<ReplayReport> {
  const opened = await open(targetOf(options))
  try {
    return await replayWhole(opened, options, rpc)
  } finally {
    await opened.close()
  }
}

async function replayWhole(opened: OpenedLog, options: ReplayOptions, rpc?: string): Promise<ReplayReport> {
  const watched = watchedLog(opened.log)
  const report = await replay({ ...opened, log: watched.log }, options, rpc).catch(async (error: unknown) => {
    throw (await notWhole(watched)) ?? error
  })
  const doubt = report.identical ? undefined : await notWhole(watched)
  if (doubt) throw doubt
  return report
}

export async function replay(opened: OpenedLog, options: ReplayOptions, rpc?: string): Promise<ReplayReport> {
  const { log, topics, rules } = opened
  const dataMarket = marketOf(await knownMarkets(log, topics, rules), options.dataMarket)
  const key = { dataMarket, epochId: options.epoch }
  // first where the submissions end, so that what was decided about them is there to be read
  const bounds = await log.bounds(partitionsOf(topics.submissions))
  const recorded = await readRecorded(log, topics, key)
  const withOthers = [...recorded.verdicts.values()].some(({ rule }) => rule === NO_ROOM_RULE)
  const input = await readInput(log, topics, key, { bounds, withOthers })
  if (input.cutAt !== undefined && !rules.markets.some((market) => market.dataMarket === dataMarket))
    checkAdded(input, key)
  if (!recorded.summary)
    throw new CliError(
      `epoch ${key.epochId} is closed, but its batches are not in the log`,
      'They are still to be cut, or have expired: `sequencer epoch` says where it stands.',
      EXIT.unavailable,
    )
  const recomputed = await recompute(log, topics, rules, key, input)
  const differences = new Differences()
  const pending = compareVerdicts(
    input,
    recomputed.verdicts,
    recorded.verdicts,
    rulesOfMarket(rules, dataMarket),
    differences,
  )
  compareFinalizations(recomputed.finalizations, recorded.finalizations, differences)
  await compareBatches(recomputed, recorded, differences)
  const isTallied = compareTallies(recomputed, recorded, differences)
  const chain = await connectChain(opened, rpc)
  try {
    const isCompared = chain !== undefined && (await compareChain(chain, key, recomputed, recorded, differences))
    return {
      ...key,
      identical: differences.all.length === 0,
      submissions: input.submissions,
      verdicts: recomputed.verdicts.size,
      projects: recomputed.finalizations.size,
      batches: recomputed.batches.length,
      chain: isCompared,
      contribution:
        rulesOfMarket(rules, dataMarket).rewards === 'off' ? null : contributionOf(input.close, recomputed, isTallied),
      pending,
      cutAt: input.cutAt ?? null,
      differences: differences.all,
    }
  } finally {
    chain?.close()
  }
}

function contributionOf(
  { day, dailyQuota }: EpochTick,
  { votes }: Outcome,
  compared: boolean,
): EpochContribution | null {
  if (day === 0) return null
  const slots = [...votes.votes].sort(([a], [b]) => a - b).map(([slotId, of]) => ({ slotId, ...of }))
  const sum = (of: 'accepted' | 'counted') => slots.reduce((total, slot) => total + slot[of], 0)
  return { day, dailyQuota, accepted: sum('accepted'), counted: sum('counted'), compared, slots }
}

/** Without the tick that added a market the topology refuses all of it. */
function checkAdded({ partitions }: ReplayInput, { dataMarket, epochId }: EpochKey): void {
  const isSaid = partitions[0]!.some(({ tick }) =>
    tick?.markets.some((change) => change.served && change.dataMarket === dataMarket),
  )
  if (isSaid) return
  throw new CliError(
    `the log no longer holds the tick that added ${dataMarket}, which epoch ${epochId} needs`,
    '`sequencer verify` checks its batches without it.',
    EXIT.unavailable,
  )
}

function conclusion({ identical, chain, pending }: ReplayReport): string {
  if (!identical) return 'The recorded output is NOT the output that is computed now.'
  const left = [
    ...(chain ? [] : ['the contract (no node was asked, or the epoch is not anchored yet)']),
    ...(pending > 0 ? [`${plural(pending, 'submission')} without a verdict yet`] : []),
  ]
  return `All of it is computed alike.${left.length > 0 ? ` Unchecked: ${left.join(', ')}.` : ''}`
}

/** Slots printed in words; --json has them all. */
const SLOTS_SHOWN = 10

function contributionLines({ contribution }: ReplayReport): string[] {
  if (!contribution)
    return [
      '  day          in none: the contract counts no days, an older clock did not say it, or the market keeps none',
    ]
  const { day, dailyQuota, accepted, counted, compared, slots } = contribution
  const tallies = compared ? 'compared with the tallies' : 'its tallies have expired, or are still to come'
  const more = slots.length > SLOTS_SHOWN ? [`    … and ${slots.length - SLOTS_SHOWN} more (--json has them all)`] : []
  return [
    `  day          ${day} (quota ${dailyQuota}): ${slots.length} slots, ${accepted} accepted, ${counted} counted; ${tallies}`,
    ...slots
      .slice(0, SLOTS_SHOWN)
      .map((slot) => `    slot ${slot.slotId}: ${slot.accepted} accepted, ${slot.counted} counted`),
    ...more,
  ]
}

/** Differences printed in words; --json has them all. */
const DIFFERENCES_SHOWN = 20

export function renderReplay(report: ReplayReport): Lines {
  const { dataMarket, epochId, identical, submissions, verdicts, projects, batches, chain, pending, cutAt } = report
  return [
    `epoch ${epochId} of ${printable(dataMarket)}: ${identical ? 'identical' : plural(report.differences.length, 'difference')}`,
    `  recomputed   ${[plural(submissions, 'submission'), plural(verdicts, 'verdict'), plural(projects, 'project'), plural(batches, 'batch', 'batches')].join(', ')} with CIDs and roots`,
    `  chain        ${chain ? 'the contract was compared too' : 'not compared: no node was at hand, or the epoch is not anchored yet'}`,
    ...contributionLines(report),
    ...(pending > 0 ? [`  pending      ${pending} came after the close and have no verdict yet`] : []),
    ...(cutAt === null
      ? []
      : [
          `  note         the log begins at block ${cutAt}: a header from before it cannot be told from an unknown one`,
        ]),
    ...report.differences
      .slice(0, DIFFERENCES_SHOWN)
      .flatMap(({ where, what, recomputed, recorded }) => [
        `  ${printable(where)}: ${printable(what)}`,
        `    recomputed ${printable(recomputed)}`,
        `    recorded   ${printable(recorded)}`,
      ]),
    ...(report.differences.length > DIFFERENCES_SHOWN
      ? [`  … and ${report.differences.length - DIFFERENCES_SHOWN} more (--json has them all)`]
      : []),
    conclusion(report),
  ]
}
