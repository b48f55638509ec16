/** The reports of the stores of batches: as metrics, as health, and in the log. */
import type { StoreTrouble } from '../../../connectors/ipfs/lane.ts'
import type { StorageObserver } from '../../../connectors/ipfs/storage.ts'
import type { Keeper } from '../../../connectors/ipfs/store.ts'
import type { Health } from '../../base/health.ts'
import { say } from '../../watch/logging/events.ts'
import type { EventLog } from '../../watch/logging/log.ts'
import { forget, type Metrics } from '../../watch/metrics/create.ts'
import { CHECK_OUTCOMES, STORE_OUTCOMES } from '../../watch/metrics/table/stores.ts'

/** The part of a process that its health shows beside its roles. */
const STORAGE = 'storage'
/** Least pause between two lines about a store that fails now and then. */
const LINE_MS_MIN = 10_000

export interface StorageWatch {
  readonly observer: StorageObserver
  /** This process stores, or no longer. */
  owning(owns: boolean): void
}

export interface WatchPorts {
  readonly metrics: Metrics
  readonly health: Health
  readonly log: EventLog
  readonly now: () => number
}

export function watchStorage(
  keepers: readonly Keeper[],
  required: number,
  { metrics, health, log, now }: WatchPorts,
): StorageWatch {
  const troubles = new Map<string, StoreTrouble>()
  const lines = createLines(log, now)
  const stores = keepers.filter(({ isService }) => !isService)
  let owner = false
  startSeries(metrics, keepers)

  const tell = (): void => {
    if (!owner) return
    const working = stores.filter(({ name }) => !troubles.has(name)).length
    for (const { name: provider } of keepers) metrics.storeWorking.set({ provider }, troubles.has(provider) ? 0 : 1)
    metrics.storesSpare.set(working - required)
    const failing = [...troubles].map(
      ([name, { since, error }]) => `${name} fails since ${new Date(since).toISOString()}: ${error.message}`,
    )
    const rest = working >= required ? 'the others take the batches' : `batches wait: ${required} must hold each`
    health.set(STORAGE, working >= required, failing.length === 0 ? '' : [...failing, rest].join('; '), true)
  }

  return {
    observer: {
      tried(provider, failure, elapsedMs) {
        if (failure?.code === 'PENDING') return
        const outcome = failure === undefined ? 'stored' : failure.code === 'CID_MISMATCH' ? 'mismatch' : 'failed'
        metrics.ipfsPuts.inc({ provider, outcome })
        if (failure === undefined) metrics.ipfsPutSeconds.observe({ provider }, elapsedMs / 1000)
      },
      retried: () => metrics.anchorRetries.inc({ step: 'STORE' }),
      changed(store, trouble) {
        if (trouble) troubles.set(store, trouble)
        else troubles.delete(store)
        lines.changed(store, trouble)
        tell()
      },
      lacking: (provider, batches) => metrics.storeLacking.set({ provider }, batches),
      healed: (provider, cid) => {
        metrics.storeHealed.inc({ provider })
        say(log, 'batch-healed', { store: provider, cid })
      },
      leftOut: (provider, cid) => {
        metrics.storeLeftOut.inc({ provider })
        lines.leftOut(provider, cid)
      },
    },
    owning(owns) {
      owner = owns
      if (owns) {
        for (const { name: provider } of keepers) metrics.storeLacking.set({ provider }, 0)
        return tell()
      }
      for (const gauge of [metrics.storeWorking, metrics.storesSpare, metrics.storeLacking]) forget(gauge)
      health.set(STORAGE, true, 'standing by', false)
    },
  }
}

function startSeries(metrics: Metrics, keepers: readonly Keeper[]): void {
  for (const { name: provider } of keepers) {
    for (const outcome of STORE_OUTCOMES) metrics.ipfsPuts.inc({ provider, outcome }, 0)
    for (const outcome of CHECK_OUTCOMES) metrics.storeChecks.inc({ provider, outcome }, 0)
    for (const counter of [metrics.storeHealed, metrics.storeLeftOut, metrics.storePruned]) counter.inc({ provider }, 0)
  }
}

/** A line when a store begins to fail, for another reason too, and when it works again. */
function createLines(log: EventLog, now: () => number) {
  const told = new Map<string, { readonly at: number; readonly code: string }>()
  const leftOut = new Map<string, { readonly at: number; more: number }>()
  return {
    leftOut(store: string, cid: string): void {
      const last = leftOut.get(store)
      if (last && now() - last.at < LINE_MS_MIN) return void last.more++
      say(log, 'batch-left-out', { store, cid, more: last?.more ?? 0 })
      leftOut.set(store, { at: now(), more: 0 })
    },

    changed(store: string, trouble: StoreTrouble | undefined): void {
      const last = told.get(store)
      const code = trouble?.error.code ?? ''
      if ((last?.code ?? '') === code || (code !== '' && last && now() - last.at < LINE_MS_MIN)) return
      told.set(store, { at: now(), code })
      if (trouble) say(log, 'store-failing', { store, code, reason: trouble.error.message })
      else say(log, 'store-works', { store })
    },
  }
}
