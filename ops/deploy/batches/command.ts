/** `sequencer batches heal|prune`. */
import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { z } from 'zod'
import type { Keeper } from '../../../connectors/ipfs/store.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { AS_JSON, httpUrl, parseOptions, whole } from '../../base/options.ts'
import { answer, type Lines } from '../../base/output.ts'
import { directoryPaths } from '../../ground/directory-paths.ts'
import {
  type LogTarget,
  type OpenedLog,
  type OpenLog,
  type TargetOptions,
  targetOf,
  withTargetOptions,
} from '../../ground/open-log.ts'
import { type CheckOutcome, checkStore, olderThan, type PruneOutcome, pruneStore } from '../../run/storage/check.ts'
import { openKeepers, type StorageConfig } from '../../run/storage/keepers.ts'
import { bytesOf, type KeptBatch, keptBatches } from '../../run/storage/kept-batches.ts'

const HOURS_MAX = 876_000
const DAYS_MAX = 36_500
/** Lines about single batches; the counts are of all. */
const LISTED_MAX = 50

const common = { kubo: httpUrl.optional(), dryRun: z.boolean().default(false), json: z.boolean().default(false) }
const healSchema = z.object({ ...common, hours: whole(1, HOURS_MAX).optional() })
const pruneSchema = z.object({ ...common, olderThanDays: whole(1, DAYS_MAX) })

type Given = TargetOptions & Readonly<Record<string, unknown>>

export function batchesCommand(open: OpenLog): Command {
  const heal = withStores('heal', 'Give each store the batches that it lacks and that the log or another store has')
    .option('--hours <n>', 'only batches of the last so many hours; all that the log knows when left out')
    .action(async (given: Given) => {
      const { hours, kubo, dryRun, json } = parseOptions(healSchema, given, 'batches heal')
      await withBatches(open, given, kubo, async (all, keepers, opened) => {
        const batches = hours === undefined ? all : all.filter(({ at }) => at >= systemClock.now() - hours * 3_600_000)
        const checks = await Promise.all(keepers.map((keeper) => checkStore(keeper, batches)))
        const healed = await Promise.all(
          checks.map((check, at) => healStore(keepers[at]!, check, keepers, opened, dryRun)),
        )
        answer(json, { batches: batches.length, dryRun, stores: healed }, () =>
          renderHeal(batches.length, healed, dryRun),
        )
        if (healed.some(isIncomplete)) process.exitCode = EXIT.failed
      })
    })
  const prune = withStores('prune', 'Have the stores let go of old batches: unpin them, or delete their files')
    .requiredOption('--older-than-days <n>', 'batches whose row in the log was last written before so many days')
    .action(async (given: Given) => {
      const { olderThanDays, kubo, dryRun, json } = parseOptions(pruneSchema, given, 'batches prune')
      await withBatches(open, given, kubo, async (all, keepers) => {
        const old = olderThan(all, olderThanDays, systemClock.now())
        const going = new Set(old)
        const kept = all.filter((batch) => !going.has(batch)).map(({ cid }) => cid)
        const outcomes = dryRun ? [] : await Promise.all(keepers.map((keeper) => pruneStore(keeper, old, kept)))
        const value = { batches: all.length, old: old.length, dryRun, stores: outcomes.map(shownPrune) }
        answer(json, value, () => renderPrune(all.length, old, outcomes, dryRun))
        if (outcomes.some(({ error }) => error)) process.exitCode = EXIT.failed
      })
    })
  return new Command('batches').addCommand(heal).addCommand(prune)
}

const withStores = (name: string, about: string): Command =>
  withTargetOptions(new Command(name))
    .description(about)
    .option('--kubo <url>', 'another Kubo node beside the stores of the settings')
    .option('--dry-run', 'only say what would be done')
    .option('--json', AS_JSON)

/** The stores of the cluster's settings, or the store of the data directory. */
function storesOf(target: LogTarget, kubo: string | undefined): StorageConfig {
  const more = kubo === undefined ? [] : [kubo]
  if (target.kind === 'directory')
    return {
      // a directory that is not there is not made: it was misspelt
      ...(existsSync(target.dataDir) && { directory: directoryPaths(target.dataDir).blocks }),
      ...{ kubo: more, cidVersion: 1 },
    }
  const { storage } = target.address
  return { ...storage, kubo: [...storage.kubo, ...more] }
}

const noStore = (): CliError =>
  new CliError(
    'no store is named',
    'Give the settings with --config, a data directory with --data-dir, or a Kubo node with --kubo.',
  )

/** Calls `use` with all batches that the log knows. */
async function withBatches(
  open: OpenLog,
  given: TargetOptions,
  kubo: string | undefined,
  use: (all: readonly KeptBatch[], keepers: readonly Keeper[], opened: OpenedLog) => Promise<void>,
): Promise<void> {
  const target = targetOf(given)
  const config = storesOf(target, kubo)
  if (config.directory === undefined && config.kubo.length === 0) throw noStore()
  const opened = await open(target)
  try {
    const keepers = await openKeepers(config)
    await use(await keptBatches(opened.log, opened.topics), keepers, opened)
  } finally {
    await opened.close()
  }
}

interface HealOutcome {
  readonly store: string
  readonly held: number
  readonly missing: readonly string[]
  readonly given: number
  /** Batches that it was not asked about. */
  readonly unknown: number
  /** Why it was not asked, or not given what it lacks. */
  readonly reason: string
}

async function healStore(
  keeper: Keeper,
  { store, held, missing, unknown, error }: CheckOutcome,
  keepers: readonly Keeper[],
  { log, topics }: OpenedLog,
  dryRun: boolean,
): Promise<HealOutcome> {
  let given = 0
  let reason = error?.message ?? ''
  for (const batch of dryRun ? [] : missing) {
    const failure = await giveTo(keeper, batch, () => bytesOf(batch, { log, topics, keepers }))
    if (failure === undefined) given++
    else reason = failure
  }
  return { store, held, missing: missing.map(nameOf), given, unknown, reason }
}

/** @returns why it was not; a service that has taken the request has it as far as we can tell */
async function giveTo(
  keeper: Keeper,
  { cid }: KeptBatch,
  read: () => Promise<Uint8Array>,
): Promise<string | undefined> {
  try {
    const bytes = keeper.isService ? new Uint8Array() : await read()
    const failure = await keeper.keep({ cid, bytes: read }, bytes)
    return failure === undefined || failure.code === 'PENDING' ? undefined : failure.message
  } catch (error) {
    return (error as Error).message
  }
}

const isIncomplete = ({ missing, given, unknown }: HealOutcome): boolean => given < missing.length || unknown > 0

const nameOf = ({ dataMarket, epochId, batchIndex, cid }: KeptBatch): string =>
  `${dataMarket} epoch ${epochId} batch ${batchIndex} ${cid}`

function renderHeal(batches: number, outcomes: readonly HealOutcome[], dryRun: boolean): Lines {
  return outcomes.flatMap(({ store, held, missing, given, unknown, reason }) => [
    `${store}: ${held} of ${batches} batches held, ${missing.length} missing${unknown > 0 ? `, ${unknown} not asked about` : ''}`,
    ...listed(missing),
    ...(missing.length > 0 ? [`  ${dryRun ? 'Nothing was done (--dry-run).' : `${given} of them given to it.`}`] : []),
    ...(reason === '' ? [] : [`  ${reason}`]),
  ])
}

const listed = (names: readonly string[]): Lines => [
  ...names.slice(0, LISTED_MAX).map((name) => `  lacks ${name}`),
  ...(names.length > LISTED_MAX ? [`  and ${names.length - LISTED_MAX} more`] : []),
]

const shownPrune = ({ store, removed, left, error }: PruneOutcome) => ({
  ...{ store, removed, left, reason: error?.message ?? '' },
})

const renderPrune = (
  batches: number,
  old: readonly KeptBatch[],
  outcomes: readonly PruneOutcome[],
  dryRun: boolean,
): Lines => [
  `${old.length} of ${batches} batches are older${dryRun ? '; nothing was done (--dry-run)' : ''}`,
  ...(dryRun ? listed(old.map(nameOf)).map((line) => line.replace('lacks ', '')) : []),
  ...outcomes.map(({ store, removed, left, error }) => {
    const rest = left > 0 ? `, ${left} left: ${error?.message ?? 'stopped'}` : ''
    return `${store}: let go of ${removed}${rest}`
  }),
]
