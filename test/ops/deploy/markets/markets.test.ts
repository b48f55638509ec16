/** What an operator is told of markets: from the log, and through the socket of a process that has the log to itself. */
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { textOf } from '../../../../ops/base/output.ts'
import { changeMarket } from '../../../../ops/deploy/markets/change.ts'
import { askChain, firstEpochFrom } from '../../../../ops/deploy/markets/on-chain.ts'
import { renderChange, renderMarkets } from '../../../../ops/deploy/markets/render.ts'
import { adminSocketPath, startAdminSocket } from '../../../../ops/ground/admin-socket.ts'
import { type MarketsAdmin, marketsAdminOfLog, marketsAdminOfRunning } from '../../../../ops/ground/markets-admin.ts'
import { peersAdminOfLog } from '../../../../ops/ground/peers-admin.ts'
import { servedMarkets } from '../../../../ops/reading/known-markets.ts'
import { END_OF_BATCHES } from '../../../../schemas/anchor-keys.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import type { AnchorState, EpochTick, ServedMarket } from '../../../../schemas/types.ts'
import { configOf, type RecordTopic } from '../../../../streams/kafka-topic.ts'
import type { Log } from '../../../../streams/ports.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { newFolder } from '../../../folder.ts'
import { headTick, MARKET, OTHER_MARKET, openTick, rulesOf } from '../../../topology/world.ts'
import { anchorOf } from '../../look/fixture.ts'

const directory = newFolder()

const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions })
const APP_ID = 'app'

async function write<K, V>(log: Log, topic: RecordTopic<K, V>, key: K, ...values: V[]): Promise<void> {
  const appender = await log.appender()
  const record = (value: V) => ({
    topic: topic.name,
    partition: 0,
    timestamp: 1,
    key: topic.key.encode(key),
    value: topic.value.encode(value),
  })
  await appender.append(values.map(record))
  await appender.close()
}

async function createWorld(): Promise<{ log: Log; admin: MarketsAdmin }> {
  const log = createMemoryLog()
  const { deadLetters: _, ...all } = topics
  await log.createTopics(Object.values(all).map((topic) => configOf(topic as RecordTopic<unknown, unknown>)))
  return { log, admin: marketsAdminOfLog({ log, topics, rules: rulesOf(), appId: APP_ID }) }
}

const ticks = (log: Log, ...all: EpochTick[]) =>
  Promise.all(all.map((tick) => write(log, topics.epochTicks, { dataMarket: tick.dataMarket }, tick)))

/** The clock's answer to the request that is pending. */
async function answer(log: Log, requestId: string, row: Partial<ServedMarket>): Promise<void> {
  const answered = { serving: 'CONFIGURED', sinceBlock: 0, lastEpoch: 0, requestId, refused: '', ...row } as const
  await write(log, topics.markets, { dataMarket: OTHER_MARKET }, answered)
  const writer = await log.transactionalWriter(`${APP_ID}-clock`)
  const [at] = await log.bounds([{ topic: topics.marketRequests.name, partition: 0 }])
  const commits = [{ topic: topics.marketRequests.name, partition: 0, next: at!.stable, metadata: '' }]
  await writer.commit({ records: [], offsets: { group: `${APP_ID}-clock`, commits } })
  await writer.close()
}

const change = (
  admin: MarketsAdmin,
  action: 'add' | 'remove',
  options: { dryRun?: boolean; waitMs?: number } = {},
  epochId = 6,
) =>
  changeMarket(
    { dataMarket: OTHER_MARKET, action, dryRun: false, waitMs: 0, ...options },
    { admin, onChain: async () => ({ submissionWindow: 3, epochId, releaseBlock: 20 }) },
  )

test('default: a market is pending until the clock has taken it, then served from its block on', async () => {
  const { log, admin } = await createWorld()
  expect(textOf(renderMarkets(await admin.statuses()))).toBe(`${MARKET}  served, as configured\n`)
  expect(await change(admin, 'add', { dryRun: true })).toMatchObject({ outcome: 'would' })
  expect(await change(admin, 'add')).toMatchObject({ outcome: 'pending' })
  expect(textOf(renderMarkets(await admin.statuses()))).toContain(`${OTHER_MARKET}  not served · add is pending`)

  const asking = change(admin, 'add', { waitMs: 10_000 })
  let requestId = ''
  while (requestId === '') {
    const fetched = await log.fetch([{ topic: topics.marketRequests.name, partition: 0, offset: 1 }], {
      maxWaitMs: 50,
      maxBytesPerPartition: 1e6,
    })
    const [record] = fetched[0]!.records
    if (record) requestId = topics.marketRequests.value.decode(record.value!).requestId
  }
  await answer(log, requestId, { serving: 'ADDED', sinceBlock: 21 })
  const report = await asking
  expect(report).toMatchObject({ outcome: 'done', sinceBlock: 21, firstEpoch: 7 })
  expect(textOf(renderChange(report))).toBe(`${OTHER_MARKET} is served from block 21 on; it begins with epoch 7\n`)
  expect(await change(admin, 'add')).toMatchObject({ outcome: 'already', sinceBlock: 21 })
})

test('default: one that is removed names the epochs that are still to finish', async () => {
  const { log, admin } = await createWorld()
  await answer(log, 'id', { serving: 'ADDED', sinceBlock: 11 })
  await ticks(
    log,
    headTick(10),
    openTick(6, 10, '', OTHER_MARKET),
    openTick(7, 12, '', OTHER_MARKET),
    openTick(8, 13, '', OTHER_MARKET),
  )
  const [, added] = await admin.statuses()
  expect(added).toMatchObject({ served: true, sinceBlock: 11, firstEpoch: 7, newestEpoch: 8, unfinished: [6, 7, 8] })
  const report = await change(admin, 'remove', { dryRun: true })
  expect(textOf(renderChange(report))).toBe(`${OTHER_MARKET} would be removed; still finishing: epochs 6, 7, 8\n`)
})

test('behavior: an epoch that its owner skipped, or whose batches and ending call have ended, is none that is still to finish', async () => {
  const { log, admin } = await createWorld()
  await answer(log, 'id', { serving: 'REMOVED', sinceBlock: 50 })
  const skip = { ...openTick(6, 44, '', OTHER_MARKET), skippedFrom: 2 }
  await ticks(log, openTick(3, 10, '', OTHER_MARKET), skip, openTick(7, 45, '', OTHER_MARKET))
  const row = (epochId: number, batchIndex: number, state: AnchorState) =>
    write(log, topics.anchors, { dataMarket: OTHER_MARKET, epochId, batchIndex }, anchorOf({ state }))
  await row(6, 0, 'MINED')
  await row(6, END_OF_BATCHES, 'FINAL')
  await row(7, 0, 'LATE')
  await row(7, END_OF_BATCHES, 'FINAL')
  const [, removed] = await admin.statuses()
  expect(removed).toMatchObject({ newestEpoch: 7, unfinished: [6] })
})

test('behavior: served are the configured markets and those that were added, not what was removed or refused', async () => {
  const { log } = await createWorld()
  const served = () => servedMarkets(log, topics, rulesOf())
  expect(await served()).toEqual([MARKET])
  await answer(log, 'refused', { refused: 'no such market' })
  expect(await served()).toEqual([MARKET])
  await answer(log, 'added', { serving: 'ADDED', sinceBlock: 11 })
  expect(await served()).toEqual([MARKET, OTHER_MARKET])
  const removed = { serving: 'REMOVED', sinceBlock: 12, lastEpoch: 0, requestId: 'removed', refused: '' } as const
  await write(log, topics.markets, { dataMarket: OTHER_MARKET }, removed)
  await write(log, topics.markets, { dataMarket: MARKET }, removed)
  expect(await served()).toEqual([])
})

test('error: what the clock refuses is said with its reason, and can be asked for again', async () => {
  const { log, admin } = await createWorld()
  await answer(log, 'id', { refused: 'no such market' })
  expect(textOf(renderMarkets(await admin.statuses()))).toContain('not served · refused: no such market')
  expect(await change(admin, 'add')).toMatchObject({ outcome: 'pending' })
})

test('error: what the contract refuses is not asked for', async () => {
  const { admin } = await createWorld()
  const options = { dataMarket: OTHER_MARKET, action: 'add', dryRun: false, waitMs: 0 } as const
  const report = await changeMarket(options, { admin, onChain: async () => ({ refused: 'no such market' }) })
  expect(textOf(renderChange(report))).toBe(`${OTHER_MARKET} was refused: no such market\n`)
  expect((await admin.statuses()).length).toBe(1)
})

test('error: why no node could be asked is said, and the clock is asked all the same', async () => {
  const { admin } = await createWorld()
  const chain = { chainId: 31337, protocolState: OTHER_MARKET }
  const nobody = { rpcUrls: ['http://127.0.0.1:1'], ...chain }
  const options = { dataMarket: OTHER_MARKET, action: 'add', dryRun: true, waitMs: 0 } as const
  const report = await changeMarket(options, { admin, onChain: () => askChain(nobody, OTHER_MARKET) })
  expect(report).toMatchObject({
    outcome: 'would',
    reason: expect.stringMatching(/refuse this port.*the clock asks its own/),
  })
  expect(await askChain({ rpcUrls: [], ...chain }, OTHER_MARKET)).toEqual({ unasked: 'no node is configured here' })
})

test('behavior: a log of an older release has the configured markets', async () => {
  const log = createMemoryLog()
  await log.createTopics([configOf(topics.epochTicks), configOf(topics.anchors)])
  const statuses = await marketsAdminOfLog({ log, topics, rules: rulesOf(), appId: APP_ID }).statuses()
  expect(statuses).toMatchObject([{ dataMarket: MARKET, configured: true, served: true, sinceBlock: null }])
})

test('behavior: the socket answers as the log does, to its owner only, and one that was left behind is nobody', async () => {
  const { log, admin } = await createWorld()
  const path = adminSocketPath(directory)
  expect(await marketsAdminOfRunning(path)).toBeUndefined()
  const server = await startAdminSocket(directory, admin, peersAdminOfLog({ log, topics }))
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700)
  const through = (await marketsAdminOfRunning(path))!
  await through.ask(OTHER_MARKET, true)
  expect(await through.statuses()).toEqual(await admin.statuses())
  await expect(through.ask('0x12', true)).rejects.toThrow(/answered 400.*40 hex digits/s)
  await server.close()
  expect(await marketsAdminOfRunning(path)).toBeUndefined()
})

test('behavior: a directory with a long name has its socket where nobody else may look or could foresee it', async () => {
  const { log, admin } = await createWorld()
  const long = join(directory, 'x'.repeat(120))
  mkdirSync(long)
  expect(await marketsAdminOfRunning(adminSocketPath(long))).toBeUndefined()
  const [first, second] = [await startAdminSocket(long, admin, peersAdminOfLog({ log, topics })), adminSocketPath(long)]
  expect(second.startsWith(tmpdir())).toBe(true)
  expect(statSync(dirname(second)).mode & 0o777).toBe(0o700)
  expect(await (await marketsAdminOfRunning(second))!.statuses()).toEqual(await admin.statuses())
  await first.close()
  expect(existsSync(dirname(second))).toBe(false)
  const again = await startAdminSocket(long, admin, peersAdminOfLog({ log, topics }))
  expect(adminSocketPath(long)).not.toBe(second)
  await again.close()
})

test.each([
  ['the newest was released before', 20, 10, 7],
  ['the newest was released since', 20, 20, 6],
])('args: the first epoch when %s', (_, block, releaseBlock, first) => {
  expect(firstEpochFrom(block, { submissionWindow: 3, epochId: 6, releaseBlock })).toBe(first)
})
