/** The topics that the processes of bench/kafka/scale.ts agree on, and the records that they all work on: signed once, and then copied. */

import { systemClock } from '../../connectors/system-clock.ts'
import { signDigest } from '../../ops/world/snapshotters/wallets.ts'
import { createCodec } from '../../schemas/codec.ts'
import { memoryRegistry } from '../../schemas/registry.ts'
import type { Submission } from '../../schemas/types.ts'
import { partitionFor } from '../../streams/partitioner.ts'
import type { Log, TopicConfig } from '../../streams/ports.ts'
import { readRange } from '../../streams/read-range.ts'
import { digestOf, domainOf } from '../../topology/shared/signature.ts'
import { isMarker, isWithdrawal, sequencerTopics, type Topics } from '../../topology/topics.ts'
import { openTicks, recordsAt, slotRecords, walletOf } from '../flow-world.ts'
import { market, submissionOf } from '../stage-data.ts'
import type { ScaleRole } from './scale-figures.ts'

export const PROJECTS = 100
const EPOCH = 1
const APPEND_RECORDS = 2_000
const APPENDS_AT_ONCE = 8

/** A partition of each topic for each process. */
export async function scaleTopics(prefix: string, partitions: number) {
  const codec = await createCodec(memoryRegistry(), prefix)
  const counts = { submissions: partitions, validated: partitions, admitted: partitions, verdicts: partitions }
  const topics = sequencerTopics(codec, { prefix, partitions: { ...counts, finalizations: 1 } })
  const inputs = { validate: topics.submissions, admit: topics.validated, consensus: topics.admitted }
  return { codec, topics, inputs: inputs satisfies Record<ScaleRole, TopicConfig>, appId: `${prefix}bench` }
}

export interface Prepared {
  readonly key: Buffer
  readonly value: Buffer
}

/** Submissions with signatures of their slots, slot by slot through all projects, as they lie in the topic. */
export async function prepareSubmissions(count: number): Promise<Prepared[]> {
  const { topics } = await scaleTopics('', 1)
  const { key, value } = topics.submissions
  const domain = domainOf(market)
  const header = openTicks(EPOCH).at(-1)!.blockHash
  let wallet = walletOf(1)
  return Array.from({ length: count }, (_, n) => {
    const slotId = 1 + Math.floor(n / PROJECTS)
    if (wallet.slotId !== slotId) wallet = walletOf(slotId)
    const { projectId, snapshotCid } = submissionOf(n % PROJECTS)
    const unsigned: Submission = { ...submissionOf(n), slotId, epochId: EPOCH, header, projectId, snapshotCid }
    const submission = { ...unsigned, signature: signDigest(digestOf(unsigned, domain), wallet.privateKey) }
    return {
      key: Buffer.from(key.encode({ dataMarket: market.dataMarket, epochId: EPOCH, projectId })),
      value: Buffer.from(value.encode(submission)),
    }
  })
}

/** The slots, the markers that open the epoch, and the submissions. Everything that the roles need lies there then. */
export async function fillTopics(log: Log, topics: Topics, prepared: readonly Prepared[]): Promise<void> {
  const { submissions, slots } = topics
  await log.createTopics(Object.values(topics))
  const appender = await log.appender()
  const recordOf = recordsAt(() => systemClock.now())
  const slotCount = Math.ceil(prepared.length / PROJECTS)
  await appender.append(slotRecords(topics, slotCount, (slotId) => walletOf(slotId).address, recordOf))
  const [{ stable: slotsOffset } = { stable: 0 }] = await log.bounds([{ topic: slots.name, partition: 0 }])
  const markers = openTicks(EPOCH).flatMap((tick) =>
    Array.from({ length: submissions.partitions }, (_, partition) => {
      const key = submissions.key.encode({ dataMarket: tick.dataMarket, epochId: tick.epochId, projectId: '' })
      const marker = { tick: { ...tick, slotsOffset }, from: 0, of: 1, count: -1, checksum: 0, blockTimes: [] }
      return recordOf(submissions.name, partition, key, submissions.value.encode(marker))
    }),
  )
  await appender.append(markers)
  const appends: Promise<unknown>[] = []
  for (let from = 0; from < prepared.length; from += APPEND_RECORDS) {
    const records = prepared
      .slice(from, from + APPEND_RECORDS)
      .map(({ key, value }) => recordOf(submissions.name, partitionFor(key, submissions.partitions), key, value))
    appends.push(appender.append(records))
    if (appends.length >= APPENDS_AT_ONCE) await appends.shift()
  }
  await Promise.all(appends)
  await appender.close()
}

/** Submissions among what a role wrote: its output, or the votes that it keeps. */
export async function countOutput(
  log: Log,
  { topics, appId }: Awaited<ReturnType<typeof scaleTopics>>,
  role: ScaleRole,
) {
  const { validated, admitted } = topics
  const isVote = (value: object): boolean => !isMarker(value) && !isWithdrawal(value)
  if (role === 'validate') return await count(log, validated, (value) => isVote(validated.value.decode(value)))
  if (role === 'admit') return await count(log, admitted, (value) => isVote(admitted.value.decode(value)))
  return await count(log, { name: `${appId}-votes-changelog`, partitions: admitted.partitions }, () => true)
}

/** Records with a value in a whole topic, those that satisfy. */
export async function count(
  log: Log,
  { name: topic, partitions }: Pick<TopicConfig, 'name' | 'partitions'>,
  satisfies: (value: Uint8Array) => boolean,
): Promise<number> {
  let found = 0
  for (let partition = 0; partition < partitions; partition++) {
    const [bounds] = await log.bounds([{ topic, partition }])
    const from = { topic, partition, offset: bounds!.start }
    await readRange({ log, clock: systemClock }, from, bounds!.stable, ({ value }) => {
      if (value && satisfies(value)) found++
    })
  }
  return found
}
