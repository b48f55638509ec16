/** Plays the same submissions to running instances on a real log, and answers the batches that came out. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { systemClock } from '../../connectors/system-clock.ts'
import { withBytes } from '../../schemas/batch-joiner.ts'
import { createCodec } from '../../schemas/codec.ts'
import { memoryRegistry } from '../../schemas/registry.ts'
import type { RecordTopic } from '../../streams/kafka-topic.ts'
import { partitionFor } from '../../streams/partitioner.ts'
import type { Appender, Log } from '../../streams/ports.ts'
import { StreamsRuntime } from '../../streams/runtime.ts'
import type { RuntimeOptions } from '../../streams/runtime-options.ts'
import { sequencerTopology } from '../../topology/index.ts'
import { sequencerStores } from '../../topology/stores.ts'
import { type BatchEvent, isEpochSummary, sequencerTopics } from '../../topology/topics.ts'
import { readAll } from '../contract/log-kit.ts'
import { until } from '../until.ts'
import { type Arrival, arrivals, TICKS } from './scenario.ts'
import { addressOf, rulesOf } from './world.ts'

const SEED = 11
const SLOTS = 8
export const EPOCHS = 3
const WAIT_MS_MAX = 60_000
const COMMIT_INTERVAL_MS = 40
let plays = 0
const codec = await createCodec(memoryRegistry())
const rules = rulesOf({ batchProjectsMax: 2 })

interface Setting {
  readonly open: (instance: string) => Promise<Log>
  readonly partitions: number
  readonly instances: number
  /** How often the tasks commit. */
  readonly pace?: Pick<RuntimeOptions, 'commitIntervalMs' | 'burstBytesMax'>
}

/** What is played. */
export const [sent] = fc.sample(arrivals, { numRuns: 1, seed: SEED }) as [Arrival[]]

/** Runs every instance over the play, and answers what came out, by epoch and place in it. */
export async function play({ open, partitions, instances, pace }: Setting): Promise<unknown[]> {
  const prefix = `same-${process.pid}-${Date.now()}-${plays++}-`
  const all = { submissions: partitions, validated: partitions, admitted: partitions, finalizations: partitions }
  const topics = sequencerTopics(codec, { prefix, partitions: { ...all, verdicts: partitions } })
  const log = await open('feeder')
  await log.createTopics([...Object.values(topics)])
  const appender = await log.appender()
  for (let slotId = 1; slotId <= SLOTS; slotId++) {
    const history = [{ sinceBlock: 0, owner: addressOf(slotId), active: true, sinceFork: 0, untilFork: 0 }]
    await append(appender, topics.slots, { slotId }, { slotId, history })
  }
  const failures: Error[] = []
  const running = await Promise.all(
    Array.from({ length: instances }, async (_, i) => {
      const instanceId = `instance-${i}`
      const own = instances === 1 ? log : await open(instanceId)
      const runtime = new StreamsRuntime(sequencerTopology(rules, topics, sequencerStores(codec)), {
        appId: `${prefix}app`,
        instanceId,
        log: own,
        clock: systemClock,
        commitIntervalMs: COMMIT_INTERVAL_MS,
        ...pace,
        onFailure: (error) => failures.push(error),
      })
      await runtime.start()
      return { runtime, own }
    }),
  )
  let markers = 0
  for (const [place, ticks] of TICKS.entries()) {
    for (const tick of ticks) await append(appender, topics.epochTicks, { dataMarket: tick.dataMarket }, tick)
    markers += ticks.length
    // Whether a submission is in time is its place among the markers, so they must be there first.
    const areMarked = async (): Promise<boolean> => {
      expect(failures).toEqual([])
      return (await countMarkers(log, topics.submissions)) === markers * partitions
    }
    await until('the markers', areMarked, { limitMs: WAIT_MS_MAX })
    for (const { submission } of sent.filter((arrival) => arrival.place === place)) {
      const { epochId, projectId } = submission
      await append(
        appender,
        topics.submissions,
        { dataMarket: submission.dataMarket.toLowerCase(), epochId, projectId },
        submission,
      )
    }
  }
  const batches = async () => await valuesOf<BatchEvent>(log, topics.batches)
  const areCut = async (): Promise<boolean> => (await batches()).filter(isEpochSummary).length === EPOCHS
  await until('the batches', areCut, { limitMs: WAIT_MS_MAX })
  expect(failures).toEqual([])
  const found = await batches()
  for (const { runtime, own } of running) {
    await runtime.close()
    if (own !== log) await own.close()
  }
  await log.close()
  const place = (event: BatchEvent): string =>
    isEpochSummary(event) ? `${event.summaryOf}/end` : `${event.epochId}/${event.batchIndex}`
  return found.map((event) => [place(event), plain(event)] as const).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Bytes as text, so that a difference can be read. */
const plain = (event: BatchEvent): unknown =>
  isEpochSummary(event) ? event : { ...event, json: Buffer.from(withBytes(event).json).toString() }

async function append<K, V>(appender: Appender, topic: RecordTopic<K, V>, key: K, value: V): Promise<void> {
  const bytes = topic.key.encode(key)
  const partition = partitionFor(bytes, topic.partitions)
  await appender.append([
    { topic: topic.name, partition, timestamp: 1_704_067_200_000, key: bytes, value: topic.value.encode(value) },
  ])
}

/** What of a topic its values are read with. */
type Readable<V> = Pick<RecordTopic<unknown, V>, 'name' | 'partitions' | 'value'>

async function valuesOf<V>(log: Log, topic: Readable<V>): Promise<V[]> {
  const partitions = Array.from({ length: topic.partitions }, (_, partition) => ({ topic: topic.name, partition }))
  const records = (await Promise.all(partitions.map((at) => readAll(log, at)))).flat()
  return records.map(({ value }) => topic.value.decode(value!))
}

const countMarkers = async <V extends object>(log: Log, topic: Readable<V>): Promise<number> =>
  (await valuesOf(log, topic)).filter((value) => 'tick' in value).length
