/**
 * What has become of each epoch, followed from the topics as they are written. For the live table, the plain lines, the
 * metrics and `--epochs N`; it decides nothing.
 */
import type { Anchor, AnchorKey, EpochTick, SlotEpochKey, Verdict } from '../schemas/types.ts'
import type { FetchPosition, Log, LogRecord } from '../streams/ports.ts'
import { type BatchEvent, isEpochSummary, type Topics } from '../topology/topics.ts'

const EPOCHS_KEPT = 256
const FETCH_WAIT_MS = 500
const FETCH_BYTES = 1024 * 1024

export interface EpochProgress {
  readonly dataMarket: string
  readonly epochId: number
  releaseBlock: number
  closeBlock: number | undefined
  /** When this process saw the release and the end, ms; undefined when it did not, as after a restart. */
  releasedAt: number | undefined
  anchoredAt: number | undefined
  submissions: number
  projects: number
  batches: number | undefined
  readonly anchors: Map<number, Anchor>
  readonly reasons: Map<string, number>
}

export interface ProgressListener {
  released?(epoch: EpochProgress): void
  closed?(epoch: EpochProgress): void
  summarised?(epoch: EpochProgress): void
  anchorChanged?(epoch: EpochProgress, batchIndex: number, anchor: Anchor, before: Anchor | undefined): void
  /** The call that ends the epoch's batches is on the chain. */
  anchored?(epoch: EpochProgress): void
  verdict?(dataMarket: string, verdict: Verdict): void
}

export interface Progress {
  readonly epochs: ReadonlyMap<string, EpochProgress>
  close(): Promise<void>
}

/** From the release to the end on the chain, when this process saw both. */
export const secondsToAnchor = ({ releasedAt, anchoredAt }: EpochProgress): number | undefined =>
  releasedAt === undefined || anchoredAt === undefined ? undefined : (anchoredAt - releasedAt) / 1000

/** Follows from the present end of the topics, or from the beginning when `fromStart`. */
export async function followProgress(
  log: Log,
  topics: Topics,
  listener: ProgressListener,
  { now, fromStart = false }: { now: () => number; fromStart?: boolean },
): Promise<Progress> {
  const epochs = new Map<string, EpochProgress>()
  const stop = new AbortController()
  const positions = await startPositions(log, topics, fromStart)
  const apply = createApply(topics, epochs, listener, now)
  const loop = follow(log, positions, apply, stop.signal)
  return {
    epochs,
    async close() {
      stop.abort()
      await loop
    },
  }
}

async function startPositions(log: Log, topics: Topics, fromStart: boolean): Promise<FetchPosition[]> {
  const partitions = [topics.epochTicks, topics.batches, topics.anchors, topics.verdicts].flatMap(
    ({ name, partitions: n }) => Array.from({ length: n }, (_, partition) => ({ topic: name, partition })),
  )
  const bounds = await log.bounds(partitions)
  return partitions.map((tp, i) => ({ ...tp, offset: fromStart ? bounds[i]!.start : bounds[i]!.stable }))
}

async function follow(
  log: Log,
  start: FetchPosition[],
  apply: (topic: string, record: LogRecord) => void,
  signal: AbortSignal,
) {
  let positions = start
  while (!signal.aborted) {
    const fetched = await log.fetch(positions, { maxWaitMs: FETCH_WAIT_MS, maxBytesPerPartition: FETCH_BYTES, signal })
    for (const { topic, records } of fetched) for (const record of records) apply(topic, record)
    positions = fetched.map(({ topic, partition, next, outOfRange, start: first }) => ({
      topic,
      partition,
      offset: outOfRange ? first : next,
    }))
  }
}

function createApply(
  topics: Topics,
  epochs: Map<string, EpochProgress>,
  listener: ProgressListener,
  now: () => number,
) {
  const epochOf = (dataMarket: string, epochId: number): EpochProgress => {
    const id = `${dataMarket}/${epochId}`
    let epoch = epochs.get(id)
    if (!epoch) {
      epoch = {
        dataMarket,
        epochId,
        releaseBlock: 0,
        closeBlock: undefined,
        releasedAt: undefined,
        anchoredAt: undefined,
        submissions: 0,
        projects: 0,
        batches: undefined,
        anchors: new Map(),
        reasons: new Map(),
      }
      epochs.set(id, epoch)
      if (epochs.size > EPOCHS_KEPT) epochs.delete(epochs.keys().next().value!)
    }
    return epoch
  }
  const onTick = (tick: EpochTick) => {
    if (tick.kind !== 'OPEN' && tick.kind !== 'CLOSE') return
    const epoch = epochOf(tick.dataMarket, tick.epochId)
    epoch.releaseBlock = tick.releaseBlock
    if (tick.kind === 'OPEN') epoch.releasedAt = now()
    else epoch.closeBlock = tick.blockNumber
    listener[tick.kind === 'OPEN' ? 'released' : 'closed']?.(epoch)
  }
  const onBatch = (dataMarket: string, value: BatchEvent) => {
    if (!isEpochSummary(value)) return
    const epoch = epochOf(dataMarket, value.summaryOf)
    epoch.batches = value.batches
    epoch.projects = value.projects
    epoch.submissions = value.submissions
    listener.summarised?.(epoch)
  }
  const onAnchor = (key: AnchorKey, anchor: Anchor) => {
    const epoch = epochOf(key.dataMarket, key.epochId)
    const before = epoch.anchors.get(key.batchIndex)
    epoch.anchors.set(key.batchIndex, anchor)
    listener.anchorChanged?.(epoch, key.batchIndex, anchor, before)
    if (key.batchIndex === -1 && anchor.state === 'FINAL' && epoch.anchoredAt === undefined) {
      epoch.anchoredAt = now()
      listener.anchored?.(epoch)
    }
  }
  const onVerdict = (key: SlotEpochKey, verdict: Verdict) => {
    const known = epochs.get(`${key.dataMarket}/${key.epochId}`)
    if (known) known.reasons.set(verdict.reason, (known.reasons.get(verdict.reason) ?? 0) + 1)
    listener.verdict?.(key.dataMarket, verdict)
  }
  return (topic: string, { key, value }: LogRecord): void => {
    if (key === null || value === null) return
    if (topic === topics.epochTicks.name) onTick(topics.epochTicks.value.decode(value))
    else if (topic === topics.batches.name)
      onBatch(topics.batches.key.decode(key).dataMarket, topics.batches.value.decode(value))
    else if (topic === topics.anchors.name) onAnchor(topics.anchors.key.decode(key), topics.anchors.value.decode(value))
    else onVerdict(topics.verdicts.key.decode(key), topics.verdicts.value.decode(value))
  }
}
