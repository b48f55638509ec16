/** How far the newest epochs are, read from the ends of the topics: a look at how things are, however long the log is. */
import { orNull } from '../../schemas/none.ts'
import type { AnchorState, EpochTick } from '../../schemas/types.ts'
import type { RecordTopic } from '../../streams/kafka-topic.ts'
import type { Log } from '../../streams/ports.ts'
import { type ReadingOptions, type ReadRecord, readRecords } from '../../streams/read-record.ts'
import { epochScope, isEpochSummary, isMarker, type Topics } from '../../topology/topics.ts'
import { type EpochProgress, mayChange, type ProgressRecord, unseenEpoch, withRecord } from './epoch-progress.ts'
import { silently } from './read.ts'
import { partitionsOf, scan } from './scan.ts'
import { type SignerFacts, signerFactsOf } from './signer-facts.ts'

/** Ticks, and rows of anchors, that are looked at: with a block every 12 s the ticks of more than two days. */
const TICKS_MAX = 20_000
/** Among so many ticks there is a block. */
const HEADS_MAX = 500
const ANCHORS_MAX = 20_000
/** Records of `batches`, of which an epoch has one more than batches; they may be large. */
const BATCHES_MAX = 200
/** Records of a partition of `finalizations`, of which an epoch has at least one for each project; they may be large. */
const FINALIZATIONS_MAX = 600

export interface EpochFacts {
  readonly dataMarket: string
  readonly progress: EpochProgress
  /** Acknowledged for it; null: not counted. */
  readonly submissions: number | null
}

export interface RecentEpochs {
  /** The newest block that became a tick, and when that was written, ms. */
  readonly head: { readonly blockNumber: number; readonly at: number } | null
  /** The epochs of every market, newest first. */
  readonly epochs: readonly EpochFacts[]
  readonly signer: SignerFacts
}

/**
 * @param most epochs of a market
 * @throws LogError when the log gets no further
 */
export async function recentEpochs(log: Log, topics: Topics, most: number): Promise<RecentEpochs> {
  const { head, epochs } = await readTicks(log, topics)
  const wanted = newestOf(epochs, most)
  const take = (dataMarket: string, epochId: number, record: ProgressRecord): void => {
    const epoch = wanted.get(epochScope(dataMarket, epochId))
    if (epoch) epoch.progress = withRecord(epoch.progress, record)
  }
  const seen = await readFinalizations(log, topics, take)
  for await (const { key, value, timestamp } of newest(log, topics.batches, BATCHES_MAX))
    if (value && isEpochSummary(value)) take(key.dataMarket, value.summaryOf, { summary: value, at: timestamp })
  const signer = await readAnchorRows(log, topics, take)
  const facts = [...wanted.values()].map(({ dataMarket, progress }) => ({
    dataMarket,
    progress: ofAllProjects(progress, seen.get(epochScope(dataMarket, progress.epochId)) ?? 0),
    submissions: null,
  }))
  return { head, epochs: facts, signer }
}

interface Found {
  readonly dataMarket: string
  progress: EpochProgress
}
type Take = (dataMarket: string, epochId: number, record: ProgressRecord) => void

/** The newest records of a topic, one partition after another. */
async function* newest<K, V>(
  log: Log,
  topic: RecordTopic<K, V> & { readonly partitions: number },
  most: number,
  options?: ReadingOptions<V>,
): AsyncGenerator<ReadRecord<K, V>> {
  const partitions = partitionsOf(topic)
  const bounds = await log.bounds(partitions)
  for (const [i, at] of partitions.entries()) {
    const { stable } = bounds[i]!
    for await (const records of scan(log, at, { from: stable - most, to: stable, tell: silently }))
      yield* readRecords(topic, at.partition, records, silently, options)
  }
}

async function readTicks(log: Log, { epochTicks }: Topics) {
  const epochs = new Map<string, Found>()
  let head: RecentEpochs['head'] = null
  for await (const { value: tick, timestamp: at } of newest(log, epochTicks, HEADS_MAX))
    if (tick?.kind === 'HEAD') head = { blockNumber: tick.blockNumber, at }
  const wanted = (tick: EpochTick | null) => tick !== null && (tick.kind !== 'HEAD' || tick.refused.length > 0)
  for await (const { value: tick, timestamp: at } of newest(log, epochTicks, TICKS_MAX, { wanted })) {
    if (tick === null) continue
    if (tick.kind !== 'HEAD') takeTick(epochs, tick, at)
    for (const refused of tick.refused) {
      const epoch = epochIn(epochs, refused.dataMarket, refused.epochId)
      epoch.progress = withRecord(epoch.progress, { refused, at })
    }
  }
  return { head, epochs }
}

function takeTick(epochs: Map<string, Found>, tick: EpochTick, at: number): void {
  const own = tick.kind === 'ORPHAN' ? [] : [epochIn(epochs, tick.dataMarket, tick.epochId)]
  for (const epoch of tick.kind === 'ORPHAN' || tick.skippedFrom > 0 ? epochs.values() : own) {
    const { dataMarket, progress } = epoch
    if (mayChange(tick, { dataMarket, epochId: progress.epochId })) epoch.progress = withRecord(progress, { tick, at })
  }
}

function epochIn(epochs: Map<string, Found>, dataMarket: string, epochId: number): Found {
  const id = epochScope(dataMarket, epochId)
  const known = epochs.get(id) ?? { dataMarket, progress: unseenEpoch(epochId) }
  epochs.set(id, known)
  return known
}

function newestOf(epochs: ReadonlyMap<string, Found>, most: number): ReadonlyMap<string, Found> {
  const taken = new Map<string, number>()
  const sorted = [...epochs].sort(([, a], [, b]) => b.progress.epochId - a.progress.epochId)
  return new Map(
    sorted.filter(([, { dataMarket }]) => {
      const before = taken.get(dataMarket) ?? 0
      taken.set(dataMarket, before + 1)
      return before < most
    }),
  )
}

/** Projects seen, by scope of the epoch. */
async function readFinalizations(log: Log, topics: Topics, take: Take): Promise<ReadonlyMap<string, number>> {
  const seen = new Map<string, number>()
  for await (const { key, value, timestamp } of newest(log, topics.finalizations, FINALIZATIONS_MAX)) {
    if (value === null || isMarker(value) || value.part > 0) continue
    const scope = epochScope(key.dataMarket, key.epochId)
    seen.set(scope, (seen.get(scope) ?? 0) + 1)
    take(key.dataMarket, key.epochId, { finalization: value, at: timestamp })
  }
  return seen
}

/** The support of only some of the projects is not told. */
function ofAllProjects(progress: EpochProgress, seen: number): EpochProgress {
  const { batches, projects, projectsWithoutQuorum } = progress
  return batches !== null && seen === projects + projectsWithoutQuorum ? progress : { ...progress, votes: 0, voters: 0 }
}

async function readAnchorRows(log: Log, { anchors }: Topics, take: Take): Promise<SignerFacts> {
  const rows = new Map<string, { readonly state: AnchorState; readonly nonce: number | null }>()
  for await (const { key, value: anchor, timestamp: at } of newest(log, anchors, ANCHORS_MAX)) {
    const { dataMarket, epochId, batchIndex } = key
    take(dataMarket, epochId, { batchIndex, anchor, at })
    const id = `${epochScope(dataMarket, epochId)}/${batchIndex}`
    if (anchor === null) rows.delete(id)
    else rows.set(id, { state: anchor.state, nonce: orNull(anchor.nonce) })
  }
  return signerFactsOf([...rows.values()])
}
