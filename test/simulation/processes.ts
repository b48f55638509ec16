/** The connectors of a simulated run: they may die at any step and go on from what the log knows. */
import { type Answers, openAnswers } from '../../connectors/evm/anchor-effects/anchor-answers.ts'
import type { SimulatedLog } from '../../connectors/log/simulated/simulated-log.ts'
import { withBytes } from '../../schemas/batch-joiner.ts'
import type { AnchorIntent, Payout } from '../../schemas/types.ts'
import { partitionFor } from '../../streams/partitioner.ts'
import {
  type Burst,
  type CommitOutcome,
  type FetchPosition,
  LogError,
  type OutgoingRecord,
  type TransactionalWriter,
} from '../../streams/ports.ts'
import { readRecords } from '../../streams/read-record.ts'
import { SealGuard } from '../../streams/seal-guard.ts'
import { Sealer } from '../../streams/seals.ts'
import { sealsOf } from '../../topology/shared/seals.ts'
import { isEpochSummary, isMarker, type Topics } from '../../topology/topics.ts'
import { markerSigner } from '../topology/marker-keys.ts'
import type { AnchorChain, Answer } from './anchor-chain.ts'
import type { PayoutGiven } from './pay-chain.ts'
import type { Hostile } from './plot.ts'
import { attackOf, HOSTILE_HEADER, readPartition } from './reading.ts'
import type { ReceiptNodes } from './receipt-nodes.ts'
import type { Delivery, Script } from './script.ts'
import { keyOf } from './submissions.ts'

const RETRY_MS = 50
const CLOCK_GROUP = 'sequencer-clock'
const ANSWERS_ID = 'sequencer-anchor-effects'

/** What outlives the processes: how much was acknowledged, and what the chain holds. */
export interface Outside {
  /** How many submissions each intake was told are in the log. */
  readonly acknowledged: number[]
  /** How many records of the adversary's are. */
  hostile: number
  /** When the run began, simulated time. */
  readonly begun: number
  readonly chain: AnchorChain
}

/** Repeats what fails, for ever: the process may die, the log may refuse. */
export async function retrying<T>(log: SimulatedLog, action: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await action()
    } catch (error) {
      if (error instanceof LogError && error.code === 'FENCED') throw error
      await log.clock.sleep(RETRY_MS)
    }
  }
}

/** Appends each of its submissions at its time, again and again until it is acknowledged. */
export async function intake(
  log: SimulatedLog,
  topics: Topics,
  script: Script,
  outside: Outside,
  number: number,
): Promise<void> {
  const { begun, acknowledged } = outside
  const submissions = script.submissions.filter((submission) => submission.intake === number)
  const appender = await retrying(log, () => log.appender())
  while (acknowledged[number]! < submissions.length) {
    const { atMs, key, submission } = submissions[acknowledged[number]!]!
    await log.clock.sleep(Math.max(0, begun + atMs - log.clock.now()))
    const keyBytes = topics.submissions.key.encode(key)
    const partition = partitionFor(keyBytes, topics.submissions.partitions)
    const record = {
      topic: topics.submissions.name,
      partition,
      timestamp: submission.receivedAt,
      key: keyBytes,
      value: topics.submissions.value.encode(submission),
    }
    await retrying(log, () => appender.append([record]))
    acknowledged[number]!++
  }
}

/** Appends what the script has against the others, as an intake does; in any partition, and not only submissions. */
export async function adversary(
  log: SimulatedLog,
  topics: Topics,
  { hostile }: Script,
  outside: Outside,
): Promise<void> {
  const appender = await retrying(log, () => log.appender())
  while (outside.hostile < hostile.length) {
    const play = hostile[outside.hostile]!
    await log.clock.sleep(Math.max(0, outside.begun + play.atMs - log.clock.now()))
    const record = await hostileRecord(log, topics, play)
    const tag = { key: HOSTILE_HEADER, value: Buffer.from(play.attack) }
    if (record)
      await retrying(log, () =>
        appender.append([{ topic: topics.submissions.name, ...record, headers: [...(record.headers ?? []), tag] }]),
      )
    outside.hostile++
  }
}

type Unplaced = Omit<OutgoingRecord, 'topic'> & Partial<Pick<OutgoingRecord, 'topic'>>

async function hostileRecord(log: SimulatedLog, topics: Topics, play: Hostile): Promise<Unplaced | undefined> {
  const { submissions } = topics
  const timestamp = log.clock.now()
  if ('submission' in play) {
    const key = submissions.key.encode(keyOf(play.submission))
    return {
      partition: (partitionFor(key, submissions.partitions) + (play.misplaced ?? 0)) % submissions.partitions,
      timestamp,
      key,
      value: submissions.value.encode(play.submission),
    }
  }
  if ('order' in play) return await forgedOrder(log, topics, play)
  const partition = play.partition % submissions.partitions
  if ('bytes' in play) return { ...play.bytes, partition, timestamp }
  const markers = await trueMarkers(log, submissions, play.from % submissions.partitions)
  if ('copied' in play)
    return markers.length === 0 ? undefined : { ...markers[play.copied % markers.length]!, partition, timestamp }
  const forged = forgedMarker(topics, play, partition)
  const headers = play.signed === 'borrowed' ? (markers.at(-1)?.headers ?? []) : forged.headers
  return { ...forged, headers, partition, timestamp }
}

type Order = Extract<Hostile, { order: unknown }>

async function forgedOrder(log: SimulatedLog, topics: Topics, play: Order): Promise<Unplaced | undefined> {
  const { name: topic } = topics[play.topic]
  const all = await retrying(log, () => readPartition(log, { topic, partition: 0 }))
  const genuine = all.filter((record) => !attackOf(record))
  if (genuine.length === 0) return undefined
  const { key, value, headers } = genuine[play.order % genuine.length]!
  return {
    ...{ topic, partition: 0, timestamp: log.clock.now(), key, headers: play.isSealed ? headers : [] },
    value: play.isChanged ? changedOrder(topics, play, value!) : value,
  }
}

/** Otherwise than any true one; of batches and payouts only the bytes behind it. */
function changedOrder(
  { epochTicks, anchorIntents, anchorResults }: Topics,
  play: Order,
  value: Uint8Array,
): Uint8Array {
  if (play.topic === 'epochTicks') {
    const tick = epochTicks.value.decode(value)
    return epochTicks.value.encode(
      tick.kind === 'OPEN' ? { ...tick, epochId: tick.epochId + 40 } : { ...tick, blockNumber: 1_000_000 },
    )
  }
  if (play.topic === 'anchorIntents')
    return anchorIntents.value.encode({ ...anchorIntents.value.decode(value), step: 'DONE' })
  if (play.topic === 'anchorResults')
    return anchorResults.value.encode({ ...anchorResults.value.decode(value), outcome: 'FAILED', error: 'forged' })
  return value
}

/** Those that tick-fanout wrote. */
async function trueMarkers(log: SimulatedLog, { name, value }: Topics['submissions'], partition: number) {
  const at = { topic: name, partition, offset: 0 }
  const [fetched] = await retrying(log, () => log.fetch([at], { maxWaitMs: 0, maxBytesPerPartition: 1e7 }))
  return fetched!.records.filter((record) => !attackOf(record) && isMarker(value.decode(record.value!)))
}

const FORGER = markerSigner('forger')

function forgedMarker(
  { submissions }: Topics,
  { forged, signed }: Extract<Hostile, { forged: unknown }>,
  partition: number,
) {
  const marker = { tick: forged, from: 0, of: 1, count: 0, checksum: 0, blockTimes: [] }
  const [key, value] = [submissions.key.encode(submissions.markers!.keyOf(marker)), submissions.value.encode(marker)]
  const seals = sealsOf([FORGER.publicKey], false, FORGER)
  const headers = [seals.seal({ topic: submissions.name, partition, key, value }, { offset: 1_000_000, index: 0 })]
  return { key, value, headers: signed === 'itself' ? headers : [] }
}

/** Writes each delivery with the cursor in one transaction; where it stands, it asks the log. */
export async function clock(log: SimulatedLog, topics: Topics, script: Script, { begun }: Outside): Promise<void> {
  const at = { topic: topics.epochTicks.name, partition: 0 }
  for (;;) {
    const writer = await retrying(log, () => log.transactionalWriter(CLOCK_GROUP))
    const sealer = await sealerAt(log, topics.epochTicks)
    for (let settled = true; settled; ) {
      const [committed] = await retrying(log, () => log.committedOffsets(CLOCK_GROUP, [at]))
      const next = Number(committed?.metadata || -1) + 1
      const delivery = script.deliveries[next]
      if (!delivery) return
      await log.clock.sleep(Math.max(0, begun + delivery.atMs - log.clock.now()))
      const outcome = await deliver(log, { writer, sealer }, topics, delivery, {
        group: CLOCK_GROUP,
        commits: [{ ...at, next: 0, metadata: String(next) }],
      })
      if (outcome === 'fenced') return
      settled = outcome !== 'unknown' // then a new writer settles it, and the cursor says how
    }
  }
}

async function sealerAt(log: SimulatedLog, { name: topic, seals }: Topics['epochTicks']): Promise<Sealer | undefined> {
  if (!seals) return undefined
  const [end] = await retrying(log, () => log.ends([{ topic, partition: 0 }]))
  return new Sealer(seals, end!)
}

/** Slots first, so that the ticks can name an offset behind them. */
async function deliver(
  log: SimulatedLog,
  { writer, sealer }: { readonly writer: TransactionalWriter; readonly sealer: Sealer | undefined },
  topics: Topics,
  { slots, ticks }: Delivery,
  offsets: Burst['offsets'],
): Promise<CommitOutcome['outcome']> {
  const rows = slots.map((owner) => ({
    topic: topics.slots.name,
    partition: 0,
    timestamp: 0,
    key: topics.slots.key.encode({ slotId: owner.slotId }),
    value: topics.slots.value.encode(owner),
  }))
  const { outcome } = rows.length > 0 ? await writer.commit({ records: rows }) : ({ outcome: 'committed' } as const)
  if (outcome !== 'committed') return outcome
  const [bounds] = await retrying(log, () => log.bounds([{ topic: topics.slots.name, partition: 0 }]))
  const records = ticks.map((tick) => ({
    topic: topics.epochTicks.name,
    partition: 0,
    timestamp: tick.blockTimestamp * 1000,
    key: topics.epochTicks.key.encode({ dataMarket: tick.dataMarket }),
    value: topics.epochTicks.value.encode({ ...tick, slotsOffset: bounds!.stable }),
  }))
  const sealed = sealer ? records.map((record) => sealer.seal(record)) : records
  return (await writer.commit({ records: sealed, ...(offsets && { offsets }) })).outcome
}

/** Carries out every intent on the outside chain, from the first after each restart; so answers come again, and late. */
export async function anchorEffects(
  log: SimulatedLog,
  topics: Topics,
  { chain }: Outside,
  nodes?: ReceiptNodes,
): Promise<void> {
  const write = answering(log, topics)
  const tell = async (answers: readonly Answer[]): Promise<void> => {
    for (const { key, result } of answers) await write(key, nodes ? await nodes.agreed(result) : result)
  }
  const payouts = payoutReader(log, topics)
  const { name: topic, seals } = topics.anchorIntents
  const guard = seals && new SealGuard(topic, 0, seals)
  let position: FetchPosition = { topic, partition: 0, offset: 0 }
  for (;;) {
    const [fetched] = await retrying(log, () => log.fetch([position], { maxWaitMs: 500, maxBytesPerPartition: 1e6 }))
    const news = fetched!.records.filter(({ offset }) => offset >= position.offset)
    for (const { key: whose, value } of readRecords(topics.anchorIntents, 0, news, () => {}, { guard })) {
      const intent = value!
      const bytes = await batchBytes(log, topics, intent)
      const payout = intent.payout ? await payouts(whose.dataMarket, intent) : undefined
      await tell(chain.carryOut(whose, intent, { bytes, payout }))
    }
    await tell(chain.askAgain())
    if (fetched!.next > position.offset) position = { ...position, offset: fetched!.next }
  }
}

/** Writes as the real connector does, opening its way anew after each failure. */
function answering(log: SimulatedLog, { anchorResults }: Topics): Answers['write'] {
  let opened: Answers | undefined
  const { signal } = new AbortController()
  return (key, result) =>
    retrying(log, async () => {
      opened ??= await openAnswers({ log, clock: log.clock }, ANSWERS_ID, anchorResults, signal)
      await opened.write(key, result).catch((error: unknown) => {
        opened = undefined
        throw error
      })
    })
}

/** Gives the payout of an intent, with those of its run. The log has them: the intent came after them. */
function payoutReader(log: SimulatedLog, { payouts: topic }: Topics) {
  let known: { readonly offset: number; readonly dataMarket: string; readonly payout: Payout }[] = []
  return async (dataMarket: string, { batchOffset, payout: order }: AnchorIntent): Promise<PayoutGiven> => {
    for (;;) {
      const first = known.find(({ offset }) => offset === order!.firstOffset)?.payout
      const payout = known.find(({ offset }) => offset === batchOffset)?.payout
      const run = known.filter((one) => first && one.dataMarket === dataMarket && isSameRun(one.payout, first))
      if (payout && run.length === payout.parts) return { payout, run: run.map((one) => one.payout) }
      const records = await retrying(log, () => readPartition(log, { topic: topic.name, partition: 0 }))
      known = records
        .filter((record) => !attackOf(record))
        .map(({ offset, key, value }) => ({
          offset,
          dataMarket: topic.key.decode(key!).dataMarket,
          payout: topic.value.decode(value!),
        }))
    }
  }
}

const isSameRun = (a: Payout, b: Payout): boolean =>
  a.epochId === b.epochId && a.payoutOf === b.payoutOf && a.purpose === b.purpose

async function batchBytes(log: SimulatedLog, topics: Topics, { step, batchOffset }: AnchorIntent): Promise<Uint8Array> {
  if (step !== 'STORE') return new Uint8Array()
  for (;;) {
    const [fetched] = await retrying(log, () =>
      log.fetch([{ topic: topics.batches.name, partition: 0, offset: batchOffset }], {
        maxWaitMs: 0,
        maxBytesPerPartition: 1,
      }),
    )
    const record = fetched!.records.find(({ offset }) => offset === batchOffset)
    if (!record) continue
    const batch = topics.batches.value.decode(record.value!)
    if (isEpochSummary(batch)) throw new Error(`the intent points to a summary at ${batchOffset}`)
    return withBytes(batch).json
  }
}
