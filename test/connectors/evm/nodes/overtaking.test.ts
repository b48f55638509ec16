import { expect, test } from 'vitest'
import { Conclusion, EvmError } from '../../../../connectors/evm/errors.ts'
import type { Ask } from '../../../../connectors/evm/nodes/ask.ts'
import { createRpc } from '../../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'

const AWAY = new EvmError('UNREACHABLE', 'connect ECONNREFUSED', { retriable: true })

/**
 * Nodes that answer at once, or when they are let go. Time stands still; a reading has taken too long 1 ms later.
 * @param slow so many readings are let take too long; the others stay in time
 */
function world(count: number, slow = Number.POSITIVE_INFINITY) {
  const held = new Map<string, { release: (answer: unknown) => void; answer: Promise<unknown> }>()
  const asked: string[] = []
  const faults: string[] = []
  const failing = new Map<string, Error>()
  let now = 0
  let left = slow
  const urls = Array.from({ length: count }, (_, i) => `http://${i + 1}`)
  const rpc = createRpc(
    { urls, chainId: 5, timeoutMs: 60_000, slowMs: 500, batchMax: 1 },
    {
      clock: {
        now: () => now,
        sleep: (ms, signal) => systemClock.sleep(ms === 500 && left-- > 0 ? 1 : ms === 500 ? 60_000 : ms, signal),
      },
      observer: { nodeChanged: (node, { fault }) => void faults.push(`${node} ${fault}`) },
      connect: (url) => ({
        ask: async (method) => {
          if (method === 'eth_chainId') return '0x5'
          asked.push(url.slice(-1))
          const failure = failing.get(url.slice(-1))
          if (failure) throw failure
          return (await held.get(url.slice(-1))?.answer) ?? url.slice(-1)
        },
        close: () => {},
      }),
    },
  )
  return {
    asked,
    faults,
    fail: (node: number, error: Error): void => void failing.set(`${node}`, error),
    hold(node: number): { release: (answer: unknown) => void } {
      let release: (answer: unknown) => void = () => {}
      const answer = new Promise<unknown>((resolve) => {
        release = resolve
      })
      held.set(`${node}`, { release, answer })
      return { release }
    },
    pass(ms: number): void {
      now += ms
    },
    read: (reading = (ask: Ask) => ask('eth_call', [])) => rpc.read(reading),
  }
}

test('behavior: a node that takes long is overtaken by the next, set aside, and not asked first any more', async () => {
  const { hold, read, asked, faults, pass } = world(2)
  const { release } = hold(1)
  expect(await read()).toBe('2')
  expect(faults).toEqual(['0 slow'])
  asked.length = 0
  expect(await read()).toBe('2')
  expect(asked).toEqual(['2'])
  release('late')
  pass(60_000)
  expect(await read()).toBe('2')
})

test('behavior: one that was slow, and first all the same, stays where it is', async () => {
  const { hold, read, asked, faults } = world(2, 1)
  const [first, second] = [hold(1), hold(2)]
  const reading = read()
  await expect.poll(() => asked).toEqual(['1', '2'])
  first.release('first')
  expect(await reading).toBe('first')
  second.release('second')
  expect(faults).toEqual([])
})

test('behavior: a node that is set aside is not asked because another one is slow', async () => {
  const { hold, fail, read, asked, faults } = world(3)
  fail(1, AWAY)
  expect(await read()).toBe('2')
  asked.length = 0
  hold(2)
  expect(await read()).toBe('3')
  expect(asked).toEqual(['2', '3'])
  expect(faults).toEqual(['0 down', '1 slow'])
})

test('behavior: when the overtaking one fails, the slow one is waited for', async () => {
  const { hold, fail, read, asked } = world(2)
  const { release } = hold(1)
  fail(2, AWAY)
  const reading = read()
  await expect.poll(() => asked).toEqual(['1', '2'])
  release('first')
  expect(await reading).toBe('first')
})

test('behavior: when all are slow, all are named, and the first that is done counts', async () => {
  const { hold, read, faults } = world(2)
  const [first, second] = [hold(1), hold(2)]
  const reading = read()
  await expect.poll(() => faults).toEqual(['0 slow', '1 slow'])
  first.release('first')
  expect(await reading).toBe('first')
  second.release('second')
})

test('behavior: a slow node without another to ask is waited for, and named once until it answers in time', async () => {
  const { hold, read, faults, pass } = world(1)
  const slowly = async (): Promise<void> => {
    const { release } = hold(1)
    const reading = read()
    await expect.poll(() => faults.at(-1)).toBe('0 slow')
    pass(5_000)
    release('late')
    expect(await reading).toBe('late')
  }
  await slowly()
  await slowly()
  expect(faults).toEqual(['0 slow'])
  expect(await read()).toBe('late') // at once, since it is released
  expect(faults).toEqual(['0 slow', '0 undefined'])
  await slowly()
  expect(faults).toEqual(['0 slow', '0 undefined', '0 slow'])
})

test('error: all fail; a conclusion of any is passed on', async () => {
  const { fail, read } = world(2)
  fail(1, AWAY)
  fail(2, new EvmError('UNREACHABLE', 'the second is away', { retriable: true }))
  await expect(read()).rejects.toThrow('the second is away')
  const concludes = async (): Promise<never> => {
    throw new Conclusion('so it is')
  }
  await expect(read(concludes)).rejects.toThrow(Conclusion)
})
