/** Checks on a schedule what the stores hold: what one lacks it is given in the background, and old batches go. */
import type { BatchStorage } from '../../../connectors/ipfs/storage.ts'
import type { Keeper } from '../../../connectors/ipfs/store.ts'
import type { Clock, Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { say } from '../../watch/logging/events.ts'
import type { EventLog } from '../../watch/logging/log.ts'
import type { Metrics } from '../../watch/metrics/create.ts'
import { checkStore, olderThan, pruneStore } from './check.ts'
import { bytesOf, type KeptBatch, keptBatches } from './kept-batches.ts'

export interface ScheduleSettings {
  /** Between two checks; 0 for none. */
  readonly checkMinutes: number
  /** A check asks about the batches of so many hours. */
  readonly checkHours: number
  /** Older batches go; 0 for none. */
  readonly keepDays: number
}

export interface SchedulePorts {
  readonly keepers: readonly Keeper[]
  readonly batches: BatchStorage
  readonly log: Log
  readonly topics: Topics
  readonly clock: Clock
  readonly metrics: Metrics
  readonly events: EventLog
  /** This process stores; one that stands by checks nothing. */
  readonly owns: () => boolean
  readonly signal: AbortSignal
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** The first check: what waited in a process that ended is found soon. */
const FIRST_MS = MINUTE_MS
/** Batches of one store in one check; the others have their turn in the next. */
const PRUNED_MAX = 200
/** The newest batches that a store lacks; fewer than may wait for it (`lackingMax`), so that batches of an outage keep their places. */
const HEALED_MAX = 500
/** Only what became old lately, so that nobody is told again and again of what is long gone. */
const PRUNE_DAYS_BACK = 7

/** Until the signal. Never rejects: a check that fails is told, and made again. */
export async function checkOnSchedule(settings: ScheduleSettings, ports: SchedulePorts): Promise<void> {
  const { clock, signal, owns, events } = ports
  if (settings.checkMinutes === 0) return
  for (let pauseMs = FIRST_MS; !signal.aborted; pauseMs = settings.checkMinutes * MINUTE_MS) {
    await clock.sleep(pauseMs, signal)
    if (signal.aborted || !owns()) continue
    await checkOnce(settings, ports).catch((error: unknown) => {
      if (!signal.aborted) say(events, 'note', { text: `the stores were not checked: ${(error as Error).message}` })
    })
  }
}

/** Checks every store, each on its own. */
export async function checkOnce(settings: ScheduleSettings, ports: SchedulePorts): Promise<void> {
  const { keepers, log, topics, clock } = ports
  const all = await keptBatches(log, topics)
  const newest = all.reduce((latest, { at }) => Math.max(latest, at), 0)
  const recent = all.filter(({ at }) => at >= newest - settings.checkHours * HOUR_MS)
  await Promise.all(keepers.map((keeper) => healStore(keeper, recent, ports)))
  if (settings.keepDays === 0) return
  const old = new Set(olderThan(all, settings.keepDays, clock.now()))
  const longGone = new Set(olderThan(all, settings.keepDays + PRUNE_DAYS_BACK, clock.now()))
  const going = all.filter((batch) => old.has(batch) && !longGone.has(batch))
  const kept = all.filter((batch) => !old.has(batch)).map(({ cid }) => cid)
  await Promise.all(keepers.map((keeper) => prune(keeper, going, kept, ports)))
}

async function healStore(keeper: Keeper, recent: readonly KeptBatch[], ports: SchedulePorts): Promise<void> {
  const { batches, metrics, events, signal } = ports
  const { store: provider, held, missing, error } = await checkStore(keeper, recent, signal)
  metrics.storeChecks.inc({ provider, outcome: 'held' }, held)
  metrics.storeChecks.inc({ provider, outcome: 'missing' }, missing.length)
  if (error) metrics.storeChecks.inc({ provider, outcome: 'failed' })
  if (missing.length > 0) say(events, 'batches-missing', { store: provider, batches: missing.length, held })
  for (const batch of missing.slice(-HEALED_MAX)) batches.heal(provider, batch.cid, () => bytesOf(batch, ports), signal)
}

async function prune(
  keeper: Keeper,
  old: readonly KeptBatch[],
  kept: readonly string[],
  { metrics, signal }: SchedulePorts,
): Promise<void> {
  const there: KeptBatch[] = []
  for (const batch of old) {
    if (signal.aborted || there.length >= PRUNED_MAX) break
    if (await keeper.has(batch.cid, { signal }).catch(() => false)) there.push(batch)
  }
  const { store: provider, removed } = await pruneStore(keeper, there, kept, signal)
  metrics.storePruned.inc({ provider }, removed)
}
