/** A transaction that somebody leaves open hides what lies behind it: in every topic that is seen, and no answer claims more. */
import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { textOf } from '../../../ops/base/output.ts'
import { ROLES } from '../../../ops/base/roles.ts'
import { desiredState } from '../../../ops/deploy/desired.ts'
import { changeMarket } from '../../../ops/deploy/markets/change.ts'
import { renderChange } from '../../../ops/deploy/markets/render.ts'
import { renderBan } from '../../../ops/deploy/peers/render.ts'
import { allTopics } from '../../../ops/ground/all-topics.ts'
import { extentsOf, hiddenIn } from '../../../ops/ground/unread.ts'
import { examineTransactions } from '../../../ops/look/doctor/held-back.ts'
import { partitionsOf } from '../../../ops/reading/scan.ts'
import { consumerLag } from '../../../ops/watch/metrics/consumer-lag.ts'
import { createMetrics } from '../../../ops/watch/metrics/create.ts'
import { createStageWatch } from '../../../ops/watch/stage-watch.ts'
import { createCodec } from '../../../schemas/codec.ts'
import { memoryRegistry } from '../../../schemas/registry.ts'
import { HeldBack } from '../../../streams/held-back.ts'
import { type Log, LogError, type TopicConfig } from '../../../streams/ports.ts'
import { ANCHOR_RULES_DEFAULTS } from '../../../topology/anchor-rules.ts'
import { sequencerTopology } from '../../../topology/index.ts'
import { sequencerStores } from '../../../topology/stores.ts'
import { sequencerTopics } from '../../../topology/topics.ts'
import { OTHER_MARKET, rulesOf } from '../../topology/world.ts'

const partitions = { submissions: 2, validated: 2, admitted: 2, finalizations: 2, verdicts: 2 }
const codec = await createCodec(memoryRegistry())
const topics = sequencerTopics(codec, { prefix: '', partitions })
const topology = sequencerTopology(rulesOf(), topics, sequencerStores(codec))
const all = allTopics('app', topology, topics)
const TOLD = 'a transaction that is open hides peer-bans/0 from 0 on from every reader'

/** All topics but `missing`, with one record in each of `hidden` that readers do not see. */
async function logOf(hidden: readonly string[], missing: readonly string[] = []): Promise<Log> {
  const log = createMemoryLog()
  await log.createTopics(all.filter(({ name }) => !missing.includes(name)))
  const appender = await log.appender()
  const at = { partition: 0, timestamp: 1, key: null, value: Buffer.from('x') }
  await appender.append(hidden.map((topic) => ({ topic, ...at })))
  const bounds: Log['bounds'] = async (asked) => {
    const found = await log.bounds(asked)
    return found.map((one, i) => (hidden.includes(asked[i]!.topic) ? { ...one, stable: 0 } : one))
  }
  return Object.assign(Object.create(log) as Log, { bounds })
}

test('default: every topic that is deployed is looked at, those without a stage and changelogs too', async () => {
  const settings = {
    appId: 'app',
    topicOptions: { prefix: '', partitions },
    rules: rulesOf(),
    anchoring: ANCHOR_RULES_DEFAULTS,
    chain: { chainId: 1, protocolState: `0x${'b'.repeat(40)}` },
  }
  const desired = await desiredState(
    settings,
    { replicationFactor: 1, minInsyncReplicas: 1 },
    { principals: {}, host: '*' },
  )
  const names = all.map(({ name }) => name)
  expect(desired.topics.map(({ name }) => name).sort()).toEqual(names.toSorted())
  expect(names).toEqual(expect.arrayContaining(Object.values<TopicConfig>(topics).map(({ name }) => name)))
  expect(new Set(names).size).toBe(names.length)
})

test('behavior: metrics, health and doctor see a transaction that is open, whichever topic it is in', async () => {
  const names = all.map(({ name }) => name)
  const log = await logOf(names)
  const held = new HeldBack(systemClock)
  const metrics = createMetrics({ version: '1', roles: ROLES, markets: [] })
  const watch = createStageWatch(systemClock.now)
  const lag = consumerLag(metrics, { appId: 'app', topics, all, log, bareLog: log, clock: systemClock, watch, held })
  await expect.poll(() => held.all.map(({ topic }) => topic)).toEqual(names)
  await lag.close()
  const open: string[] = []
  const openTransactions = async (asked: readonly { topic: string }[]) => void open.push(...asked.map((at) => at.topic))
  await examineTransactions(Object.assign(log, { openTransactions }) as never, all, { brokers: [], now: 0 })
  expect(open).toEqual(names)
})

test('behavior: a topic that is not there yet hides no other one', async () => {
  const log = await logOf(['peer-bans'], ['payouts'])
  const short = (await extentsOf(log, all)).filter(({ stable, end }) => stable < end)
  expect(short).toEqual([{ topic: 'peer-bans', partition: 0, stable: 0, end: 1 }])
  const down = Object.assign(Object.create(log) as Log, {
    ends: () => Promise.reject(new LogError('NOT_LEADER_OR_FOLLOWER', 'moving', { retriable: true })),
  })
  await expect(extentsOf(down, all)).rejects.toThrow('moving')
})

test('behavior: what stays open is told, what moves on is not', async () => {
  const log = await logOf(['peer-bans'])
  expect(await hiddenIn(log, all.map(partitionsOf), 1)).toContain(TOLD)
  let stable = 0
  const moving = Object.assign(Object.create(log) as Log, {
    bounds: async (asked: readonly object[]) => asked.map(() => ({ start: 0, stable: stable++ / 1_000 })),
  })
  expect(await hiddenIn(moving, [partitionsOf(topics.peerBans)], 1)).toBe(undefined)
})

test('behavior: a ban and a market that nobody can read yet are not told as done', async () => {
  const ban = { subject: '10.0.0.1', banned: true, until: 0, reason: '' }
  expect(textOf(renderBan(ban, { dryRun: false, unread: TOLD }))).toBe(
    `10.0.0.1 is to be banned from every intake for good: that is written, and no intake can read it yet\n  ${TOLD}\n`,
  )
  expect(textOf(renderBan(ban, { dryRun: false, unread: undefined }))).toBe(
    '10.0.0.1 is banned from every intake for good\n',
  )
  const admin = { statuses: async () => [], ask: async () => 'id', unread: async () => TOLD }
  const options = { dataMarket: OTHER_MARKET, action: 'add', dryRun: false, waitMs: 0 } as const
  const report = await changeMarket(options, { admin, onChain: async () => ({ unasked: 'no node' }) })
  expect(report).toMatchObject({ outcome: 'unread', reason: `not all is known: ${TOLD}` })
  expect(textOf(renderChange(report))).toContain('that is written, and no clock can read it yet')
})
