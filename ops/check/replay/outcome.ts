/** The outcome of an epoch, as the topology writes it: recomputed, or recorded in the log. */
import { createBatchJoiner } from '../../../schemas/batch-joiner.ts'
import type { Anchor, Batch, EpochKey, EpochSummary, ProjectFinalization, Verdict } from '../../../schemas/types.ts'
import type { Log, LogRecord } from '../../../streams/ports.ts'
import { type BatchEvent, isEpochSummary, isMarker, type Topics } from '../../../topology/topics.ts'
import { anchorsOfEpoch } from '../../reading/anchors.ts'
import { finalizationPartition, finalizationsOf, verdictsOf } from '../../reading/keys.ts'
import { lookedUp } from '../../reading/read.ts'
import { partitionsOf, scan } from '../../reading/scan.ts'

export interface Outcome {
  /** By place in the topic `submissions`. */
  readonly verdicts: Map<string, Verdict>
  /** By part and project. */
  readonly finalizations: Map<string, ProjectFinalization>
  readonly batches: Batch[]
  summary?: EpochSummary
}

export const newOutcome = (): Outcome => ({ verdicts: new Map(), finalizations: new Map(), batches: [] })

export const placeOf = ({ partition, offset }: { readonly partition: number; readonly offset: number }): string =>
  `submissions[${partition}] offset ${offset}`

/** Adds to an outcome what a record says of the epoch. */
export interface Collector {
  verdict(record: LogRecord): void
  finalization(record: LogRecord): void
  batch(record: LogRecord): void
}

export function createCollector(topics: Topics, key: EpochKey, outcome: Outcome): Collector {
  const { verdicts, finalizations, batches } = topics
  const [ofVerdicts, ofFinalizations] = [verdictsOf(topics, key), finalizationsOf(topics, key)]
  const joiner = createBatchJoiner()
  return {
    verdict(record) {
      if (!ofVerdicts(record.key) || record.value === null) return
      const read = lookedUp(verdicts, 0, record)
      if (!read?.value) return
      const verdict = plain(read.value)
      outcome.verdicts.set(placeOf(verdict.position), verdict)
    },
    finalization(record) {
      if (!ofFinalizations(record.key) || record.value === null) return
      const read = lookedUp(finalizations, 0, record)
      if (!read?.value) return
      const event = plain(read.value)
      if (!isMarker(event)) outcome.finalizations.set(`${event.part}/${event.projectId}`, event)
    },
    batch(record) {
      const read = lookedUp(batches, 0, record)
      if (!read?.value || read.key.dataMarket !== key.dataMarket) return
      const event = plain(read.value)
      if (epochOf(event) !== key.epochId) return
      if (isEpochSummary(event)) outcome.summary = event
      else {
        const batch = joiner.take(key.dataMarket, event)
        if (batch) outcome.batches[batch.batchIndex] = batch
      }
    },
  }
}

const epochOf = (event: BatchEvent): number => (isEpochSummary(event) ? event.summaryOf : event.epochId)

/** A decoded record as plain objects: the codec's objects have prototypes, by which equal ones differ. */
function plain<T>(value: T): T {
  if (Array.isArray(value)) return value.map(plain) as T
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner as unknown)])) as T
}

export interface Recorded extends Outcome {
  readonly anchors: ReadonlyMap<number, Anchor>
}

/** Reads `verdicts` whole: they lie in the order in which stages and partitions came to them, and a late one may be last. */
export async function readRecorded(log: Log, topics: Topics, key: EpochKey): Promise<Recorded> {
  const anchors = await anchorsOfEpoch(log, topics, key)
  const outcome = newOutcome()
  const collect = createCollector(topics, key, outcome)
  const partition = finalizationPartition(topics, key)
  for await (const records of scan(log, { topic: topics.finalizations.name, partition }))
    for (const record of records) collect.finalization(record)
  for await (const records of scan(log, { topic: topics.batches.name, partition: 0 }, { from: firstBatch(anchors) })) {
    for (const record of records) collect.batch(record)
    if (outcome.summary) break // it follows the last batch
  }
  for (const tp of partitionsOf(topics.verdicts))
    for await (const records of scan(log, tp)) for (const record of records) collect.verdict(record)
  return { ...outcome, anchors }
}

/** Where the epoch's first batch lies, the others behind it. When the anchors do not say, the topic is read from its beginning. */
const firstBatch = (anchors: ReadonlyMap<number, Anchor>): number => Math.max(0, anchors.get(0)?.batchOffset ?? 0)
