/**
 * What nodes are known to say instead of an answer, and what is known to be odd in answers, against the clock on a scripted
 * chain: none of it ends the clock, none is taken for an answer, and each is told in its own words.
 */
import { describe, expect, test } from 'vitest'
import type { EvmError } from '../../../../connectors/evm/errors.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import type { Log } from '../../../../streams/ports.ts'
import {
  BATCH_TOO_LARGE,
  INDEXING,
  NO_SUCH_BLOCK,
  NO_SUCH_METHOD,
  PRUNED,
  RANGE_TOO_WIDE,
  SEND_REFUSALS,
} from '../../../real/node-words.ts'
import { exampleChain, type Fault, rpcError, type ScriptedChain } from '../scripted-chain.ts'
import { clockTopics, expectTicksOfChain, runClock } from './clock-harness.ts'

const topics = await clockTopics()
const HEAD = 12
/** All that the clock asks. */
const METHODS = ['eth_chainId', 'eth_blockNumber', 'eth_getBlockByNumber', 'eth_getLogs', 'eth_call']
/** Refusals in a row: more than are asked for again within one step. */
const IN_A_ROW = 4

interface Told {
  readonly failures: readonly EvmError[]
  readonly stateMissing: number
  readonly recovered: number
}

/** Runs the clock to the head of the example chain on one node with this fault; the log must hold what the chain says. */
async function follow(fault: Fault): Promise<Told> {
  const chain = exampleChain()
  const { log, told } = await reachHead(chain, fault)
  await expectTicksOfChain(log, topics, chain)
  return told
}

async function reachHead(chain: ScriptedChain, fault: Fault): Promise<{ readonly log: Log; readonly told: Told }> {
  const log = createMemoryLog()
  const failures: EvmError[] = []
  let [stateMissing, recovered] = [0, 0]
  const clock = await runClock(log, topics, [chain.node(fault)], {
    rangeBlocks: 4,
    observer: {
      failed: (error) => void failures.push(error as EvmError),
      stateMissing: () => void stateMissing++,
      recovered: () => void recovered++,
    },
  })
  await clock.reached(HEAD)
  await clock.close()
  expect(await clock.stopped).toBeUndefined()
  return { log, told: { failures, stateMissing, recovered } }
}

/** Each method is refused some times in a row, then answered once, until that has happened twice. */
function refusing(message: string): Fault {
  const asked = new Map<string, number>()
  return (method) => {
    const times = (asked.get(method) ?? 0) + 1
    asked.set(method, times)
    if (times % (IN_A_ROW + 1) === 0 || times > 2 * (IN_A_ROW + 1)) return undefined
    throw rpcError(message)
  }
}

/** Every second answer of a method is changed, for a while. */
function oddly(odd: string, change: (answer: never) => unknown): Fault {
  let asked = 0
  const right = exampleChain().node()
  return (method, params) => {
    if (method !== odd || ++asked > 2 * IN_A_ROW || asked % 2 === 0) return undefined
    return right.ask(method, params).then((answer) => change(answer as never))
  }
}

test.each(
  [...NO_SUCH_BLOCK, ...RANGE_TOO_WIDE, ...BATCH_TOO_LARGE, ...SEND_REFUSALS.provider!, INDEXING, NO_SUCH_METHOD].map(
    ({ message }) => message,
  ),
)('error: every method in turn is refused with %j', async (message) => {
  const { failures, recovered } = await follow(refusing(message))
  for (const method of METHODS)
    expect(
      failures.some((failure) => failure.message.includes(method) && failure.message.includes(message)),
      method,
    ).toBe(true)
  for (const failure of failures) expect(failure).toMatchObject({ retriable: true })
  expect(recovered).toBeGreaterThan(0)
})

test.each(PRUNED.map(({ message }) => message))(
  'error: the state of a block is gone, in the words %j: that of the newest one is read, and it is said',
  async (message) => {
    const { told } = await reachHead(exampleChain(), (method, params) => {
      if (method === 'eth_call' && params[1] !== 'latest') throw rpcError(message)
    })
    expect(told.stateMissing).toBeGreaterThan(0)
  },
)

describe('odd answers that are known to have ended a process', () => {
  const inLogs = (field: string, odd: unknown) => (logs: readonly object[]) =>
    logs.map((log) => ({ ...log, [field]: odd }))
  test.each([
    ['log.address missing', inLogs('address', undefined)],
    ['log.address true', inLogs('address', true)],
    ['log.topics null', inLogs('topics', null)],
    ['log.topics number', inLogs('topics', 5)],
    ['log.topics {}', inLogs('topics', {})],
    ['log.data missing', inLogs('data', undefined)],
    ['log.data "0x"', inLogs('data', '0x')],
    ['log.data {}', inLogs('data', {})],
    ['log.blockHash missing', inLogs('blockHash', undefined)],
    ['log.blockHash true', inLogs('blockHash', true)],
    ['a log that is null', (logs: readonly object[]) => (logs.length > 0 ? [null] : logs)],
    ['a text that is an object', inLogs('data', { toString: 'no' })],
  ])('error: %s', async (_name, change) => {
    const { failures } = await follow(oddly('eth_getLogs', change))
    expect(failures.length).toBeGreaterThan(0)
    for (const failure of failures) expect(failure).toMatchObject({ retriable: true })
  })

  test.each([
    ['block null', () => null],
    ['block []', () => []],
    ['block.hash {}', (block: object) => ({ ...block, hash: {} })],
    ['block.parentHash null', (block: object) => ({ ...block, parentHash: null })],
    ['block.timestamp true', (block: object) => ({ ...block, timestamp: true })],
    ['block.number an object', (block: object) => ({ ...block, number: { toString: 'no' } })],
  ])('error: %s', async (_name, change) => {
    const { failures } = await follow(oddly('eth_getBlockByNumber', change))
    for (const failure of failures) expect(failure).toMatchObject({ retriable: true })
  })
})
