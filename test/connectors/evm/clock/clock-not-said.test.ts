/** A contract that does not say what is read of it, as of blocks that stay so: the clock goes on, and says so. */
import { describe, expect, test } from 'vitest'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { asOf, NotSaid, STEPS_MAX } from '../../../../connectors/evm/contract/not-said.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import type { RefusedEpoch } from '../../../../schemas/types.ts'
import type { Log } from '../../../../streams/ports.ts'
import {
  exampleChain,
  MARKET,
  ownerAddress,
  PROTOCOL_STATE,
  release,
  rpcError,
  type ScriptedChain,
} from '../scripted-chain.ts'
import { clockTopics, expectSlotsAsOfEachBlock, readTicks, runClock } from './clock-harness.ts'

const topics = await clockTopics()
const reverts = (): never => {
  throw rpcError('execution reverted')
}
const ANSWERS: readonly [string, () => string][] = [
  ['with nothing', () => '0x'],
  ['with a refusal', reverts],
  ['with something else', () => `0x${'0'.repeat(8)}`],
]

/** A node of the chain whose contract answers so to a read, as of the blocks from one to another. */
const nodeOf = (chain: ScriptedChain, names: readonly string[], answer: () => string, from: number, to: number) =>
  chain.node((method, params) => {
    if (method !== 'eth_call') return undefined
    const [{ to: address, data }, at] = params as [{ to: string; data: string }, 'latest' | { blockHash: string }]
    const block = at === 'latest' ? chain.head : chain.blocks.find(({ hash }) => hash === at.blockHash)
    const isMeant = names.some((name) => data.startsWith(protocolStateInterface.getFunction(name)!.selector))
    return address === PROTOCOL_STATE && isMeant && block && block.number >= from && block.number <= to
      ? answer()
      : undefined
  })

const epochsIn = async (log: Log) =>
  (await readTicks(log, topics))
    .filter(({ kind }) => kind === 'OPEN' || kind === 'CLOSE')
    .map(({ kind, epochId, day }) => `${kind} ${epochId} of day ${day}`)

interface Told {
  readonly notSaid: string[]
  readonly refused: RefusedEpoch[]
}

async function follow(chain: ScriptedChain, log: Log, node = chain.node(), options: object = {}): Promise<Told> {
  const told: Told = { notSaid: [], refused: [] }
  const observer = {
    notSaid: (what: string) => void told.notSaid.push(what),
    epochRefused: (one: RefusedEpoch) => void told.refused.push(one),
  }
  const clock = await runClock(log, topics, [node], { observer, ...options })
  await clock.reached(chain.head.number)
  await clock.close()
  return told
}

/** Releases epochs 3, 4 and 5 in blocks 13, 15 and 17, behind which windows end. */
function chainOfFive(): ScriptedChain {
  const chain = exampleChain()
  for (const epochId of [3, 4, 5]) {
    chain.mine(release(epochId))
    chain.mine()
  }
  for (let i = 0; i < 6; i++) chain.mine()
  return chain
}

describe.each(ANSWERS)('a contract that answers %s', (_, answer) => {
  test.each(['dayCounter', 'dailySnapshotQuota', 'epochsInADay'])(
    'behavior: to %s for one release has no day there, and is told',
    async (name) => {
      const [chain, log] = [chainOfFive(), createMemoryLog()]
      const { notSaid, refused } = await follow(chain, log, nodeOf(chain, [name], answer, 15, 15))
      expect(notSaid).toEqual([`the day of ${MARKET}`])
      expect(refused).toEqual([])
      expect(await epochsIn(log)).toEqual([
        'OPEN 1 of day 1',
        'OPEN 2 of day 1',
        'CLOSE 1 of day 1',
        'CLOSE 2 of day 1',
        'OPEN 3 of day 1',
        'OPEN 4 of day 0',
        'OPEN 5 of day 1',
        'CLOSE 3 of day 1',
        'CLOSE 4 of day 0',
        'CLOSE 5 of day 1',
      ])
    },
  )

  test('behavior: to the window of one release opens no epoch with it, and the next one does', async () => {
    const [chain, log] = [chainOfFive(), createMemoryLog()]
    const { notSaid, refused } = await follow(chain, log, nodeOf(chain, ['snapshotSubmissionWindow'], answer, 15, 15))
    expect(notSaid).toEqual([`snapshotSubmissionWindow of ${MARKET}`])
    const why = 'snapshotSubmissionWindow cannot be read'
    expect(refused).toEqual([{ dataMarket: MARKET, epochId: 4, block: 15, skippedFrom: 0, why }])
    expect((await epochsIn(log)).map((text) => text.slice(0, 7))).toEqual(
      expect.arrayContaining(['OPEN 3 ', 'OPEN 5 ', 'CLOSE 3', 'CLOSE 5']),
    )
  })

  test('behavior: to its count of epochs for some blocks is followed by the logs, and held against it again behind them', async () => {
    const [chain, log] = [chainOfFive(), createMemoryLog()]
    const node = nodeOf(chain, ['currentEpoch'], answer, 14, 16)
    const { notSaid } = await follow(chain, log, node, { rangeBlocks: 1 })
    expect(notSaid).toContain(`currentEpoch of ${MARKET}`)
    expect((await epochsIn(log)).filter((text) => text.startsWith('OPEN')).map((text) => text.slice(0, 6))).toEqual([
      'OPEN 1',
      'OPEN 2',
      'OPEN 3',
      'OPEN 4',
      'OPEN 5',
    ])
  })

  test('behavior: a start in such blocks does not take the epochs before them for missing', async () => {
    const [chain, log] = [chainOfFive(), createMemoryLog()]
    const node = nodeOf(chain, ['currentEpoch'], answer, 0, 15)
    await follow(chain, log, node, { rangeBlocks: 1, startBlock: 14 })
    expect((await epochsIn(log)).slice(0, 2).map((text) => text.slice(0, 6))).toEqual(['OPEN 4', 'OPEN 5'])
  })

  test('behavior: to which registry there is stays with the one that it named', async () => {
    const [chain, log] = [chainOfFive(), createMemoryLog()]
    const { notSaid } = await follow(chain, log, nodeOf(chain, ['snapshotterState'], answer, 14, 16))
    expect(notSaid).toEqual([])
    const other = createMemoryLog()
    const told = await follow(chain, other, nodeOf(chain, ['snapshotterState'], answer, 14, 16), { rangeBlocks: 1 })
    expect(told.notSaid).toEqual(['snapshotterState'])
    for (const one of [log, other]) await expectSlotsAsOfEachBlock(one, topics, chain)
  })

  test('error: to everything is none: nothing is written until it is one again', async () => {
    const [chain, log] = [chainOfFive(), createMemoryLog()]
    let isThere = false
    const names = ['snapshotterState', 'currentEpoch', 'epochInfo', 'snapshotSubmissionWindow']
    const broken = nodeOf(chain, names, answer, 13, 99)
    const right = chain.node()
    const node = { ...right, ask: (...call: Parameters<typeof right.ask>) => (isThere ? right : broken).ask(...call) }
    const clock = await runClock(log, topics, [node], { rangeBlocks: 1 })
    for (let i = 0; i < 2 * STEPS_MAX; i++) await clock.failed()
    expect((await readTicks(log, topics)).at(-1)!.blockNumber).toBe(12)
    isThere = true
    await clock.reached(chain.head.number)
    await clock.close()
    expect((await epochsIn(log)).filter((text) => text.startsWith('OPEN'))).toHaveLength(5)
  })
})

describe('events in another form', () => {
  test('behavior: a release opens no epoch, and is told with what it carries; the next one opens', async () => {
    const [chain, log] = [chainOfFive(), createMemoryLog()]
    const node = chain.node((method, params) => {
      const { blockHash } = (params[0] ?? {}) as { blockHash?: string }
      if (method !== 'eth_getLogs' || blockHash !== chain.blocks[15]!.hash) return undefined
      return chain
        .node()
        .ask(method, params)
        .then((logs) => (logs as object[]).map((one) => ({ ...one, data: '0x1234' })))
    })
    const { refused } = await follow(chain, log, node)
    expect(refused).toEqual([
      {
        dataMarket: MARKET,
        epochId: 4,
        block: 15,
        skippedFrom: 0,
        why: expect.stringContaining('its event carries 0x1234'),
      },
    ])
    expect(await epochsIn(log)).toContain('OPEN 5 of day 1')
  })

  test('behavior: of a registry they tell of no slot, so all slots are read', async () => {
    const [chain, log] = [exampleChain(), createMemoryLog()]
    chain.mine({ slots: [{ slotId: 2, owner: ownerAddress(22) }] })
    const node = chain.node((method, params) => {
      const { blockHash } = (params[0] ?? {}) as { blockHash?: string }
      if (method !== 'eth_getLogs' || blockHash !== chain.blocks[13]!.hash) return undefined
      return chain
        .node()
        .ask(method, params)
        .then((logs) => (logs as object[]).map((one) => ({ ...one, data: '0x12' })))
    })
    await follow(chain, log, node, { rangeBlocks: 1 })
    await expectSlotsAsOfEachBlock(log, topics, chain)
  })
})

describe('NotSaid', () => {
  const ask = async (): Promise<unknown> => undefined
  const refuses = async (): Promise<number> => {
    throw new EvmError('RPC_ERROR', 'execution reverted', { retriable: true })
  }

  test('default: only after so many steps in a row is it taken for not said; several reads of a step are one', async () => {
    const told: string[] = []
    const notSaid = new NotSaid((what) => void told.push(what))
    for (let step = 1; step < STEPS_MAX; step++) {
      notSaid.begin()
      for (let read = 0; read < 3; read++)
        await expect(notSaid.or(ask, asOf('it', 'latest'), refuses, () => -1)).rejects.toMatchObject({
          code: 'UNREADABLE',
        })
    }
    notSaid.begin()
    expect(await notSaid.or(ask, asOf('it', 'latest'), refuses, () => -1)).toBe(-1)
    expect(told).toEqual(['it'])
    // Of another block at once, until it is readable; of another node not.
    expect(await notSaid.or(ask, { what: 'it', of: 7 }, refuses, () => -1)).toBe(-1)
    await expect(
      notSaid.or(
        async () => 0,
        { what: 'it', of: 7 },
        refuses,
        () => -1,
      ),
    ).rejects.toThrow('reverted')
    expect(
      await notSaid.or(
        ask,
        { what: 'it', of: 8 },
        async () => 8,
        () => -1,
      ),
    ).toBe(8)
    await expect(notSaid.or(ask, { what: 'it', of: 9 }, refuses, () => -1)).rejects.toThrow('reverted')
  })

  test('behavior: what fails now and then, or for an outage, is never taken for not said', async () => {
    const notSaid = new NotSaid()
    const away = async (): Promise<number> => {
      throw new EvmError('UNREACHABLE', 'no answer', { retriable: true })
    }
    for (let step = 0; step < 3 * STEPS_MAX; step++) {
      notSaid.begin()
      const outage = notSaid.or(ask, asOf('other', 'latest'), away, () => -1)
      await expect(outage).rejects.toMatchObject({ code: 'UNREACHABLE' })
      if (step % 2 === 1) continue
      notSaid.begin()
      const now = notSaid.or(ask, asOf('it', 'latest'), refuses, () => -1)
      await expect(now).rejects.toMatchObject({ code: 'UNREADABLE' })
    }
  })
})
