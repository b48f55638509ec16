import { expect, test } from 'vitest'
import { patiently, START_PATIENCE_MS } from '../../../../ops/ground/cluster/patience.ts'
import { LogError } from '../../../../streams/ports.ts'

const away = (message: string) => new LogError('UNREACHABLE', message, { retriable: true })

/** Time passes only by waiting. */
function world() {
  let now = 0
  const said: string[] = []
  const stop = new AbortController()
  const sleep = async (ms: number) => {
    now += ms
  }
  const clock = { now: () => now, sleep }
  const patience = { clock, signal: stop.signal, warn: (text: string) => void said.push(text) }
  return { patience, said, stop, now: () => now }
}

test('default: what comes back within the time is used, and the reason was said once', async () => {
  const { patience, said } = world()
  let attempts = 0
  const found = await patiently(patience, async () => {
    if (++attempts < 4) throw away('broker 1 does not answer')
    return 'found'
  })
  expect([found, attempts, said]).toEqual(['found', 4, ['broker 1 does not answer; tried again for 60 s']])
})

test('behavior: another reason is said too', async () => {
  const { patience, said } = world()
  const reasons = ['no broker', 'no broker', 'no registry']
  await patiently(patience, async () => {
    const reason = reasons.shift()
    if (reason) throw away(reason)
  })
  expect(said).toEqual([expect.stringContaining('no broker'), expect.stringContaining('no registry')])
})

test('error: the time is bounded, and the last error is the outcome', async () => {
  const { patience, now } = world()
  let attempts = 0
  const call = async () => {
    throw away(`attempt ${++attempts}`)
  }
  await expect(patiently(patience, call)).rejects.toThrow(/^attempt \d+$/)
  expect(now()).toBeGreaterThanOrEqual(START_PATIENCE_MS)
  expect(now()).toBeLessThan(START_PATIENCE_MS + 3_000)
})

test('error: what will not pass, or a start that is not wanted any more, is not tried again', async () => {
  const { patience, said, stop } = world()
  let attempts = 0
  const failing = (error: Error) => async () => {
    attempts++
    throw error
  }
  await expect(patiently(patience, failing(new LogError('AUTHENTICATION', 'wrong password')))).rejects.toThrow('wrong')
  stop.abort()
  await expect(patiently(patience, failing(away('no broker')))).rejects.toThrow('no broker')
  expect([attempts, said]).toEqual([2, []])
})
