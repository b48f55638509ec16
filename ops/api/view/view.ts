/**
 * The materialized view behind the query API: rows built from the topics, kept on disk together with the positions they
 * reflect, so that a restart goes on where it stopped. It reads and decides nothing; every process has its own.
 */

import { createHash } from 'node:crypto'
import { configOf } from '../../../streams/kafka-topic.ts'
import type { Clock, FetchedPartition, Log, PartitionBounds, TopicPartition } from '../../../streams/ports.ts'
import { type OnUnreadable, positionBehind } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { partitionsOf } from '../../reading/scan.ts'
import { HOUR_MS } from './commit.ts'
import { surplusDays } from './day-rows.ts'
import { createJournal, type Journal } from './journal.ts'
import { parsePosition, positionText } from './position.ts'
import { expired, surplus } from './prune.ts'
import { RowCache } from './row-cache.ts'
import { type Change, MARKETS, type MarketsRow } from './rows.ts'
import { openViewStore, type ViewReader, type ViewStore, type ViewWrite } from './store.ts'
import { rowsOf, VIEW_TOPICS } from './writer.ts'

const FETCH_WAIT_MS = 500
/** Bytes of each partition in one commit: small, since a commit holds up all other work of the process. */
const FETCH_BYTES = 64 * 1024
/** Between two commits, so that many small appends make few of them. */
const PAUSE_MS = 20
const RETRY_MS = 1_000

/** Topics of newer releases; the roles that write them create them. */
const ADDED_LATER = ['markets', 'tallies', 'slotDays', 'days', 'payouts', 'payments'] as const

export interface ViewOptions {
  readonly directory: string
  /** The identity of the log: its application, contract, topics. A view made for another one is built anew. */
  readonly identity: string
  /** Rows older than this against the newest tick go. */
  readonly keepMs: number
  /** Submissions kept at most; beyond it the oldest go. */
  readonly submissionsMax: number
  readonly log: Log
  readonly topics: Topics
  readonly clock: Clock
  /** The view cannot read or write now, and tries again; undefined when it works again. */
  readonly waiting?: (reason: string | undefined) => void
  /** Told of each record that is none of its topic. */
  readonly onUnreadable: OnUnreadable
}

export interface View {
  read<T>(ask: (reader: ViewReader) => Promise<T>): Promise<T>
  readonly journal: Journal
  /** Records that are in the log and not reflected. */
  lag(): number
  /** The view has reached what was in the log when it was opened. */
  caughtUp(): boolean
  close(): Promise<void>
}

export async function openView(options: ViewOptions): Promise<View> {
  const { log, topics, directory, identity } = options
  const partitions = VIEW_TOPICS.flatMap((name) => partitionsOf(topics[name]))
  await log.createTopics(ADDED_LATER.map((name) => configOf(topics[name]))) // a log may be older than a topic
  const ids = await log.topicIds(VIEW_TOPICS.map((name) => topics[name].name))
  const bounds = await log.bounds(partitions)
  const store = await openViewStore(directory, `${identity} ${partitions.length}${idsText(ids)}`)
  try {
    return await followLog(options, { store, partitions, ...(await startOf(store, bounds)) })
  } catch (error) {
    await store.close()
    throw error
  }
}

/** The ids of the topics that the rows are made of: a view of a topic that was made anew since belongs to another log. */
function idsText(ids: ReadonlyMap<string, string> | undefined): string {
  if (!ids || ids.size === 0) return ''
  return ` ${createHash('sha256')
    .update([...ids.values()].join(' '))
    .digest('hex')}`
}

/** Where the rows of the store end, or the log begins. */
async function startOf(store: ViewStore, bounds: readonly PartitionBounds[]): Promise<Pick<Start, 'from' | 'stable'>> {
  let offsets = parsePosition(store.newest().position, bounds.length)
  // a log that ends before our position was made anew
  if (offsets?.some((offset, i) => offset > bounds[i]!.stable)) {
    await store.empty()
    offsets = undefined
  }
  const from = offsets ?? bounds.map(({ start }) => start)
  if (!offsets) await store.write([], positionText(from))
  return { from, stable: bounds.map(({ stable }) => stable) }
}

interface Start {
  readonly store: ViewStore
  readonly partitions: readonly TopicPartition[]
  readonly from: readonly number[]
  readonly stable: readonly number[]
}

async function followLog(options: ViewOptions, { store, partitions, from, stable }: Start): Promise<View> {
  const { log, topics, keepMs, submissionsMax, onUnreadable } = options
  const stop = new AbortController()
  const cache = new RowCache(() => store.newest())
  const journal = await createJournal(store, positionText(from))
  const state = { offsets: from, stable, newestTick: 0, prunedHour: 0, pruning: false }

  const commit = async (fetched: readonly FetchedPartition[]): Promise<void> => {
    const { commit: rows, newestTick } = rowsOf(topics, cache, fetched, onUnreadable)
    const { operations, change } = rows.finish()
    const offsets = fetched.map((at) => positionBehind(at, onUnreadable))
    const whole: Change = { from: positionText(state.offsets), to: positionText(offsets), ...change }
    await store.write([...operations, ...journal.append(whole)], whole.to)
    state.offsets = offsets
    state.stable = fetched.map((one) => one.stable)
    state.newestTick = Math.max(state.newestTick, newestTick)
    cache.trim()
    journal.publish(whole)
  }
  const takeOut = async (rows: readonly ViewWrite[]): Promise<void> => {
    await store.write(rows, positionText(state.offsets))
    cache.clear()
  }
  const trim = async (): Promise<void> => {
    for (;;) {
      const rows = await surplus(store.newest(), submissionsMax)
      if (rows.length === 0) return
      await takeOut(rows)
    }
  }
  const prune = async (): Promise<void> => {
    const before = state.newestTick - keepMs
    if (Math.floor(before / HOUR_MS) === state.prunedHour) return
    const reader = store.newest()
    const expiredNow = await expired(reader, topics, before)
    const markets = Object.keys(reader.getJson<MarketsRow>(MARKETS) ?? {})
    const old = expiredNow.length > 0 ? expiredNow : await surplusDays(reader, markets)
    state.pruning = old.length > 0
    if (!state.pruning) state.prunedHour = Math.floor(before / HOUR_MS)
    else await takeOut(old)
  }
  const turn = async (): Promise<void> => {
    const positions = partitions.map((at, i) => ({ ...at, offset: state.offsets[i]! }))
    const fetched = await log.fetch(positions, {
      maxWaitMs: state.pruning ? 0 : FETCH_WAIT_MS,
      maxBytesPerPartition: FETCH_BYTES,
      signal: stop.signal,
    })
    if (fetched.some(({ outOfRange, stable: end }, i) => outOfRange && state.offsets[i]! > end)) {
      await store.empty() // the log was made anew under us
      cache.clear()
      state.offsets = fetched.map(({ start }) => start)
    } else if (fetched.some(({ outOfRange, damaged, next }, i) => outOfRange || damaged || next !== state.offsets[i]!))
      await commit(fetched)
    await trim()
    await prune()
  }
  const loop = repeat(turn, () => cache.clear(), stop.signal, options)
  return {
    read: (ask) => store.read(ask),
    journal,
    lag: () => state.stable.reduce((sum, end, i) => sum + Math.max(0, end - state.offsets[i]!), 0),
    caughtUp: () => stable.every((end, i) => state.offsets[i]! >= end),
    async close() {
      stop.abort()
      await loop
      await store.close()
    },
  }
}

/** Until the signal; a turn that fails is taken again. @param undo the changes that the turn had in memory were perhaps not written */
async function repeat(
  turn: () => Promise<void>,
  undo: () => void,
  signal: AbortSignal,
  { clock, waiting }: Pick<ViewOptions, 'clock' | 'waiting'>,
): Promise<void> {
  let failing = false
  while (!signal.aborted) {
    try {
      await turn()
      if (failing) waiting?.(undefined)
      failing = false
      await clock.sleep(PAUSE_MS, signal)
    } catch (error) {
      if (signal.aborted) return
      failing = true
      undo()
      waiting?.(error instanceof Error ? error.message : String(error))
      await clock.sleep(RETRY_MS, signal)
    }
  }
}
