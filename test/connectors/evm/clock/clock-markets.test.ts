/** Markets that the operator adds and removes while the clock follows the chain. */
import { describe, expect, test } from 'vitest'
import { CHECKS_MAX, ClockMarkets } from '../../../../connectors/evm/clock/clock-markets.ts'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import type { EpochTick, ServedMarket } from '../../../../schemas/types.ts'
import { configOf } from '../../../../streams/kafka-topic.ts'
import type { Log } from '../../../../streams/ports.ts'
import type { Unreadable } from '../../../../streams/read-record.ts'
import {
  epochRange,
  FOREIGN_MARKET,
  MARKET,
  OTHER_MARKET,
  release,
  rpcError,
  ScriptedChain,
} from '../scripted-chain.ts'
import { canonical, clockTopics, readTicks, readTopic, runClock } from './clock-harness.ts'

const topics = await clockTopics()
let requests = 0

async function ask(log: Log, dataMarket: string, served: boolean): Promise<string> {
  const { name: topic, key, value } = topics.marketRequests
  await log.createTopics([configOf(topics.marketRequests)])
  const appender = await log.appender()
  const requestId = `request ${++requests}`
  const record = { key: key.encode({ dataMarket }), value: value.encode({ requestId, served }) }
  await appender.append([{ topic, partition: 0, timestamp: 1, ...record }])
  await appender.close()
  return requestId
}

async function rowsOf(log: Log): Promise<Record<string, ServedMarket>> {
  const rows = (await readTopic(log, topics.markets.name)).map(({ key, value }) => [
    topics.markets.key.decode(key!).dataMarket,
    topics.markets.value.decode(value!),
  ])
  return Object.fromEntries(rows) as Record<string, ServedMarket>
}

/** `block kind epoch` of all ticks but plain heads; of a HEAD what it says of markets. */
const told = (ticks: readonly EpochTick[]): string[] =>
  ticks.flatMap(({ kind, blockNumber, dataMarket, epochId, markets }) => {
    if (kind === 'HEAD')
      return markets.map((market) => `${blockNumber} ${market.served ? 'add' : 'remove'} ${nameOf(market.dataMarket)}`)
    return kind === 'ORPHAN' ? [`${blockNumber} ORPHAN`] : [`${blockNumber} ${kind} ${epochId} ${nameOf(dataMarket)}`]
  })
const nameOf = (market: string): string =>
  ({ [MARKET]: 'ours', [OTHER_MARKET]: 'other', [FOREIGN_MARKET]: 'foreign' })[market]!

/** Until the newest request is answered. */
async function answered(log: Log, dataMarket: string, requestId: string): Promise<ServedMarket> {
  for (;;) {
    const row = (await rowsOf(log))[dataMarket]
    if (row?.requestId === requestId) return row
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

describe('a market that is asked for', () => {
  test('default: its releases are taken up from the block whose HEAD says so, also after a restart', async () => {
    const [chain, log] = [new ScriptedChain({}), createMemoryLog()]
    chain.mine(release(6, OTHER_MARKET))
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(1)
    const id = await ask(log, OTHER_MARKET, true)
    chain.mine(release(7, OTHER_MARKET))
    expect(await answered(log, OTHER_MARKET, id)).toMatchObject({ serving: 'ADDED', sinceBlock: 2, refused: '' })
    await clock.close()
    for (let i = 0; i < 5; i++) chain.mine(i === 1 ? release(8, OTHER_MARKET) : {})
    const again = await runClock(log, topics, [chain.node()])
    await again.reached(7)
    await again.close()
    expect(told(await readTicks(log, topics))).toEqual([
      '2 add other',
      '2 OPEN 7 other',
      '4 OPEN 8 other',
      '6 CLOSE 7 other',
    ])
  })

  test('behavior: a reorganisation that takes the block back makes the next one say it again', async () => {
    const [chain, log] = [new ScriptedChain({}), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(0)
    const id = await ask(log, OTHER_MARKET, true)
    chain.mine()
    chain.mine(release(7, OTHER_MARKET))
    await answered(log, OTHER_MARKET, id)
    await clock.reached(2)
    chain.reorg(2)
    chain.mine(release(7, OTHER_MARKET))
    chain.mine()
    chain.mine()
    await clock.reached(3)
    await clock.close()
    const ticks = await readTicks(log, topics)
    expect(told(ticks)).toEqual(expect.arrayContaining(['1 ORPHAN']))
    const last = canonical(ticks)
    expect(told(last)).toEqual(['1 add other', '1 OPEN 7 other'])
    expect((await rowsOf(log))[OTHER_MARKET]).toMatchObject({ serving: 'ADDED', sinceBlock: 1 })
  })

  test('error: one that the contract does not know is refused, with the words of the contract, and no tick speaks of it', async () => {
    const [chain, log] = [new ScriptedChain({}), createMemoryLog()]
    const clock = await runClock(log, topics, [chain.node()])
    const id = await ask(log, FOREIGN_MARKET, true)
    const row = await answered(log, FOREIGN_MARKET, id)
    expect(row).toMatchObject({ serving: 'CONFIGURED', sinceBlock: 0 })
    expect(row.refused).toMatch(/does not know this data market \(.*unknown data market\)/)
    await clock.close()
    expect(told(await readTicks(log, topics))).toEqual([])
  })

  test('error: while no node can check it, the chain is followed, and in the end the request is refused', async () => {
    const [chain, log] = [new ScriptedChain({}), createMemoryLog()]
    const window = protocolStateInterface.getFunction('snapshotSubmissionWindow')!.selector
    const node = chain.node((method, [call]) => {
      if (method === 'eth_call' && (call as { data: string }).data.startsWith(window)) throw rpcError('out of order')
    })
    const clock = await runClock(log, topics, [node])
    const id = await ask(log, OTHER_MARKET, true)
    chain.mine()
    await clock.reached(1)
    expect((await answered(log, OTHER_MARKET, id)).refused).toMatch(/could not be checked: .*out of order/)
    await clock.close()
  })

  test('behavior: asked for twice it is said once, and the last of several requests counts', async () => {
    const [chain, log] = [new ScriptedChain({}), createMemoryLog()]
    const first = await runClock(log, topics, [chain.node()])
    await first.reached(0)
    await first.close()
    await ask(log, OTHER_MARKET, true)
    await ask(log, MARKET, false)
    await ask(log, OTHER_MARKET, true)
    const last = await ask(log, MARKET, true)
    chain.mine()
    const clock = await runClock(log, topics, [chain.node()])
    await answered(log, MARKET, last)
    await clock.reached(1)
    await clock.close()
    expect(told(await readTicks(log, topics))).toEqual(['1 add other'])
  })
})

describe('a market that is removed', () => {
  test('default: its open epoch closes, no other is opened, and the row names the last one', async () => {
    const [chain, log] = [new ScriptedChain({}), createMemoryLog()]
    chain.mine(release(1))
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(1)
    const id = await ask(log, MARKET, false)
    chain.mine()
    expect(await answered(log, MARKET, id)).toMatchObject({ serving: 'REMOVED', sinceBlock: 2, lastEpoch: 1 })
    for (let i = 0; i < 4; i++) chain.mine(i === 0 ? release(2) : {})
    await clock.reached(6)
    await clock.close()
    expect(told(await readTicks(log, topics))).toEqual(['1 OPEN 1 ours', '2 remove ours', '5 CLOSE 1 ours'])
  })

  test('behavior: a reorganisation that releases its last epoch again has it opened again', async () => {
    const [chain, log] = [new ScriptedChain({}), createMemoryLog()]
    chain.mine()
    chain.mine(release(1))
    const clock = await runClock(log, topics, [chain.node()])
    await clock.reached(2)
    const id = await ask(log, MARKET, false)
    chain.mine()
    await answered(log, MARKET, id)
    await clock.reached(3)
    chain.reorg(2)
    chain.mine()
    chain.mine(release(1))
    for (let i = 0; i < 4; i++) chain.mine(i === 1 ? release(2) : {})
    await clock.reached(7)
    await clock.close()
    expect(told(canonical(await readTicks(log, topics)))).toEqual(['2 remove ours', '3 OPEN 1 ours', '7 CLOSE 1 ours'])
  })
})

describe('ClockMarkets', () => {
  const asked = (dataMarket: string, served = true) => ({ dataMarket, served, requestId: dataMarket })
  const fine = async () => undefined
  const unit = { addedWindowUnit: 'seconds', marketsMax: 2 } as const
  const markets = () => new ClockMarkets([{ dataMarket: MARKET, windowUnit: 'blocks' }], unit)

  test('args: marketsMax is kept', async () => {
    const clock = markets()
    await clock.decide([asked(OTHER_MARKET)], fine)
    await clock.decide([asked('0xthird')], fine)
    const { rows, changes } = clock.news(5, 4, [])
    expect(changes).toEqual([{ dataMarket: OTHER_MARKET, served: true }])
    expect(rows.get('0xthird')?.refused).toBe('2 markets are served, at most 2 can be')
    expect([clock.unitOf(MARKET), clock.unitOf(OTHER_MARKET)]).toEqual(['blocks', 'seconds'])
  })

  test('error: a check that fails is made again, and takes nothing meanwhile', async () => {
    const clock = markets()
    const fails = async () => {
      throw new EvmError('UNREACHABLE', 'no answer', { retriable: true })
    }
    for (let i = 1; i < CHECKS_MAX; i++)
      await expect(clock.decide([asked(OTHER_MARKET)], fails)).rejects.toThrow('no answer')
    expect(clock.news(5, 4, []).rows.size).toBe(0)
    await clock.decide([asked(OTHER_MARKET)], fails)
    expect(clock.news(5, 4, []).rows.get(OTHER_MARKET)?.refused).toBe('it could not be checked: no answer')
  })

  test('behavior: a refusal leaves as it is what was removed before', async () => {
    const clock = markets()
    clock.load(MARKET, { serving: 'REMOVED', sinceBlock: 3, lastEpoch: 9, requestId: 'old', refused: '' })
    await clock.decide([asked(MARKET)], async () => 'no such market')
    const { rows, changes } = clock.news(5, 4, [])
    expect(changes).toEqual([])
    expect(rows.get(MARKET)).toEqual({
      serving: 'REMOVED',
      sinceBlock: 3,
      lastEpoch: 9,
      requestId: MARKET,
      refused: 'no such market',
    })
    expect([clock.follows(MARKET, 9), clock.follows(MARKET, 10)]).toEqual([true, false])
  })

  test('behavior: the highest epoch that is open is the last one', async () => {
    const clock = markets()
    await clock.decide([asked(MARKET, false)], fine)
    const open = [3, 7, 5].map((epochId) => ({
      ...epochRange(epochId),
      dataMarket: epochId === 7 ? OTHER_MARKET : MARKET,
      epochId,
      releaseBlock: 1,
      releaseTimestamp: 1,
      submissionWindow: 9,
      skippedFrom: 0,
      refusedFrom: 0,
      day: 1,
      dailyQuota: 1,
    }))
    expect(clock.news(5, 4, open).rows.get(MARKET)).toMatchObject({ serving: 'REMOVED', lastEpoch: 5 })
  })
})

describe('rows that rest on no request', () => {
  const row = (fields: Partial<ServedMarket>): ServedMarket => ({
    ...{ serving: 'CONFIGURED', sinceBlock: 0, lastEpoch: 0, requestId: '', refused: '' },
    ...fields,
  })
  async function forge(log: Log, dataMarket: string, fields: Partial<ServedMarket>): Promise<void> {
    const { name: topic, key, value } = topics.markets
    const appender = await log.appender()
    const record = { key: key.encode({ dataMarket }), value: value.encode(row(fields)) }
    await appender.append([{ topic, partition: 0, timestamp: 1, ...record }])
    await appender.close()
  }
  const unreadable: Unreadable[] = []
  const run = (log: Log, chain: ScriptedChain) => {
    unreadable.length = 0
    return runClock(log, topics, [chain.node()], { observer: { unreadable: (left) => void unreadable.push(left) } })
  }
  /** A log in which a clock that has ended added the other market, as it was asked to. */
  async function withAdded() {
    const [chain, log] = [new ScriptedChain({}), createMemoryLog()]
    const first = await run(log, chain)
    await first.reached(0)
    const id = await ask(log, OTHER_MARKET, true)
    chain.mine()
    const founded = await answered(log, OTHER_MARKET, id)
    await first.close()
    return { chain, log, founded }
  }

  test('error: a configured market that nobody asked to remove stays, and its row is put right', async () => {
    const [chain, log] = [new ScriptedChain({}), createMemoryLog()]
    const first = await run(log, chain)
    await first.reached(0)
    await first.close()
    await forge(log, MARKET, { serving: 'REMOVED', requestId: 'forged' })
    chain.mine(release(6))
    chain.mine()
    const again = await run(log, chain)
    await again.reached(2)
    await again.close()
    expect(told(await readTicks(log, topics))).toEqual(['1 OPEN 6 ours'])
    expect((await rowsOf(log))[MARKET]).toEqual(row({}))
    expect(unreadable.map(({ why }) => why)).toEqual([`it says that ${MARKET} is REMOVED, and nobody asked for that`])
  })

  test('error: a market that was asked for keeps its row, whatever came behind it', async () => {
    const { chain, log, founded } = await withAdded()
    await forge(log, OTHER_MARKET, { serving: 'REMOVED', requestId: founded.requestId })
    await forge(log, OTHER_MARKET, { serving: 'CONFIGURED', requestId: 'forged' })
    chain.mine(release(7, OTHER_MARKET))
    const again = await run(log, chain)
    await again.reached(2)
    await again.close()
    expect(told(await readTicks(log, topics))).toEqual(['1 add other', '2 OPEN 7 other'])
    expect((await rowsOf(log))[OTHER_MARKET]).toEqual(founded)
  })

  test('error: where the right row is compacted away the request is decided again', async () => {
    const { chain, log, founded } = await withAdded()
    const [end] = await log.ends([{ topic: topics.markets.name, partition: 0 }])
    await forge(log, OTHER_MARKET, { serving: 'REMOVED', requestId: 'forged' })
    // what compaction leaves: the newest row of the key
    const fetch: Log['fetch'] = async (...asked) =>
      (await log.fetch(...asked)).map((one) =>
        one.topic === topics.markets.name
          ? { ...one, records: one.records.filter(({ offset }) => offset >= end!) }
          : one,
      )
    chain.mine(release(7, OTHER_MARKET))
    const again = await run(Object.assign(Object.create(log) as Log, { fetch }), chain)
    await again.reached(2)
    await again.close()
    expect(told(await readTicks(log, topics))).toEqual(['1 add other', '2 add other', '2 OPEN 7 other'])
    expect((await rowsOf(log))[OTHER_MARKET]).toMatchObject({ serving: 'ADDED', requestId: founded.requestId })
  })

  test('behavior: a request that is not decided yet speaks against no row', async () => {
    const { chain, log } = await withAdded()
    const later = await ask(log, OTHER_MARKET, false)
    chain.mine()
    const again = await run(log, chain)
    expect(await answered(log, OTHER_MARKET, later)).toMatchObject({ serving: 'REMOVED' })
    await again.close()
    expect(unreadable).toEqual([])
  })

  test('error: a key that is no address is none of the topic, and no node is asked about it', async () => {
    const [chain, log] = [new ScriptedChain({}), createMemoryLog()]
    const first = await run(log, chain)
    await first.reached(0)
    await first.close()
    await forge(log, '', { serving: 'ADDED' })
    await ask(log, '', true)
    await ask(log, MARKET.toUpperCase(), false)
    chain.mine()
    const again = await run(log, chain)
    await again.reached(1)
    await again.close()
    expect(told(await readTicks(log, topics))).toEqual([])
    expect(new Set(unreadable.map(({ why }) => why))).toEqual(
      new Set(['its key is no address of a data market in lower case']),
    )
  })
})
