/** Ticks that the clock is asked for again, by requests of every kind. */
import { describe, expect, test } from 'vitest'
import { ANSWER_BLOCKS_MAX, planAnswer } from '../../../../connectors/evm/clock/tick-requests.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import type { TickRequest } from '../../../../schemas/types.ts'
import { configOf } from '../../../../streams/kafka-topic.ts'
import type { Log } from '../../../../streams/ports.ts'
import { exampleChain } from '../scripted-chain.ts'
import { clockTopics, readTicks, runClock } from './clock-harness.ts'

const request = (fromBlock: number, toBlock: number): TickRequest => ({ fromBlock, toBlock, reason: 'test' })
const requests = (...ranges: readonly (readonly [number, number])[]) => ({
  asked: ranges.map(([from, to], i) => ({ offset: 100 + i, request: request(from, to) })),
  next: 100 + ranges.length,
})

describe('planAnswer', () => {
  test('default: the blocks of all requests, each once, up to the newest', () => {
    const { blocks, told, next } = planAnswer(requests([5, 7], [6, 9], [18, 30]), 20)
    expect([...blocks]).toEqual([5, 6, 7, 8, 9, 18, 19, 20])
    expect(told.map(({ leftOut }) => leftOut)).toEqual([undefined, undefined, undefined])
    expect(next).toBe(103)
  })

  test.each([
    [-4, 20, 'there is no block -4'],
    [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, `there is no block ${Number.MIN_SAFE_INTEGER}`],
    [21, 30, 'block 21 has no ticks yet, the newest is 20'],
    [0, -1, 'it asks for no blocks'],
    [9, 8, 'it asks for no blocks'],
  ])('error: blocks %s to %s are left out with a word', (from, to, why) => {
    const { blocks, told, next } = planAnswer(requests([from, to]), 20)
    expect([...blocks]).toEqual([])
    expect(told).toEqual([{ request: request(from, to), leftOut: why }])
    expect(next).toBe(101)
  })

  test('error: nothing is sent before the first block', () => {
    expect(planAnswer(requests([0, 5]), undefined).told).toMatchObject([{ leftOut: /no ticks yet/ }])
  })

  test('behavior: a long request gets its first blocks', () => {
    const { blocks, next } = planAnswer(requests([7, Number.MAX_SAFE_INTEGER]), 1_000_000)
    expect(blocks.size).toBe(ANSWER_BLOCKS_MAX)
    expect([Math.min(...blocks), next]).toEqual([7, 101])
  })

  test('behavior: requests beyond the bound wait for the next answer', () => {
    const all = requests([0, 5_999], [-1, 3], [3_000, 8_999], [5_000, 10_000], [20, 30])
    const { blocks, told, next } = planAnswer(all, 1_000_000)
    expect([blocks.size, told.length, next]).toEqual([9_000, 3, 103])
    const rest = planAnswer({ ...all, asked: all.asked.slice(3) }, 1_000_000)
    expect([rest.blocks.size, rest.next]).toEqual([5_012, 105])
  })
})

describe('the clock', async () => {
  const topics = await clockTopics()
  const ask = async (log: Log, ...ranges: readonly (readonly [number, number])[]) => {
    await log.createTopics([configOf(topics.tickRequests)])
    const { name: topic, key, value } = topics.tickRequests
    const appender = await log.appender()
    await appender.append(
      ranges.map(([from, to]) => ({
        ...{ topic, partition: 0, timestamp: 1 },
        key: key.encode({ dataMarket: '' }),
        value: value.encode(request(from, to)),
      })),
    )
    await appender.close()
  }

  test('behavior: answers what it can, says of the rest why not, and of all how many ticks it sent', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const told: unknown[] = []
    const observer = {
      ticksAsked: ({ fromBlock }: TickRequest, leftOut?: string) => void told.push([fromBlock, leftOut]),
      resent: (ticks: number) => void told.push(ticks),
    }
    const first = await runClock(log, topics, [chain.node()], { observer })
    await first.reached(12)
    const before = await readTicks(log, topics)
    await ask(log, [-4, 20], [5, 6], [13, 20])
    await expect.poll(() => told).toHaveLength(4)
    await first.close()
    const sent = before.filter(({ blockNumber }) => blockNumber === 5 || blockNumber === 6).length
    expect(told).toEqual([
      sent,
      [-4, 'there is no block -4'],
      [5, undefined],
      [13, 'block 13 has no ticks yet, the newest is 12'],
    ])
    expect(await readTicks(log, topics)).toHaveLength(before.length + sent)

    const again = await runClock(log, topics, [chain.node()], { observer })
    chain.mine()
    await again.reached(13)
    await again.close()
    expect(told).toHaveLength(4)
  })
})
