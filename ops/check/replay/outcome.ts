/** The outcome of an epoch, as the topology writes it: recomputed, or recorded in the log. */
import { createBatchJoiner, withBytes } from '../../../schemas/batch-joiner.ts'
import type {
  Anchor,
  Batch,
  EpochKey,
  EpochMarker,
  EpochSummary,
  EpochTally,
  ProjectFinalization,
  Verdict,
} from '../../../schemas/types.ts'
import { partitionFor } from '../../../streams/partitioner.ts'
import type { Log, LogRecord } from '../../../streams/ports.ts'
import { type BatchEvent, epochScope, isEpochSummary, isMarker, type Topics } from '../../../topology/topics.ts'
import { anchorsOfEpoch } from '../../reading/anchors.ts'
import { finalizationPartition, finalizationsOf, verdictsOf } from '../../reading/keys.ts'
import { exists } from '../../reading/market-rows.ts'
import { lookedUp } from '../../reading/read.ts'
import { partitionsOf, scan } from '../../reading/scan.ts'
import { ContributionBuilder } from '../audit/days/contribution.ts'

export interface Outcome {
  /** By place in the topic `submissions`. */
  readonly verdicts: Map<string, Verdict>
  /** By part and project. */
  readonly finalizations: Map<string, ProjectFinalization>
  readonly batches: Batch[]
  summary?: EpochSummary
  /** Votes that each slot adds to the day. */
  readonly votes: ContributionBuilder
  /** The CLOSE of the epoch has come from all who write tallies: as the first that is there, or behind that of another epoch. */
  tallied: 'NOT_YET' | 'AS_FIRST' | 'BEHIND_OTHERS'
}

export const newOutcome = (): Outcome => ({
  verdicts: new Map(),
  finalizations: new Map(),
  batches: [],
  votes: new ContributionBuilder(),
  tallied: 'NOT_YET',
})

export const placeOf = ({ partition, offset }: { readonly partition: number; readonly offset: number }): string =>
  `submissions[${partition}] offset ${offset}`

/** Adds to an outcome what a record says of the epoch. */
export interface Collector {
  verdict(record: LogRecord): void
  finalization(record: LogRecord): void
  batch(record: LogRecord): void
  /** Takes a record from the market's partition of `tallies`. */
  tally(record: LogRecord): void
}

export function createCollector(topics: Topics, key: EpochKey, outcome: Outcome): Collector {
  const { verdicts, finalizations, batches, tallies } = topics
  const takeTally = tallyTaker(key, outcome)
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
        if (batch) outcome.batches[batch.batchIndex] = withBytes(batch)
      }
    },
    tally(record) {
      const read = lookedUp(tallies, 0, record)
      if (read?.value && (isMarker(read.value) || read.key.dataMarket === key.dataMarket)) takeTally(read.value)
    },
  }
}

function tallyTaker({ dataMarket, epochId }: EpochKey, outcome: Outcome): (event: EpochTally | EpochMarker) => void {
  const own = epochScope(dataMarket, epochId)
  const closes = new Map<string, number>()
  let isFirst = true
  return (event) => {
    if (!isMarker(event)) {
      if (event.talliedEpoch !== epochId) return
      for (const slotId of event.counted) outcome.votes.add(slotId, true)
      for (const slotId of event.uncounted) outcome.votes.add(slotId, false)
      return
    }
    const { tick, of } = event
    const scope = epochScope(tick.dataMarket, tick.epochId)
    const times = (closes.get(scope) ?? 0) + 1
    if (tick.kind === 'CLOSE') closes.set(scope, times)
    if (tick.kind !== 'CLOSE' || times !== of) return
    if (scope === own) outcome.tallied = isFirst ? 'AS_FIRST' : 'BEHIND_OTHERS'
    isFirst = false
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
  /** All tallies of the epoch are in the log. */
  readonly hasTallies: boolean
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
  const haveTalliesExpired = await readTallies(log, topics, key, collect)
  for (const tp of partitionsOf(topics.verdicts))
    for await (const records of scan(log, tp)) for (const record of records) collect.verdict(record)
  const hasAll = outcome.tallied === 'BEHIND_OTHERS' || (outcome.tallied === 'AS_FIRST' && !haveTalliesExpired)
  return { ...outcome, anchors, hasTallies: hasAll }
}

/** @returns whether older ones have expired; what each writer adds lies behind its CLOSE of the epoch before */
async function readTallies(
  log: Log,
  { tallies }: Topics,
  { dataMarket }: EpochKey,
  collect: Collector,
): Promise<boolean> {
  if (!(await exists(log, tallies.name))) return false
  const partition = partitionFor(tallies.key.encode({ dataMarket }), tallies.partitions)
  const [bounds] = await log.bounds([{ topic: tallies.name, partition }])
  for await (const records of scan(log, { topic: tallies.name, partition }))
    for (const record of records) collect.tally(record)
  return bounds!.start > 0
}

/** Where the epoch's first batch lies, the others behind it. When the anchors do not say, the topic is read from its beginning. */
const firstBatch = (anchors: ReadonlyMap<number, Anchor>): number => Math.max(0, anchors.get(0)?.batchOffset ?? 0)
