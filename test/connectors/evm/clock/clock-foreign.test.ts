/** What others write into the topics that the clock reads: it goes on without it, at its start and while it runs. */
import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { configOf } from '../../../../streams/kafka-topic.ts'
import type { Log } from '../../../../streams/ports.ts'
import type { Unreadable } from '../../../../streams/read-record.ts'
import { exampleChain, release } from '../scripted-chain.ts'
import { clockTopics, expectTicksOfChain, readTicks, runClock } from './clock-harness.ts'

const topics = await clockTopics()
const READ = ['epochTicks', 'tickRequests', 'slots', 'marketRequests', 'markets'] as const

/** One record of each kind into each topic. */
async function writeForeign(log: Log): Promise<number> {
  await log.createTopics(READ.map((name) => configOf(topics[name])))
  const appender = await log.appender()
  const records = READ.flatMap((name) => {
    const { name: topic, key: serde, cleanup } = topics[name]
    const key = serde.encode({ dataMarket: '', slotId: 1 } as never)
    const text = Buffer.from('text')
    return [
      { topic, partition: 0, timestamp: 1, key: text, value: text },
      { topic, partition: 0, timestamp: 1, key: null, value: text },
      { topic, partition: 0, timestamp: 1, key: null, value: null },
      { topic, partition: 0, timestamp: 1, key: Buffer.of(), value: Buffer.of() },
      { topic, partition: 0, timestamp: 1, key, value: Buffer.of(0, 0xff, 0xff, 0xff, 0xff) },
      { topic, partition: 0, timestamp: 1_795_984_250_000_000, key, value: text },
      ...(cleanup === 'delete' ? [{ topic, partition: 0, timestamp: 1, key, value: null }] : []),
    ]
  })
  await appender.append(records)
  await appender.close()
  return records.length
}

test('behavior: the clock goes on, leaves out nothing of the chain, and names each such record', async () => {
  const [chain, log] = [exampleChain(), createMemoryLog()]
  const told = new Set<string>()
  const unreadable = ({ topic, offset }: Unreadable) => void told.add(`${topic} ${offset}`)
  const observer = { unreadable }
  let written = await writeForeign(log)
  const first = await runClock(log, topics, [chain.node()], { observer })
  await first.reached(12)
  written += await writeForeign(log)
  chain.mine(release(9))
  await first.reached(13)
  await first.close()

  const second = await runClock(log, topics, [chain.node()], { observer })
  chain.mine()
  await second.reached(14)
  await second.close()
  await expectTicksOfChain(log, topics, chain)
  expect(told.size).toBe(written)
})

test('behavior: a request among them is answered', async () => {
  const [chain, log] = [exampleChain(), createMemoryLog()]
  const clock = await runClock(log, topics, [chain.node()])
  await clock.reached(12)
  await writeForeign(log)
  const { name: topic, key, value } = topics.tickRequests
  const appender = await log.appender()
  const request = {
    key: key.encode({ dataMarket: '' }),
    value: value.encode({ fromBlock: 3, toBlock: 3, reason: 'test' }),
  }
  await appender.append([{ topic, partition: 0, timestamp: 1, ...request }])
  await expect
    .poll(async () => (await readTicks(log, topics)).filter(({ blockNumber }) => blockNumber === 3).length)
    .toBe(2)
  await clock.close()
})
