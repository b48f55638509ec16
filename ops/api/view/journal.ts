/**
 * The changes of the newest commits, for observers: kept with the rows, so that a client that was away for a moment, or through a
 * restart of the process, is told of the changes that it missed.
 */

import { keyOf, number, partsOf, prefixOf } from './keys.ts'
import { isWithin, type Offsets, parsePosition } from './position.ts'
import { type Change, fromJson, json, TABLE } from './rows.ts'
import type { ViewStore, ViewWrite } from './store.ts'

/** Commits with a change in them: minutes, up to an hour, of a busy market. */
const CHANGES_MAX = 4_096

export type Watcher = (change: Change) => void

export interface Journal {
  /** The rows that keep the change. Nothing when nothing changed that anyone watches. */
  append(change: Change): readonly ViewWrite[]
  /** Tells the watchers, once the change is written. */
  publish(change: Change): void
  /** Every change that somebody who knows `position` has not seen; undefined when that is not known any more. */
  since(position: string): readonly Change[] | undefined
  watch(watcher: Watcher): () => void
}

/** @param at the position of the rows when no change is kept */
export async function createJournal(store: ViewStore, at: string): Promise<Journal> {
  const kept = await store.newest().range({ prefix: prefixOf(TABLE.journal), limit: CHANGES_MAX * 2 })
  const changes = kept.map(([, row]) => fromJson<Change>(row))
  let commits = kept.length === 0 ? 0 : Number(partsOf(kept.at(-1)![0])[1]) + 1
  let known = changes[0]?.from ?? at
  const watchers = new Set<Watcher>()
  const isNews = ({ epochs, verdicts, anchors, days }: Change): boolean =>
    epochs.length + verdicts.length + anchors.length + days.length > 0

  return {
    append(change) {
      if (!isNews(change)) return []
      const row: ViewWrite = { type: 'put', key: keyOf(TABLE.journal, number(commits)), value: json(change) }
      return commits < CHANGES_MAX
        ? [row]
        : [row, { type: 'del', key: keyOf(TABLE.journal, number(commits - CHANGES_MAX)) }]
    },
    publish(change) {
      if (!isNews(change)) return
      commits++
      changes.push(change)
      if (changes.length > CHANGES_MAX) {
        changes.shift()
        known = changes[0]!.from
      }
      for (const watcher of watchers) watcher(change)
    },
    since(position) {
      const offsets = offsetsOf(position)
      const first = offsetsOf(known)
      if (!offsets || !first || offsets.length !== first.length || !isWithin(first, offsets)) return undefined
      return changes.filter(({ to }) => !isWithin(offsetsOf(to)!, offsets))
    },
    watch(watcher) {
      watchers.add(watcher)
      return () => watchers.delete(watcher)
    },
  }
}

function offsetsOf(position: string): Offsets | undefined {
  const count = position.split('-').length
  return parsePosition(position, count)
}
