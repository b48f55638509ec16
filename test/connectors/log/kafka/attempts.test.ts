import { expect, test } from 'vitest'
import { attempts } from '../../../../connectors/log/kafka/attempts.ts'
import { Code, KafkaRefusal, unanswered } from '../../../../connectors/log/kafka/errors.ts'
import type { Clock } from '../../../../streams/ports.ts'

/** Time that passes only by waiting. */
class WaitingClock implements Clock {
  readonly waits: number[] = []

  now(): number {
    return this.waits.reduce((sum, ms) => sum + ms, 0)
  }

  async sleep(ms: number): Promise<void> {
    this.waits.push(ms)
  }
}

const passing = new KafkaRefusal(Code.REBALANCE_IN_PROGRESS, 'a request')
const lasting = new KafkaRefusal(Code.TOPIC_ALREADY_EXISTS, 'a request')
const lost = unanswered('a request', new Error('closed'))

/** Fails with each of these errors, then succeeds. */
function failing(...errors: readonly Error[]) {
  const clock = new WaitingClock()
  const left = [...errors]
  const step = async (attempt: number): Promise<number> => {
    const error = left.shift()
    if (error) throw error
    return attempt
  }
  return { clock, step }
}

test('default: what passes is tried again, with waits that double', async () => {
  const { clock, step } = failing(passing, passing, passing)
  expect(await attempts({ clock, limitMs: 1_000, evenIfUnanswered: false }, step)).toBe(3)
  expect(clock.waits).toEqual([5, 10, 20])
})

test('behavior: what lasts is not tried again', async () => {
  const { clock, step } = failing(passing, lasting)
  await expect(attempts({ clock, limitMs: 1_000, evenIfUnanswered: true }, step)).rejects.toBe(lasting)
})

test('behavior: what may have happened is tried again only when it may happen twice', async () => {
  const once = failing(lost)
  await expect(attempts({ clock: once.clock, limitMs: 1_000, evenIfUnanswered: false }, once.step)).rejects.toBe(lost)
  const twice = failing(lost)
  expect(await attempts({ clock: twice.clock, limitMs: 1_000, evenIfUnanswered: true }, twice.step)).toBe(1)
})

test('behavior: the last error comes through when the time is up, or the signal is aborted', async () => {
  const { clock, step } = failing(...Array.from({ length: 100 }, () => passing))
  await expect(attempts({ clock, limitMs: 1_000, evenIfUnanswered: true }, step)).rejects.toBe(passing)
  expect(clock.now()).toBeGreaterThanOrEqual(1_000)
  expect(clock.now()).toBeLessThan(1_300)
  const stopped = failing(passing, passing)
  const limits = { clock: stopped.clock, limitMs: 1_000, signal: AbortSignal.abort(), evenIfUnanswered: true }
  await expect(attempts(limits, stopped.step)).rejects.toBe(passing)
  expect(stopped.clock.waits).toEqual([])
})

test('behavior: what was stale is looked up before the next attempt', async () => {
  const { clock, step } = failing(passing, lost)
  const seen: unknown[] = []
  await attempts({ clock, limitMs: 1_000, evenIfUnanswered: true }, step, (error) => seen.push(error))
  expect(seen).toEqual([passing, lost])
})
