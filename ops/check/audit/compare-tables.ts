/**
 * The things that all is judged by: the states of stages, which must be whole, and the tables `slots` and `markets`, against the registry
 * on the chain and the requests of the operator.
 */
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { unfoundedMarkets } from '../../reading/market-rows.ts'
import { differingSlots, readSlotTable } from '../../reading/slot-table.ts'
import type { ChainReader } from './chain.ts'
import { tellLostState } from './lost-state.ts'
import type { Findings } from './report.ts'

/** @param by without an app id nothing is known of groups, and without a node nothing of the registry */
export async function compareTables(
  log: Log,
  topics: Topics,
  by: { readonly appId: string | undefined; readonly chain: Pick<ChainReader, 'slotsAt'> | undefined },
  findings: Findings,
): Promise<void> {
  if (by.appId !== undefined) await tellLostState(log, topics, by.appId, findings)
  if (by.appId !== undefined) await compareMarketRows(log, topics, by.appId, findings)
  if (by.chain) await compareSlots(log, topics, by.chain, findings)
}

async function compareMarketRows(log: Log, topics: Topics, appId: string, findings: Findings): Promise<void> {
  for (const { offset, why } of await unfoundedMarkets(log, topics, appId))
    findings.add('mismatches', `${topics.markets.name}[0] offset ${offset}`, why)
}

/** Each slot, as of the newest block that the ticks tell of. */
async function compareSlots(
  log: Log,
  topics: Topics,
  { slotsAt }: Pick<ChainReader, 'slotsAt'>,
  findings: Findings,
): Promise<void> {
  const table = await readSlotTable(log, topics)
  const differing = await differingSlots(table, (slotIds) => slotsAt(slotIds, table.head!.hash))
  if (!differing) return findings.note(topics.slots.name, UNASKED)
  for (const { offset, message } of differing)
    findings.of(undefined, 'slots').add('mismatches', `${topics.slots.name}[0] offset ${offset}`, message)
}

const UNASKED =
  'the owners were not compared: the node does not have the state of the newest block that the ticks tell of'
