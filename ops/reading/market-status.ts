/** Which data markets are served, since when, and what still has to finish, read from the log. */

import { END_OF_BATCHES } from '../../schemas/anchor-keys.ts'
import type { MarketKey, ServedMarket } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import { readRecords } from '../../streams/read-record.ts'
import type { ProtocolRules } from '../../topology/rules.ts'
import { epochScope, type Topics } from '../../topology/topics.ts'
import { clockCursorGroup } from '../base/roles.ts'
import { isEnd } from './epoch-phases.ts'
import { isServed } from './known-markets.ts'
import { exists, readMarketRows } from './market-rows.ts'
import { lookedUp, silently } from './read.ts'
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
  /** Epochs that were opened and are not ended on the chain yet. */
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
  const ended = await readEnded(log, topics)
  const configured = new Set(rules.markets.map(({ dataMarket }) => dataMarket))
  return [...new Set([...configured, ...rows.keys(), ...pending.keys()])].map((dataMarket) => {
    const row = rows.get(dataMarket) ?? UNTOUCHED
    const isConfigured = configured.has(dataMarket)
    const sinceBlock = row.serving === 'CONFIGURED' ? null : row.sinceBlock
    const opened = epochs.get(dataMarket) ?? new Map<number, number>()
    const since = [...opened].filter(([, block]) => block >= (sinceBlock ?? 0)).map(([epochId]) => epochId)
    const wanted = pending.get(dataMarket)
    return {
      dataMarket,
      configured: isConfigured,
      served: isServed(row, isConfigured),
      sinceBlock,
      pending: wanted === undefined ? null : wanted ? 'add' : 'remove',
      refused: row.refused || null,
      requestId: row.requestId || null,
      firstEpoch: row.serving === 'ADDED' ? lowest(since) : null,
      newestEpoch: highest([...opened.keys()]),
      unfinished: [...opened.keys()].filter((epochId) => !ended.has(epochScope(dataMarket, epochId))).sort(ascending),
    }
  })
}

const UNTOUCHED: ServedMarket = { serving: 'CONFIGURED', sinceBlock: 0, lastEpoch: 0, requestId: '', refused: '' }
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

/** Data market → its epochs in epoch-ticks, each with the block of its newest release. */
async function readEpochs(log: Log, { epochTicks }: Topics): Promise<ReadonlyMap<string, Map<number, number>>> {
  const ofChain = Buffer.from(epochTicks.key.encode({ dataMarket: '' } satisfies MarketKey))
  const markets = new Map<string, Map<number, number>>()
  for await (const records of scan(log, { topic: epochTicks.name, partition: 0 }))
    for (const record of records) {
      const tick = record.key === null || ofChain.equals(record.key) ? null : lookedUp(epochTicks, 0, record)?.value
      if (!tick) continue
      const { kind, dataMarket, epochId, blockNumber } = tick
      const epochs = markets.get(dataMarket) ?? new Map<number, number>()
      markets.set(dataMarket, epochs)
      if (kind === 'OPEN') epochs.set(epochId, blockNumber)
    }
  return markets
}

/** Scopes of the epochs that are ended on the chain. */
async function readEnded(log: Log, { anchors }: Topics): Promise<ReadonlySet<string>> {
  const ended = new Set<string>()
  for await (const records of scan(log, { topic: anchors.name, partition: 0 }))
    for (const { key, value } of readRecords(anchors, 0, records, silently))
      if (key.batchIndex === END_OF_BATCHES && value && isEnd(value.state))
        ended.add(epochScope(key.dataMarket, key.epochId))
  return ended
}
