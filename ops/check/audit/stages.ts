/** How far each stage has come, so that what is still on its way is not called lost. */
import type { Log, TopicPartition } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import { epochScope, isMarker, type Topics } from '../../../topology/topics.ts'
import { exists } from '../../reading/market-rows.ts'
import { partitionsOf, scanTopic } from '../../reading/scan.ts'
import type { Findings } from './report.ts'

export interface Stages {
  /** validate has committed past this record of `submissions`. */
  validated(partition: number, offset: number): boolean
  /** settle has written every verdict of the epoch. */
  settled(scope: string): boolean
  /** batch has written the epoch's batches and summary. */
  batched(scope: string): boolean
  /** anchor has taken this record of `batches`. */
  planned(offset: number): boolean
  /** ledger has committed past this record of `tallies`. */
  ledgered(partition: number, offset: number): boolean
  /** anchor has taken this record of `payouts`. */
  paid(offset: number): boolean
  /** Nothing is known of the groups. */
  readonly isPastAll: boolean
}

/** Without an application id nothing is known of the groups, and every stage counts as past everything. */
export async function readStages(
  log: Log,
  topics: Topics,
  appId: string | undefined,
  findings: Findings,
): Promise<Stages> {
  if (appId === undefined)
    return { validated: yes, settled: yes, batched: yes, planned: yes, ledgered: yes, paid: yes, isPastAll: true }
  const [validate, settle, batch, anchor, ledger, payer] = await Promise.all([
    committed(log, `${appId}-validate`, topics.submissions),
    committed(log, `${appId}-settle`, topics.finalizations),
    committed(log, `${appId}-batch`, topics.finalizations),
    committed(log, `${appId}-anchor`, topics.batches),
    committed(log, `${appId}-ledger`, topics.tallies),
    committed(log, `${appId}-anchor`, topics.payouts),
  ])
  const closes = await closeMarkers(log, topics, findings)
  const past = (group: readonly number[], scope: string): boolean => {
    const offsets = closes.get(scope)
    // every consensus task forwards the marker to every partition; before that the epoch is on its way
    return offsets?.every((offset, partition) => offset !== undefined && group[partition]! > offset) ?? false
  }
  return {
    validated: (partition, offset) => validate[partition]! > offset,
    settled: (scope) => past(settle, scope),
    batched: (scope) => past(batch, scope),
    planned: (offset) => anchor[0]! > offset,
    ledgered: (partition, offset) => ledger[partition]! > offset,
    paid: (offset) => payer[0]! > offset,
    isPastAll: false,
  }
}

/** Where stages write what the audit compares; a log that is older than a topic does not have it. */
export async function writtenPartitions(log: Log, topics: Topics): Promise<TopicPartition[]> {
  const { verdicts, batches, anchors, tallies, slotDays, days, payouts, payments } = topics
  const later = []
  for (const topic of [tallies, slotDays, days, payouts, payments]) if (await exists(log, topic.name)) later.push(topic)
  return [verdicts, batches, anchors, ...later].flatMap(partitionsOf)
}

const yes = (): boolean => true

async function committed(
  log: Log,
  group: string,
  topic: { name: string; partitions: number },
): Promise<readonly number[]> {
  return (await log.committedOffsets(group, partitionsOf(topic))).map((offset) => offset?.next ?? 0)
}

/** Epoch → the offset in each partition of `finalizations` by which its last CLOSE marker has come. */
async function closeMarkers(
  log: Log,
  { finalizations }: Topics,
  findings: Findings,
): Promise<ReadonlyMap<string, readonly (number | undefined)[]>> {
  const senders = new Map<string, number[]>()
  const closes = new Map<string, (number | undefined)[]>()
  for await (const { partition, records } of scanTopic(log, finalizations, findings.unreadable))
    for (const { offset, value: event } of readRecords(finalizations, partition, records, findings.unreadable)) {
      if (event === null || !isMarker(event) || event.tick.kind !== 'CLOSE') continue
      const scope = epochScope(event.tick.dataMarket, event.tick.epochId)
      const arrived = senders.get(scope) ?? new Array<number>(finalizations.partitions).fill(0)
      const offsets = closes.get(scope) ?? new Array<number | undefined>(finalizations.partitions).fill(undefined)
      senders.set(scope, arrived)
      closes.set(scope, offsets)
      if (++arrived[partition]! === event.of) offsets[partition] = offset
    }
  return closes
}
