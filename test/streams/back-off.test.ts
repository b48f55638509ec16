import { describe, expect, test } from 'vitest'
import { doubling, type Repeating, repeated } from '../../streams/back-off.ts'

describe('doubling', () => {
  test('default: each pause is twice the one before, up to the longest', () => {
    const pauseMs = doubling({ firstMs: 10, mostMs: 50 })
    expect([1, 2, 3, 4, 5].map((failures) => pauseMs(failures))).toEqual([10, 20, 40, 50, 50])
  })
  test('behavior: after any number of failures it is the longest', () => {
    for (const failures of [100, 2_000, Number.MAX_SAFE_INTEGER])
      expect(doubling({ firstMs: 1, mostMs: 2_000 })(failures)).toBe(2_000)
    expect(doubling({ firstMs: 0, mostMs: 2_000 })(5_000)).toBe(0)
  })
})

describe('repeated', () => {
  /** Fails so often, and tells what it slept. */
  function trial(times: number, more: Partial<Repeating> = {}) {
    const slept: number[] = []
    const told: number[] = []
    const how = {
      clock: { sleep: async (ms: number) => void slept.push(ms) },
      pauseMs: doubling({ firstMs: 1, mostMs: 4 }),
      mayPass: () => true,
      ...more,
    }
    const result = repeated(how, async (failures) => {
      told.push(failures)
      if (failures < times) throw new Error(`failure ${failures + 1}`)
      return 'done'
    })
    return { result, slept, told }
  }

  test('default: a step is made until it succeeds, with pauses between', async () => {
    const { result, slept, told } = trial(4)
    expect(await result).toBe('done')
    expect(slept).toEqual([1, 2, 4, 4])
    expect(told).toEqual([0, 1, 2, 3, 4])
  })

  test('args: the pause may go by the failure, and each is told with its pause', async () => {
    const seen: string[] = []
    const pauseMs: Repeating['pauseMs'] = (failures, error) => ((error as Error).message.endsWith('1') ? 7 : failures)
    const { result } = trial(2, { pauseMs, failed: (error, ms) => seen.push(`${(error as Error).message}: ${ms}`) })
    await result
    expect(seen).toEqual(['failure 1: 7', 'failure 2: 2'])
  })

  test('error: what does not pass is thrown at once, without a pause', async () => {
    const { result, slept } = trial(9, { mayPass: (_, failures) => failures < 3 })
    await expect(result).rejects.toThrow('failure 3')
    expect(slept).toEqual([1, 2])
  })

  test('error: once the signal is aborted the failure of the try under way is the last', async () => {
    const stop = new AbortController()
    const { result, slept } = trial(9, { signal: stop.signal, failed: () => stop.abort() })
    await expect(result).rejects.toThrow('failure 2')
    expect(slept).toEqual([1])
  })
})
