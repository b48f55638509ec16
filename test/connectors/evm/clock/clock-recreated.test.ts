/** Topics of the clock that were deleted and made anew: what they held is read again, from the chain or from the requests. */
import { describe, expect, test } from 'vitest'
import type { RecordsGone } from '../../../../connectors/evm/clock/clock-place.ts'
import type { ClockTopics } from '../../../../connectors/evm/clock/tick-log.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { type Log, PositionLostError } from '../../../../streams/ports.ts'
import { exampleChain, MARKET, release } from '../scripted-chain.ts'
import { clockTopics, readTicks, readTopic, runClock } from './clock-harness.ts'

const topics = await clockTopics()

/** A topic of another name in the same place is to the clock what one made anew is: empty, and with another id. */
const withAnew = (...roles: readonly (keyof ClockTopics)[]): ClockTopics =>
  Object.fromEntries(
    Object.entries(topics).map(([role, topic]) => [
      role,
      roles.includes(role as keyof ClockTopics) ? { ...topic, name: `${topic.name}-anew` } : topic,
    ]),
  ) as unknown as ClockTopics

/** A log whose topics have ids, as those of a cluster have. */
function withIds(memory: Log): Log {
  const topicIds: Log['topicIds'] = async (names) => new Map(names.map((name) => [name, `id of ${name}`]))
  return Object.assign(Object.create(memory) as Log, { topicIds })
}

const slotsIn = async (log: Log, { slots }: ClockTopics): Promise<number[]> =>
  (await readTopic(log, slots.name)).map(({ value }) => slots.value.decode(value!).slotId)

describe('slots', () => {
  test.each([
    ['by its id', withIds],
    ['by being empty, where topics have no ids', (log: Log) => log],
  ])('behavior: the table that is gone is known %s, and read from the chain', async (_how, logOf) => {
    const [chain, memory] = [exampleChain(), createMemoryLog()]
    const log = logOf(memory)
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    await clock.close()
    const before = new Set(await slotsIn(memory, topics))
    expect(before.size).toBeGreaterThan(0)
    const anew = withAnew('slots')
    const again = await runClock(log, anew, [chain.node()])
    chain.mine()
    await again.reached(13)
    await again.close()
    expect(new Set(await slotsIn(memory, anew))).toEqual(before)
  })

  test('default: where nothing was made anew the slots are not read again', async () => {
    const [chain, memory] = [exampleChain(), createMemoryLog()]
    const log = withIds(memory)
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(12)
    await clock.close()
    const before = await slotsIn(memory, topics)
    const again = await runClock(log, topics, [chain.node()])
    chain.mine()
    await again.reached(13)
    await again.close()
    expect(await slotsIn(memory, topics)).toEqual(before)
  })
})

test.each<[string, (keyof ClockTopics)[]]>([
  ['requests', ['epochTicks', 'tickRequests']],
  ['requests and slots', ['epochTicks', 'tickRequests', 'slots']],
  ['requests and those for markets', ['epochTicks', 'tickRequests', 'marketRequests', 'markets']],
])('behavior: so they do when %s are made anew with them', async (_, roles) => {
  const [chain, memory] = [exampleChain(), createMemoryLog()]
  const log = withIds(memory)
  const clock = await runClock(log, topics, [chain.node()])
  await clock.reached(12)
  await clock.close()
  const anew = withAnew(...roles)
  const again = await runClock(log, anew, [chain.node()])
  chain.mine(release(13))
  await again.reached(13)
  await again.close()
  const ticks = await readTicks(memory, anew)
  expect(ticks.map(({ kind, blockNumber }) => `${kind} ${blockNumber}`)).toEqual(['HEAD 13', 'OPEN 13'])
})

test('behavior: ticks that are made anew begin behind the block that the clock was at, not with all of the chain again', async () => {
  const [chain, memory] = [exampleChain(), createMemoryLog()]
  const log = withIds(memory)
  const clock = await runClock(log, topics, [chain.node()])
  await clock.reached(12)
  const request = {
    key: topics.tickRequests.key.encode({ dataMarket: '' }),
    value: topics.tickRequests.value.encode({ fromBlock: 3, toBlock: 3, reason: 'test' }),
  }
  const ticksOfThree = async () =>
    (await readTicks(memory, topics)).filter(({ blockNumber }) => blockNumber === 3).length
  await (await memory.appender()).append([{ topic: topics.tickRequests.name, partition: 0, timestamp: 1, ...request }])
  await expect.poll(ticksOfThree).toBe(2)
  await clock.close()
  const anew = withAnew('epochTicks')
  for (const block of [13, 14]) {
    const again = await runClock(log, anew, [chain.node()])
    chain.mine(release(block))
    await again.reached(block)
    await again.close()
  }
  const ticks = await readTicks(memory, anew)
  expect(ticks.map(({ kind, blockNumber }) => `${kind} ${blockNumber}`)).toEqual([
    'HEAD 13',
    'OPEN 13',
    'HEAD 14',
    'OPEN 14',
  ])
})

test('behavior: requests for markets are decided again when their rows or they themselves are made anew', async () => {
  const [chain, memory] = [exampleChain(), createMemoryLog()]
  const log = withIds(memory)
  const dataMarket = `0x${'7'.repeat(40)}`
  const ask = async ({ marketRequests }: ClockTopics) => {
    await memory.createTopics([{ name: marketRequests.name, partitions: 1, cleanup: 'delete' }])
    const value = marketRequests.value.encode({ requestId: 'one', served: true })
    const record = {
      topic: marketRequests.name,
      partition: 0,
      timestamp: 1,
      key: marketRequests.key.encode({ dataMarket }),
      value,
    }
    await (await memory.appender()).append([record])
  }
  await ask(topics)
  const clock = await runClock(log, topics, [chain.node()])
  await clock.reached(12)
  await clock.close()
  const rowsOf = async ({ markets }: ClockTopics) =>
    (await readTopic(memory, markets.name)).map(({ key }) => markets.key.decode(key!).dataMarket)
  const decided = (await rowsOf(topics)).filter((one) => one !== MARKET)
  expect(decided).toContain(dataMarket)
  const anew = withAnew('markets')
  const again = await runClock(log, anew, [chain.node()])
  chain.mine()
  await again.reached(13)
  await again.close()
  expect(await rowsOf(anew)).toContain(dataMarket)
})

test('error: a topic made anew under way is no end of the role: its session begins again', async () => {
  const [chain, memory] = [exampleChain(), createMemoryLog()]
  let losses = 1
  const fetch: Log['fetch'] = async (positions, options) => {
    if (positions[0]!.topic === topics.tickRequests.name && losses-- > 0)
      throw new PositionLostError('TOPIC_RECREATED', { topic: topics.tickRequests.name }, 'it was made anew')
    return memory.fetch(positions, options)
  }
  const clock = await runClock(Object.assign(Object.create(memory) as Log, { fetch }), topics, [chain.node()])
  await clock.reached(12)
  for (let block = 13; block < 16; block++) {
    chain.mine()
    await clock.reached(block)
  }
  await clock.close()
  expect(losses, 'the topic was read after it was lost').toBeLessThan(0)
})

test('error: a row of slots that somebody else wrote is put right when all slots are read again', async () => {
  const [chain, log] = [exampleChain(), createMemoryLog()]
  const clock = await runClock(log, topics, [chain.node()])
  await clock.reached(12)
  await clock.close()
  const newest = async () =>
    (await readTopic(log, topics.slots.name)).map(({ value }) => topics.slots.value.decode(value!)).at(-1)!
  const { slotId, history } = await newest()
  const forged = { ...history.at(-1)!, owner: `0x${'9'.repeat(40)}`, sinceFork: 1e9, sinceBlock: 1 }
  const { name: topic, key, value } = topics.slots
  const row = value.encode({ slotId, history: [forged] })
  await (await log.appender()).append([{ topic, partition: 0, timestamp: 1, key: key.encode({ slotId }), value: row }])
  chain.mine()
  const again = await runClock(log, topics, [chain.node()], { slotsRereadBlocks: 1 })
  await again.reached(13)
  await again.close()
  const { history: mended, slotId: same } = await newest()
  expect(same).toBe(slotId)
  expect(mended.at(-1)).toEqual({ ...history.at(-1)!, sinceBlock: 13 })
})

describe('rows or ticks that were deleted', () => {
  const runs = (log: Log, nodes: Parameters<typeof runClock>[2], told: RecordsGone[] = []) =>
    runClock(log, topics, nodes, { observer: { recordsGone: (gone) => void told.push(gone) } })
  const deleteFirst = (log: Log, topic: string, offset: number) => log.deleteRecords([{ topic, partition: 0, offset }])

  test('error: slots whose rows were deleted are read again, all of them, and it is told once', async () => {
    const [chain, log, told] = [exampleChain(), createMemoryLog(), [] as RecordsGone[]]
    const clock = await runs(log, [chain.node()], told)
    await clock.reached(12)
    await clock.close()
    const before = new Set(await slotsIn(log, topics))
    expect(before.size).toBeGreaterThan(1)
    const rows = await readTopic(log, topics.slots.name)
    const start = rows[1]!.offset
    await deleteFirst(log, topics.slots.name, start)
    for (const block of [13, 14]) {
      chain.mine()
      const again = await runs(log, [chain.node()], told)
      await again.reached(block)
      await again.close()
    }
    expect(new Set(await slotsIn(log, topics))).toEqual(before)
    expect(told).toEqual([
      { topic: topics.slots.name, from: 0, start, consequence: expect.stringContaining('read again') },
    ])
  })

  test('error: requests are decided again when rows of markets were deleted', async () => {
    const [chain, log, told] = [exampleChain(), createMemoryLog(), [] as RecordsGone[]]
    const dataMarket = `0x${'7'.repeat(40)}`
    const { marketRequests, markets } = topics
    await log.createTopics([{ name: marketRequests.name, partitions: 1, cleanup: 'compact' }])
    const key = marketRequests.key.encode({ dataMarket })
    const value = marketRequests.value.encode({ requestId: 'one', served: true })
    await (await log.appender()).append([{ topic: marketRequests.name, partition: 0, timestamp: 1, key, value }])
    const clock = await runs(log, [chain.node()], told)
    await clock.reached(12)
    await clock.close()
    const rowsOf = async () =>
      (await readTopic(log, markets.name)).map((row) => markets.key.decode(row.key!).dataMarket)
    expect(await rowsOf()).toContain(dataMarket)
    const [end] = await log.ends([{ topic: markets.name, partition: 0 }])
    await deleteFirst(log, markets.name, end!)
    expect(await rowsOf()).toEqual([])
    chain.mine()
    const again = await runs(log, [chain.node()], told)
    await again.reached(13)
    await again.close()
    expect(await rowsOf()).toContain(dataMarket)
    expect(told.map(({ topic }) => topic)).toEqual([markets.name])
  })

  test('error: ticks that have expired before the clock was through with them are told', async () => {
    const [chain, log, told] = [exampleChain(), createMemoryLog(), [] as RecordsGone[]]
    const clock = await runs(log, [chain.node()], told)
    await clock.reached(12)
    await clock.close()
    const [end] = await log.ends([{ topic: topics.epochTicks.name, partition: 0 }])
    await deleteFirst(log, topics.epochTicks.name, end! - 1)
    chain.mine()
    const again = await runs(log, [chain.node()], told)
    await again.reached(13)
    await again.close()
    expect(told).toMatchObject([{ topic: topics.epochTicks.name, start: end! - 1 }])
    expect(told[0]!.consequence).toContain('never closed')
  })
})
