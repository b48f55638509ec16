/** What is told of epochs to who follows the topics from their end, and to who wants to know what is under way as well. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { followedEpoch, followProgress, lostWords, type Progress } from '../../../ops/reading/progress.ts'
import type { FollowedEpoch, ProgressListener } from '../../../ops/reading/progress-listener.ts'
import { createMetrics, type Metrics } from '../../../ops/watch/metrics/create.ts'
import { epochMetrics } from '../../../ops/watch/metrics/epochs.ts'
import { countEpochs } from '../../../ops/world/dev/count.ts'
import { createCodec } from '../../../schemas/codec.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import type { Anchor, EpochTick, ProjectFinalization } from '../../../schemas/types.ts'
import { configOf } from '../../../streams/kafka-topic.ts'
import { type Appender, type Log, LogError } from '../../../streams/ports.ts'
import type { Unreadable } from '../../../streams/read-record.ts'
import { candidatesOf, countsOf, finalizationParts } from '../../../topology/shared/parts.ts'
import { sequencerTopics, type Topics } from '../../../topology/topics.ts'

const MARKET = '0x00000000000000000000000000000000000000aa'
const HASH = `0x${'0'.repeat(64)}`

let log: Log
let topics: Topics
let appender: Appender
let following: Progress[]
let leftOut: Unreadable[]
let failures: unknown[]
const onUnreadable = (unreadable: Unreadable) => void leftOut.push(unreadable)
const failed = (error: unknown) => void failures.push(error)

beforeEach(async () => {
  log = createMemoryLog()
  const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
  topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions })
  const { epochTicks, finalizations, batches, anchors, verdicts } = topics
  await log.createTopics([epochTicks, finalizations, batches, anchors, verdicts].map(configOf))
  appender = await log.appender()
  following = []
  leftOut = []
  failures = []
})
afterEach(async () => {
  await Promise.all(following.map((one) => one.close()))
  await log.close()
})

const append = (topic: string, key: Uint8Array | null, value: Uint8Array | null, timestamp = Date.now()) =>
  appender.append([{ topic, partition: 0, timestamp, key, value }])

function tick(kind: EpochTick['kind'], epochId: number, timestamp?: number) {
  const { name, key, value } = topics.epochTicks
  const blocks = { blockNumber: 10, blockHash: HASH, parentHash: HASH, blockTimestamp: 1, releaseBlock: 10 }
  const window = {
    slotsOffset: 0,
    contractBlock: 10,
    begin: 0,
    end: 0,
    skippedFrom: 0,
    refusedFrom: 0,
    forks: 0,
    submissionWindow: 3,
    acceptedHeaders: [],
    markets: [],
    day: 0,
    dailyQuota: 0,
    daysEnded: 0,
    refused: [],
  }
  const dataMarket = kind === 'ORPHAN' ? '' : MARKET
  const encoded = value.encode({ kind, dataMarket, epochId, ...blocks, ...window })
  return append(name, key.encode({ dataMarket }), encoded, timestamp)
}

function anchor(epochId: number, batchIndex: number, state: Anchor['state'], more: Partial<Anchor> = {}) {
  const { name, key, value } = topics.anchors
  const texts = { cid: '', roothash: '', finalizedCidsRootHash: '', transactionHash: '', blockHash: '', error: '' }
  const numbers = { batchOffset: 0, nonce: 0, attempts: 1, blockNumber: 1 }
  const row = { state, ...texts, ...numbers, attestations: [], attested: false, diverged: false, reorgs: 0, ...more }
  return append(name, key.encode({ dataMarket: MARKET, epochId, batchIndex }), value.encode(row))
}

async function follow(...listeners: ProgressListener[]): Promise<void> {
  const progress = followProgress({ topics, listeners, onUnreadable, failed }, { log, clock: systemClock })
  following.push(progress)
  await progress.started
}

async function measured(): Promise<Metrics> {
  const metrics = createMetrics({ version: '0', roles: ['api'], markets: [MARKET] })
  await follow(epochMetrics(metrics, { now: Date.now }))
  return metrics
}

const sample = async (metrics: Metrics, series: string): Promise<number | undefined> => {
  const line = (await metrics.text()).split('\n').find((one) => one.startsWith(`${series.replace('M', MARKET)} `))
  return line === undefined ? undefined : Number(line.split(' ')[1])
}
const becomes = (metrics: Metrics, series: string, value: number | undefined) =>
  vi.waitFor(async () => expect(await sample(metrics, series)).toBe(value))

test('default: an epoch is followed from its release to its end', async () => {
  const metrics = await measured()
  await tick('OPEN', 7)
  await becomes(metrics, 'seq_epochs_unfinished{market="M",phase="OPEN"}', 1)
  await becomes(metrics, 'seq_epoch_oldest{market="M",phase="OPEN"}', 7)
  await tick('CLOSE', 7)
  await anchor(7, 0, 'PLANNED')
  await anchor(7, -1, 'PLANNED')
  await becomes(metrics, 'seq_epochs_unfinished{market="M",phase="STORING"}', 1)
  await anchor(7, 0, 'SENT')
  await becomes(metrics, 'seq_epochs_unfinished{market="M",phase="MINING"}', 1)
  expect(await sample(metrics, 'seq_tx_oldest_pending_seconds{market="M"}')).toBeGreaterThanOrEqual(0)
  await anchor(7, 0, 'FINAL')
  await anchor(7, -1, 'FINAL')
  await becomes(metrics, 'seq_epochs_anchored_total{market="M"}', 1)
  await becomes(metrics, 'seq_epoch_oldest{market="M",phase="CONFIRMING"}', undefined)
  expect(await sample(metrics, 'seq_epoch_missed_total{market="M",outcome="LATE"}')).toBe(0)
})

test('behavior: the newest epoch is one whose release is on the chain', async () => {
  const metrics = await measured()
  const head = (epoch: number | undefined) => becomes(metrics, 'seq_epoch_head{market="M"}', epoch)
  await tick('OPEN', 7)
  await head(7)
  await tick('CLOSE', 7)
  await tick('OPEN', 8)
  await tick('OPEN', 9)
  await head(9)
  await tick('ORPHAN', 0)
  await head(7) // it is closed, and stays
  await tick('OPEN', 8)
  await head(8)
})

test('behavior: without an epoch whose release is on the chain there is no newest one', async () => {
  const metrics = await measured()
  await tick('OPEN', 7)
  await becomes(metrics, 'seq_epoch_head{market="M"}', 7)
  await tick('ORPHAN', 0)
  await becomes(metrics, 'seq_epoch_head{market="M"}', undefined)
})

test('behavior: an epoch that ends without a batch of its own is told apart from an anchored one', async () => {
  const told: string[] = []
  const say = (what: string) => (epoch: FollowedEpoch) => void told.push(`${epoch.epochId} ${what} ${lostWords(epoch)}`)
  await follow({ anchored: say('anchored'), missed: say('missed') })
  await anchor(7, 0, 'FINAL')
  await anchor(7, 1, 'LATE')
  await anchor(7, 2, 'FAILED')
  await anchor(7, -1, 'FINAL')
  await anchor(8, 0, 'FINAL')
  await anchor(8, -1, 'FINAL')
  await anchor(9, 0, 'FINAL')
  await anchor(9, -1, 'FAILED')
  await vi.waitFor(() =>
    expect(told).toEqual(['7 missed batch 1 LATE, batch 2 FAILED', '8 anchored ', '9 missed ending call FAILED']),
  )
})

test('behavior: of --epochs only those count that are anchored, and it is said how many were not', async () => {
  const said: string[] = []
  const { enough, listener } = countEpochs(2, { say: (text) => void said.push(text) })
  let ended = false
  void enough.then(() => {
    ended = true
  })
  const tell = async (what: 'anchored' | 'missed'): Promise<boolean> => {
    listener.endedWithoutBatch?.(followedEpoch(MARKET, 1), 'EMPTY', { at: 0, past: false })
    listener[what]?.(followedEpoch(MARKET, 1), { at: 0, past: false })
    await Promise.resolve()
    return ended
  }
  expect([await tell('missed'), await tell('anchored'), await tell('missed'), await tell('anchored')]).toEqual([
    false,
    false,
    false,
    true,
  ])
  expect(said).toEqual([
    '2 epochs are anchored; 2 ended with batches that were late or failed; 4 ended without a batch',
  ])
})

test('behavior: after a restart it is known what is under way, and nothing is counted twice', async () => {
  const longAgo = Date.now() - 100_000
  await tick('OPEN', 6)
  await anchor(6, -1, 'FINAL')
  await tick('OPEN', 7, longAgo)
  await tick('CLOSE', 7, longAgo)
  const metrics = await measured()
  await becomes(metrics, 'seq_epochs_unfinished{market="M",phase="COUNTING"}', 1)
  expect(await sample(metrics, 'seq_epoch_oldest_seconds{market="M",phase="COUNTING"}')).toBeGreaterThan(99)
  expect(await sample(metrics, 'seq_epochs_released_total{market="M"}')).toBe(0)
  await anchor(7, 0, 'LATE')
  await becomes(metrics, 'seq_epoch_missed_total{market="M",outcome="LATE"}', 1)
})

test('behavior: who shows what happens is not told of the past', async () => {
  await tick('OPEN', 6)
  const told: string[] = []
  await follow({ released: ({ epochId }) => void told.push(`released ${epochId}`) })
  await tick('OPEN', 7)
  await vi.waitFor(() => expect(told).toEqual(['released 7']))
})

test('behavior: votes, ties and slots of a project are counted as it is read', async () => {
  const metrics = await measured()
  const { name, key, value } = topics.finalizations
  const position = { partition: 0, offset: 0 }
  const ballots = ['a', 'a', 'b', 'b'].map((snapshotCid, slotId) => ({
    position,
    submissionId: `${slotId}`,
    slotId,
    snapshotCid,
    frame: 0,
  }))
  const project = { projectId: 'p', snapshotCid: 'a', votes: 2, voters: 4, closeBlock: 12, ballots }
  const candidates = candidatesOf(countsOf(ballots), 'a')
  const rest = { dropped: [], equivocations: [3], ...NO_TEXTS, candidates, part: 0, parts: 1 }
  const whole: ProjectFinalization = { ...project, ...rest }
  const parts = [...finalizationParts(whole, 600)]
  expect(parts.length).toBeGreaterThan(2)
  for (const part of parts) await append(name, key.encode({ dataMarket: MARKET, epochId: 7 }), value.encode(part))
  await becomes(metrics, 'seq_epoch_active_slots{market="M"}', 4)
  expect(await sample(metrics, 'seq_consensus_ties_total{market="M"}')).toBe(1)
  expect(await sample(metrics, 'seq_consensus_projects_total{market="M"}')).toBe(1)
  expect(await sample(metrics, 'seq_consensus_votes_total{market="M",agreed="true"}')).toBe(2)
  expect(await sample(metrics, 'seq_consensus_votes_total{market="M",agreed="false"}')).toBe(2)
  expect(await sample(metrics, 'seq_consensus_equivocations_total{market="M"}')).toBe(1)
})

const NO_TEXTS = {
  texts: Buffer.of(),
  frames: [{ middle: 'm', end: 'e' }],
  signatures: Buffer.alloc(4 * 65),
  leaves: Buffer.of(),
}

test('behavior: a log that does not answer for a while is waited for', async () => {
  const away = new LogError('UNREACHABLE', 'no broker answers', { retriable: true })
  const fetching = vi.spyOn(log, 'fetch')
  for (let refusal = 1; refusal <= 5; refusal++) fetching.mockRejectedValueOnce(away)
  const released: number[] = []
  await follow({ released: ({ epochId }) => void released.push(epochId) })
  await tick('OPEN', 7)
  await vi.waitFor(() => expect(released).toEqual([7]))
})

test('behavior: whatever the log says, at the start too, it is asked again', async () => {
  const moved = new LogError('NOT_LEADER_OR_FOLLOWER', 'bounds of anchors/0: NOT_LEADER_OR_FOLLOWER')
  vi.spyOn(log, 'bounds').mockRejectedValueOnce(moved).mockRejectedValueOnce(new Error('for good'))
  vi.spyOn(log, 'fetch').mockRejectedValueOnce(new LogError('CORRUPT', 'no batch'))
  const released: number[] = []
  await follow({ released: ({ epochId }) => void released.push(epochId) })
  await tick('OPEN', 7)
  await vi.waitFor(() => expect(released).toEqual([7]))
})

test('behavior: what is none of a topic is left out, named, and followed by the rest', async () => {
  const released: number[] = []
  const { finalizations, epochTicks } = topics
  await append(epochTicks.name, Buffer.of(), Buffer.from('text'))
  await follow({ wantsPast: true, released: ({ epochId }) => void released.push(epochId) })
  await append(finalizations.name, Buffer.from('k'), Buffer.from('text'))
  await append(epochTicks.name, null, null)
  await tick('OPEN', 6, 1_795_984_250_000_000)
  await tick('OPEN', 7)
  await vi.waitFor(() => expect(released).toEqual([7]))
  expect(leftOut.map(({ topic, offset, reason }) => [topic, offset, reason]).sort()).toEqual([
    ['epoch-ticks', 0, 'undecodable'],
    ['epoch-ticks', 1, 'null-key'],
    ['epoch-ticks', 2, 'timestamp'],
    ['finalizations', 0, 'undecodable'],
  ])
})

test('behavior: a listener that throws ends nothing', async () => {
  const released: number[] = []
  const broken = () => {
    throw new Error('a fault of ours')
  }
  await follow({ released: broken }, { released: ({ epochId }) => void released.push(epochId) })
  await tick('OPEN', 7)
  await vi.waitFor(() => expect([failures.length, released]).toEqual([1, [7]]))
})
