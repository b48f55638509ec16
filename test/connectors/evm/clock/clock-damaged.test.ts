/** Damaged batches in the topics that the clock reads: what nobody makes again it waits for, and says so; the rest it passes. */
import { expect, test } from 'vitest'
import type { ClockTopics } from '../../../../connectors/evm/clock/tick-log.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { configOf } from '../../../../streams/kafka-topic.ts'
import type { Log, OutgoingRecord } from '../../../../streams/ports.ts'
import type { Unreadable } from '../../../../streams/read-record.ts'
import { withDamage } from '../../../damaged-log.ts'
import { exampleChain } from '../scripted-chain.ts'
import { clockTopics, readTicks, readTopic, runClock } from './clock-harness.ts'

const topics = await clockTopics()
const OTHER = `0x${'7'.repeat(40)}`

async function put(log: Log, topic: ClockTopics[keyof ClockTopics], record: Pick<OutgoingRecord, 'key' | 'value'>) {
  await log.createTopics([configOf(topic)])
  const appender = await log.appender()
  await appender.append([{ topic: topic.name, partition: 0, timestamp: 1, ...record }])
  await appender.close()
}
const askForTicks = (log: Log, block: number) =>
  put(log, topics.tickRequests, {
    key: topics.tickRequests.key.encode({ dataMarket: '' }),
    value: topics.tickRequests.value.encode({ fromBlock: block, toBlock: block, reason: 'test' }),
  })
const askForMarket = (log: Log) =>
  put(log, topics.marketRequests, {
    key: topics.marketRequests.key.encode({ dataMarket: OTHER }),
    value: topics.marketRequests.value.encode({ requestId: 'one', served: true }),
  })
const decidedIn = async (log: Log): Promise<string[]> =>
  (await readTopic(log, topics.markets.name)).map(({ key }) => topics.markets.key.decode(key!).dataMarket)

test('behavior: a request for ticks that is damaged is told and passed over, since it is made again', async () => {
  const [chain, memory] = [exampleChain(), createMemoryLog()]
  await askForTicks(memory, 2)
  const told: Unreadable[] = []
  const observer = { unreadable: (one: Unreadable) => void told.push(one) }
  const clock = await runClock(withDamage(memory, topics.tickRequests.name, 0), topics, [chain.node()], { observer })
  await clock.reached(12)
  await askForTicks(memory, 3)
  await expect
    .poll(async () => (await readTicks(memory, topics)).filter(({ blockNumber }) => blockNumber === 3).length)
    .toBe(2)
  await clock.close()
  expect(told).toMatchObject([{ topic: topics.tickRequests.name, offset: 0, reason: 'damaged' }])
})

test('behavior: a request for a market that is damaged is waited for, and blocks go on', async () => {
  const [chain, memory] = [exampleChain(), createMemoryLog()]
  await askForMarket(memory)
  const clock = await runClock(withDamage(memory, topics.marketRequests.name, 0), topics, [chain.node()])
  await clock.reached(12)
  await askForMarket(memory)
  for (let block = 13; block < 16; block++) {
    chain.mine()
    await clock.reached(block)
  }
  expect(await decidedIn(memory)).not.toContain(OTHER)
  await memory.deleteRecords([{ topic: topics.marketRequests.name, partition: 0, offset: 1 }])
  await expect
    .poll(() => {
      chain.mine()
      return decidedIn(memory)
    })
    .toContain(OTHER)
  await clock.close()
})

test.each(['slots', 'markets', 'epochTicks'] as const)(
  'error: damage in %s holds the clock at its start, with the place in its words, until another replica has it',
  async (name) => {
    const [chain, memory] = [exampleChain(), createMemoryLog()]
    await askForMarket(memory)
    const first = await runClock(memory, topics, [chain.node()])
    await first.reached(12)
    await first.close()
    const topic = topics[name].name
    const damaged = withDamage(memory, topic, (await readTopic(memory, topic)).at(-1)!.offset)
    let isMended = false
    const fetch: Log['fetch'] = (positions, options) => (isMended ? memory : damaged).fetch(positions, options)
    const log = Object.assign(Object.create(memory) as Log, { fetch })
    const again = await runClock(log, topics, [chain.node()])
    expect(String(await again.failed())).toContain(`${topic}/0, offset `)
    isMended = true
    chain.mine()
    await again.reached(13)
    await again.close()
  },
)
