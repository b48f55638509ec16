/** Which data markets are served, since when, and what still has to finish, read from the log. */

import type { EpochTick, ServedMarket } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import { readRecords } from '../../streams/read-record.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import type { Topics } from '../../topology/topics.ts'
import { clockCursorGroup } from '../base/roles.ts'
import { type EpochProgress, hasEnded, isReleased, unseenEpoch, withRecord } from './epoch-progress.ts'
import { isServed } from './known-markets.ts'
import { exists, readMarketRows } from './market-rows.ts'
import { silently } from './read.ts'
import { scan } from './scan.ts'

export interface MarketStatus {
  readonly dataMarket: string
  readonly configured: boolean
  readonly served: boolean
  /** Block from which that holds, when it was changed at run time; null: as configured, or never served. */
  readonly sinceBlock: number | null
  /** The request that is not answered yet. */
  readonly pending: 'add' | 'remove' | null
  /** Why the newest request was refused; null when it was not. */
  readonly refused: string | null
  /** The newest request that was answered. */
  readonly requestId: string | null
  /** First epoch from `sinceBlock` on, and the newest one; null when there is none, or it is no longer in the log. */
  readonly firstEpoch: number | null
  readonly newestEpoch: number | null
  /** Epochs that were released and of which something is still to be done: `hasEnded` of the fold. */
  readonly unfinished: readonly number[]
}

export interface MarketSources {
  readonly log: Log
  readonly topics: Topics
  readonly rules: ProtocolRules
  readonly appId: string
}

/** Configured markets first, then markets that were ever asked for. */
export async function marketStatuses({ log, topics, rules, appId }: MarketSources): Promise<readonly MarketStatus[]> {
  const rows = await readMarketRows(log, topics)
  const pending = await readPending(log, topics, appId)
  const epochs = await readEpochs(log, topics)
  const configured = new Set(rules.markets.map(({ dataMarket }) => dataMarket))
  return [...new Set([...configured, ...rows.keys(), ...pending.keys()])].map((dataMarket) => {
    const row = rows.get(dataMarket) ?? UNTOUCHED
    const isConfigured = configured.has(dataMarket)
    const sinceBlock = row.serving === 'CONFIGURED' ? null : row.sinceBlock
    const released = [...(epochs.get(dataMarket)?.values() ?? [])].filter(isReleased)
    const since = released.filter(({ releaseBlock }) => (releaseBlock ?? 0) >= (sinceBlock ?? 0))
    const wanted = pending.get(dataMarket)
    return {
      dataMarket,
      configured: isConfigured,
      served: isServed(row, isConfigured),
      sinceBlock,
      pending: wanted === undefined ? null : wanted ? 'add' : 'remove',
      refused: row.refused || null,
      requestId: row.requestId || null,
      firstEpoch: row.serving === 'ADDED' ? lowest(idsOf(since)) : null,
      newestEpoch: highest(idsOf(released)),
      unfinished: idsOf(released.filter((epoch) => !hasEnded(epoch))).sort(ascending),
    }
  })
}

const UNTOUCHED: ServedMarket = { serving: 'CONFIGURED', sinceBlock: 0, lastEpoch: 0, requestId: '', refused: '' }
const idsOf = (epochs: readonly EpochProgress[]): number[] => epochs.map(({ epochId }) => epochId)
const ascending = (a: number, b: number): number => a - b
const first = (ids: number[], order: typeof ascending): number | null => ids.sort(order)[0] ?? null
const lowest = (ids: number[]): number | null => first(ids, ascending)
const highest = (ids: number[]): number | null => first(ids, (a, b) => b - a)

/** Requests behind what the clock has answered: data market → what is wanted. */
async function readPending(log: Log, { marketRequests }: Topics, appId: string): Promise<ReadonlyMap<string, boolean>> {
  const pending = new Map<string, boolean>()
  if (!(await exists(log, marketRequests.name))) return pending
  const at = { topic: marketRequests.name, partition: 0 }
  const [committed] = await log.committedOffsets(clockCursorGroup(appId), [at])
  for await (const records of scan(log, at, { from: committed?.next ?? 0 }))
    for (const { key, value } of readRecords(marketRequests, 0, records, silently))
      if (value) pending.set(key.dataMarket, value.served)
  return pending
}

type EpochsOfMarkets = ReadonlyMap<string, Map<number, EpochProgress>>

/** Data market → its epochs in epoch-ticks, by number, as far as ticks and anchors tell. */
async function readEpochs(log: Log, topics: Topics): Promise<EpochsOfMarkets> {
  const markets = await readTicks(log, topics)
  for await (const records of scan(log, { topic: topics.anchors.name, partition: 0 }))
    for (const { key, value: anchor, timestamp: at } of readRecords(topics.anchors, 0, records, silently)) {
      const epochs = markets.get(key.dataMarket)
      const epoch = epochs?.get(key.epochId)
      if (epoch) epochs!.set(key.epochId, withRecord(epoch, { batchIndex: key.batchIndex, anchor, at }))
    }
  return markets
}

const isOfEpochs = (tick: EpochTick | null): boolean => tick !== null && tick.kind !== 'HEAD'

async function readTicks(log: Log, { epochTicks }: Topics): Promise<EpochsOfMarkets> {
  const markets = new Map<string, Map<number, EpochProgress>>()
  for await (const records of scan(log, { topic: epochTicks.name, partition: 0 }))
    for (const { value: tick, timestamp: at } of readRecords(epochTicks, 0, records, silently, {
      wanted: isOfEpochs,
    })) {
      if (tick === null) continue
      const { kind, dataMarket, epochId, skippedFrom } = tick
      const own = markets.get(dataMarket) ?? new Map<number, EpochProgress>()
      if (kind !== 'ORPHAN') markets.set(dataMarket, own.set(epochId, own.get(epochId) ?? unseenEpoch(epochId)))
      for (const epochs of kind === 'ORPHAN' ? markets.values() : [own])
        for (const id of kind === 'ORPHAN' || skippedFrom > 0 ? epochs.keys() : [epochId])
          epochs.set(id, withRecord(epochs.get(id)!, { tick, at }))
    }
  return markets
}
