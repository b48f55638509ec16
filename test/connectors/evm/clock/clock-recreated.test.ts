/** Topics of the clock that were deleted and made anew: what they held is read again, from the chain or from the requests. */
import { describe, expect, test } from 'vitest'
import type { ClockTopics } from '../../../../connectors/evm/clock/clock-log.ts'
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
