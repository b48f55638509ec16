/** How far each stage has come, so that what is still on its way is not called lost. */
import type { Log } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import { epochScope, isMarker, type Topics } from '../../../topology/topics.ts'
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
}

/** Without an application id nothing is known of the groups, and every stage counts as past everything. */
export async function readStages(
  log: Log,
  topics: Topics,
  appId: string | undefined,
  findings: Findings,
): Promise<Stages> {
  if (appId === undefined) return { validated: yes, settled: yes, batched: yes, planned: yes }
  const [validate, settle, batch, anchor] = await Promise.all([
    committed(log, `${appId}-validate`, topics.submissions),
    committed(log, `${appId}-settle`, topics.finalizations),
    committed(log, `${appId}-batch`, topics.finalizations),
    committed(log, `${appId}-anchor`, topics.batches),
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
  }
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
