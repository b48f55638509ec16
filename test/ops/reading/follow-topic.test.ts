/** Topics that somebody follows who only looks on, and that are deleted and made anew meanwhile. */
import { expect, test } from 'vitest'
import { readableLog } from '../../../connectors/schema-registry/readable-log.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { followIntakeReports } from '../../../ops/api/queries/peers.ts'
import { followProcesses } from '../../../ops/api/queries/processes.ts'
import { followTopic } from '../../../ops/reading/follow-topic.ts'
import { followProgress } from '../../../ops/reading/progress.ts'
import { createGuide } from '../../../ops/run/intake/guide.ts'
import { createSignerPool } from '../../../ops/run/signers.ts'
import { createCodec } from '../../../schemas/codec.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import { configOf, type RecordTopic } from '../../../streams/kafka-topic.ts'
import { sequencerTopics } from '../../../topology/topics.ts'
import { MARKET, openTick, rulesOf } from '../../topology/world.ts'
import { createDeletableLog } from './deletable-log.ts'

const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions })
const { slots, epochTicks, peerBans, intakeReports, processes, finalizations, batches, anchors, verdicts } = topics
const POLL = { timeout: 5_000 }

async function world() {
  const deletable = createDeletableLog()
  const codec = { missing: () => undefined, learn: async () => {}, learnVersions: async () => {} }
  const log = readableLog({ log: deletable.log, clock: systemClock, codec, enveloped: new Map() })
  const all = [slots, epochTicks, peerBans, intakeReports, processes, finalizations, batches, anchors, verdicts]
  await deletable.log.createTopics(all.map(configOf))
  const appender = await deletable.log.appender()
  const append = <K, V>({ name: topic, key, value }: RecordTopic<K, V>, k: K, v: V) =>
    appender.append([{ topic, partition: 0, timestamp: Date.now(), key: key.encode(k), value: value.encode(v) }])
  const anew: string[] = []
  const ports = {
    log,
    clock: systemClock,
    tell: () => {},
    anew: (topic: string) => void anew.push(topic),
  }
  return { ...deletable, log, append, ports, anew }
}

const REPORT = {
  ...{ startedAt: 1, version: '1', host: 'h', pid: 1, ops: '', probes: '', intake: [], roles: [] },
  ...{ acknowledged: null, signer: null },
}
const BAN = { banned: true, until: 0, reason: '', at: 1 }

test('behavior: a table that is made anew is followed, without the rows of before, however often', async () => {
  const { append, makeAnew, open, ports, anew } = await world()
  const rows = new Set<string>()
  let caughtUp = false
  const following = followTopic(ports, peerBans, {
    apply: ({ subject }) => rows.add(subject),
    caughtUp() {
      caughtUp = true
    },
    clear() {
      rows.clear()
      caughtUp = false
    },
  })
  for (const subject of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) await append(peerBans, { subject }, BAN)
  await expect.poll(() => rows.size, POLL).toBe(3)
  for (const subject of ['10.0.0.4', '10.0.0.5']) {
    await makeAnew(configOf(peerBans))
    await append(peerBans, { subject }, BAN) // below the offset that was reached
    await expect.poll(() => [caughtUp, ...rows], POLL).toEqual([true, subject])
  }
  expect(anew).toEqual([peerBans.name, peerBans.name])
  expect(open()).toBe(2)
  await following.close()
  expect(open()).toBe(1)
})

test('behavior: the intake goes by the slots and ticks that were made anew', async () => {
  const { log, append, makeAnew, ports } = await world()
  const signers = createSignerPool(rulesOf(), 0)
  const guide = createGuide({ ...ports, log, rules: rulesOf(), topics, signers, quotaFactor: 4 })
  const own = (owner: string) => {
    const row = { sinceBlock: 0, sinceFork: 0, untilFork: 0, owner, active: true }
    return append(slots, { slotId: 5 }, { slotId: 5, history: [row] })
  }
  await own('0xa')
  await append(epochTicks, { dataMarket: MARKET }, openTick(9, 10))
  await expect.poll(() => [guide.ownersOf(5), guide.stateOf(MARKET, 9)], POLL).toEqual([['0xa'], 'open'])
  await makeAnew(configOf(slots))
  await expect.poll(() => guide.ownersOf(5), POLL).toBe('no-word')
  await own('0xb')
  await expect.poll(() => guide.ownersOf(5), POLL).toEqual(['0xb'])
  await makeAnew(configOf(epochTicks))
  await append(epochTicks, { dataMarket: MARKET }, openTick(12, 30))
  await expect.poll(() => [9, 12].map((epoch) => guide.stateOf(MARKET, epoch)), POLL).toEqual(['over', 'open'])
  await guide.close()
})

test('behavior: the API tells of the peers and processes in topics that were made anew', async () => {
  const { append, makeAnew, ports } = await world()
  const reports = followIntakeReports(ports, topics)
  const running = followProcesses(ports, topics)
  const names = () => [
    reports.newest().map(({ connections }) => connections),
    running.list().items.map(({ instanceId }) => instanceId),
  ]
  const tell = async (connections: number, instanceId: string) => {
    await append(intakeReports, { instanceId }, { at: Date.now(), connections, behind: null, talkers: [], bans: [] })
    await append(processes, { instanceId }, { ...REPORT, at: Date.now() })
  }
  await tell(1, 'a')
  await tell(2, 'b')
  await expect.poll(names, POLL).toEqual([
    [1, 2],
    ['a', 'b'],
  ])
  await makeAnew(configOf(intakeReports))
  await makeAnew(configOf(processes))
  await tell(3, 'c')
  await expect.poll(names, POLL).toEqual([[3], ['c']])
  await Promise.all([reports.close(), running.close()])
})

test('behavior: who follows epochs is told of the ticks in a topic that was made anew, and of nothing twice', async () => {
  const { log, append, makeAnew } = await world()
  const told: number[] = []
  const listener = { released: ({ epochId }: { epochId: number }) => void told.push(epochId) }
  const progress = followProgress(
    { topics, listeners: [listener], onUnreadable: () => {} },
    { log, clock: systemClock },
  )
  await progress.started
  for (const epoch of [7, 8]) await append(epochTicks, { dataMarket: MARKET }, openTick(epoch, 10))
  await expect.poll(() => told, POLL).toEqual([7, 8])
  await makeAnew(configOf(epochTicks))
  await append(epochTicks, { dataMarket: MARKET }, openTick(9, 30))
  await expect.poll(() => told, POLL).toEqual([7, 8, 9])
  await progress.close()
})
