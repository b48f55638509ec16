/** Numbers of the contract that cannot be, on a scripted chain: their author stops nobody else, and not for good. */
import { describe, expect, test } from 'vitest'
import { nodesInterface, protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { WINDOW_MAX } from '../../../../connectors/evm/contract/chain-reader.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import type { RefusedEpoch } from '../../../../schemas/types.ts'
import type { Log } from '../../../../streams/ports.ts'
import {
  type BlockContent,
  exampleChain,
  FOREIGN_MARKET,
  MARKET,
  OTHER_MARKET,
  OTHER_NODES,
  ownerAddress,
  release,
  rpcError,
  type ScriptedChain,
} from '../scripted-chain.ts'
import { clockTopics, expectSlotsAsOfEachBlock, expectTicksOfChain, readTicks, runClock } from './clock-harness.ts'

const topics = await clockTopics()
const COUNT = protocolStateInterface.getFunction('getTotalNodeCount')!.selector
const INFO = nodesInterface.getFunction('nodeInfo')!.selector
const HUGE = 2n ** 200n
const opened = async (log: Log) =>
  (await readTicks(log, topics)).filter(({ kind }) => kind !== 'HEAD').map(({ kind, epochId }) => `${kind} ${epochId}`)

/** Runs to a block and gives what was told. */
async function follow(chain: ScriptedChain, log: Log, block: number, markets = [MARKET]): Promise<RefusedEpoch[]> {
  const refused: RefusedEpoch[] = []
  const options = {
    markets: markets.map((dataMarket) => ({ dataMarket, windowUnit: 'blocks' as const })),
    observer: { epochRefused: (one: RefusedEpoch) => void refused.push(one) },
  }
  const clock = await runClock(log, topics, [chain.node()], options)
  await clock.reached(block)
  await clock.close()
  return refused
}

const absurd = (epochId: number, dataMarket = MARKET): BlockContent => ({
  releases: [{ dataMarket, epochId, begin: 2n ** 60n, end: 2n ** 60n + 9n }],
})

test('behavior: what a market of others releases is not looked at', async () => {
  const [chain, log] = [exampleChain(), createMemoryLog()]
  chain.mine(absurd(1, FOREIGN_MARKET))
  chain.mine({ releases: [{ dataMarket: FOREIGN_MARKET, epochId: 2 ** 60, begin: 1n, end: 9n }] })
  chain.mine(release(3))
  const told: string[] = []
  const nodeChanged = (_: number, { fault }: { fault?: string | undefined }) => void told.push(`${fault}`)
  const clock = await runClock(log, topics, [chain.node()], { observer: { nodeChanged } })
  await clock.reached(15)
  await clock.close()
  expect(told).toEqual([])
  await expectTicksOfChain(log, topics, chain)
})

describe('a release of ours', () => {
  test.each<[string, BlockContent, string]>([
    ['with blocks that cannot be', absurd(3), 'begin is 1152921504606846976'],
    [
      'with an id that cannot be',
      { releases: [{ dataMarket: MARKET, epochId: 2 ** 60, begin: 30n, end: 39n }] },
      'epochId is 1152921504606846976',
    ],
  ])('behavior: %s opens none and is told; the next one opens', async (_, content, why) => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    chain.mine(content)
    chain.mine({ releases: [{ dataMarket: OTHER_MARKET, epochId: 78 }] })
    chain.mine(release(4))
    const refused = await follow(chain, log, 15, [MARKET, OTHER_MARKET])
    expect(refused).toEqual([expect.objectContaining({ dataMarket: MARKET, block: 13, why })])
    const heads = (await readTicks(log, topics)).filter((tick) => tick.refused.length > 0)
    expect(heads).toEqual([expect.objectContaining({ kind: 'HEAD', blockNumber: 13, refused })])
    const ticks = await opened(log)
    expect(ticks.filter((tick) => tick.startsWith('OPEN'))).toEqual([
      'OPEN 1',
      'OPEN 77',
      'OPEN 2',
      'OPEN 78',
      'OPEN 4',
    ])
  })

  test('behavior: one step may have the mistake and its remedy', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    chain.mine({ window: HUGE })
    chain.mine(release(3))
    chain.mine({ window: 3 })
    chain.mine(release(4))
    for (let i = 0; i < 4; i++) chain.mine()
    const refused = await follow(chain, log, 20)
    const why = `snapshotSubmissionWindow is ${HUGE}, and ${WINDOW_MAX} is the most`
    expect(refused).toEqual([{ dataMarket: MARKET, epochId: 3, block: 14, why, skippedFrom: 0 }])
    expect((await opened(log)).slice(-2)).toEqual(['OPEN 4', 'CLOSE 4'])
  })

  test('behavior: with a window that cannot be it opens none; once it is set right the next one does, without a new start', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const refused: number[] = []
    const observer = { epochRefused: ({ epochId }: RefusedEpoch) => void refused.push(epochId) }
    const clock = await runClock(log, topics, [chain.node()], { observer })
    chain.mine({ ...release(3), window: BigInt(WINDOW_MAX) + 1n })
    chain.mine(release(4))
    await clock.reached(14)
    expect(refused).toEqual([3, 4])
    chain.mine({ window: 2 })
    chain.mine(release(5))
    for (let i = 0; i < 3; i++) chain.mine()
    await clock.reached(19)
    await clock.close()
    expect((await opened(log)).slice(-2)).toEqual(['OPEN 5', 'CLOSE 5'])
    expect(refused).toEqual([3, 4])
  })

  test('behavior: the next epoch says which ones opened none, after a restart, and when its release left the chain', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    chain.mine({ ...release(3), window: HUGE })
    chain.mine(release(5)) // the owner skipped one
    await follow(chain, log, 14)
    chain.mine({ window: 2 })
    chain.mine(release(6))
    await follow(chain, log, 16)
    chain.reorg(1)
    chain.mine()
    chain.mine(release(6))
    chain.mine(release(7))
    for (let i = 0; i < 4; i++) chain.mine()
    await follow(chain, log, 22)
    const told = (await readTicks(log, topics)).filter(({ epochId }) => epochId >= 6)
    expect(told.map(({ kind, epochId, refusedFrom }) => [kind, epochId, refusedFrom])).toEqual([
      ['OPEN', 6, 3],
      ['OPEN', 6, 3],
      ['OPEN', 7, 0],
      ['CLOSE', 6, 3],
      ['CLOSE', 7, 0],
    ])
  })

  test('error: that only the log of a node says so is a slip of that node', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    chain.mine(release(3))
    const liar = new (chain.constructor as typeof ScriptedChain)()
    liar.blocks = [...chain.blocks.slice(0, 13), { ...chain.blocks[13]!, ...absurd(3) }]
    let lies = true
    const lying = liar.node()
    const node = chain.node((method, params) =>
      lies && method === 'eth_getLogs' ? lying.ask(method, params) : undefined,
    )
    const refused: RefusedEpoch[] = []
    const observer = { epochRefused: (one: RefusedEpoch) => void refused.push(one) }
    const clock = await runClock(log, topics, [node], { observer })
    expect(await clock.failed()).toMatchObject({ code: 'BAD_ANSWER' })
    lies = false
    await clock.reached(13)
    await clock.close()
    expect(refused).toEqual([])
    await expectTicksOfChain(log, topics, chain)
  })
})

describe('a registry', () => {
  test('behavior: an event of a slot that no vote can name changes nothing', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    const slots = [{ slotId: 2 ** 60, owner: `0x${'12'.repeat(20)}` }]
    const node = chain.node()
    chain.mine({ slots })
    chain.blocks[13] = { ...chain.blocks[13]!, owners: chain.blocks[12]!.owners }
    const clock = await runClock(log, topics, [node])
    await clock.reached(13)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
  })

  test('error: that is said to have more slots than there can be is not read', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    let asked = 0
    let lies = true
    const node = chain.node((method, params) => {
      if (method !== 'eth_call') return undefined
      asked++
      const { data } = params[0] as { data: string }
      return lies && data.startsWith(COUNT) ? `0x${(2 ** 40).toString(16).padStart(64, '0')}` : undefined
    })
    const clock = await runClock(log, topics, [node])
    expect(await clock.failed()).toMatchObject({ code: 'NO_REGISTRY', message: expect.stringContaining('slots') })
    expect(asked).toBeLessThan(1_000)
    lies = false
    await clock.reached(12)
    await clock.close()
    await expectTicksOfChain(log, topics, chain)
  })

  describe.each<[string, () => unknown]>([
    [
      'refuses to be asked for slots',
      () => {
        throw rpcError('execution reverted')
      },
    ],
    ['answers with nothing', () => '0x'],
  ])('that counts slots and %s', (_, answer) => {
    const bad = { registry: { address: OTHER_NODES, owners: new Map([[1, ownerAddress(71)]]) } }
    /** Until `mended()`, or for good as of blocks before that. */
    const nodeOf = (chain: ScriptedChain, mended: () => boolean) =>
      chain.node((method, params) => {
        if (method !== 'eth_call') return undefined
        const [{ to, data }, at] = params as [{ to: string; data: string }, unknown]
        const isNow = at === 'latest' && mended()
        return to === OTHER_NODES && data.startsWith(INFO) && !isNow ? answer() : undefined
      })

    test('error: it is said what is wrong with which address, and the clock goes on once another one is named', async () => {
      const [chain, log] = [exampleChain(), createMemoryLog()]
      const clock = await runClock(log, topics, [nodeOf(chain, () => false)])
      await clock.reached(12)
      chain.mine(bad)
      for (let i = 0; i < 80; i++) chain.mine()
      const failure = (await clock.failed()) as Error
      expect(failure).toMatchObject({ code: 'NO_REGISTRY', retriable: true })
      for (const words of [OTHER_NODES, 'nodeInfo', 'updateSnapshotterState']) expect(failure.message).toContain(words)
      chain.mine({ registry: { address: `0x${'b4'.repeat(20)}`, owners: new Map([[1, ownerAddress(74)]]) } })
      chain.mine(release(3))
      await clock.reached(chain.head.number)
      await clock.close()
      await expectTicksOfChain(log, topics, chain)
    })

    test('behavior: once there is one at that address, its slots are those of now', async () => {
      const [chain, log] = [exampleChain(), createMemoryLog()]
      let isMended = false
      const clock = await runClock(log, topics, [nodeOf(chain, () => isMended)])
      await clock.reached(12)
      chain.mine(bad)
      expect(await clock.failed()).toMatchObject({ code: 'NO_REGISTRY' })
      isMended = true
      await clock.reached(13)
      await clock.close()
      await expectTicksOfChain(log, topics, chain)
      await expectSlotsAsOfEachBlock(log, topics, chain)
    })
  })
})
