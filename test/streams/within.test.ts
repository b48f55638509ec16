import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { within } from '../../streams/within.ts'

/** A clock whose waits the test ends. */
function stoppedClock() {
  const waits: { readonly ms: number; readonly signal: AbortSignal; readonly end: () => void }[] = []
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      waits.push({ ms, signal: signal!, end: resolve })
      if (signal!.aborted) resolve()
      signal!.addEventListener('abort', () => resolve(), { once: true })
    })
  return { sleep, waits }
}
const never = new Promise<never>(() => {})

describe('within', () => {
  test('default: an answer in time is given, and the timer ends with it', async () => {
    const clock = stoppedClock()
    let told = 0
    expect(await within(Promise.resolve(7), { clock, ms: 50 }, () => told++)).toBe(7)
    await new Promise(setImmediate)
    expect(told).toBe(0)
    expect(clock.waits.map(({ ms, signal }) => [ms, signal.aborted])).toEqual([[50, true]])
  })

  test('behavior: when the time is over, it gives the other outcome, and passes over what the call rejects with then', async () => {
    const clock = stoppedClock()
    let fail = (_: Error): void => {}
    const call = new Promise<never>((_, reject) => {
      fail = reject
    })
    const outcome = within(call, { clock, ms: 50 }, () => 'late')
    clock.waits[0]!.end()
    expect(await outcome).toBe('late')
    fail(new Error('nobody waits for it')) // an unhandled rejection would fail the run
  })

  test('error: what the other outcome throws, and what the call rejects with in time', async () => {
    const clock = stoppedClock()
    const late = (): never => {
      throw new Error('no answer')
    }
    const outcome = within(never, { clock, ms: 50 }, late)
    clock.waits[0]!.end()
    await expect(outcome).rejects.toThrow('no answer')
    await expect(within(Promise.reject(new Error('refused')), { clock, ms: 50 }, late)).rejects.toThrow('refused')
    expect(clock.waits[1]!.signal.aborted).toBe(true)
  })

  test('args: a signal ends the wait, also one that is aborted before', async () => {
    const clock = stoppedClock()
    const stop = new AbortController()
    const outcome = within(never, { clock, ms: 50, signal: stop.signal }, () => 'late')
    stop.abort()
    expect(await outcome).toBe('late')
    expect(await within(never, { clock, ms: 50, signal: stop.signal }, () => 'late')).toBe('late')
  })

  test('behavior: nothing else races an answer against a timer', () => {
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const races = /Promise\.race\(\[.*(?:\bsleep\(|\b(?:late|slow|deadline|timeout)\b)/
    const files = ['streams', 'connectors', 'ops'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    const found = files.filter((path) => /\.tsx?$/.test(path) && races.test(readFileSync(join(root, path), 'utf8')))
    expect(found).toEqual([])
  })
})
