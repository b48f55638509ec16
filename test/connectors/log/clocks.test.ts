import { expect, test } from 'vitest'
import { SimulatedClock } from '../../../connectors/log/simulated/simulated-clock.ts'
import { createSystemClock, systemClock } from '../../../connectors/system-clock.ts'

test('default: the system clock sleeps about as long as asked', async () => {
  const begun = systemClock.now()
  await systemClock.sleep(20)
  expect(systemClock.now() - begun).toBeGreaterThanOrEqual(19)
})

for (const [name, clock] of [
  ['system', systemClock],
  ['simulated', new SimulatedClock()],
] as const) {
  test(`behavior: an aborted signal ends a sleep of the ${name} clock, also one that begins later`, async () => {
    const stop = new AbortController()
    const sleeping = clock.sleep(3_600_000, stop.signal)
    stop.abort()
    await sleeping
    await clock.sleep(3_600_000, stop.signal)
  })
}

test.each([
  ['+900 s', 900_000],
  ['-900 s', -900_000],
  ['+8 days', 8 * 86_400_000],
  ['-8 days', -8 * 86_400_000],
])('behavior: a wall clock that an injected offset sets by %s for 50 s is never seen to jump', (_, offset) => {
  const begun = 1_700_000_000_000
  let at = 0
  const clock = createSystemClock({
    wall: () => begun + at + (at >= 10_000 && at < 60_000 ? offset : 0),
    monotonic: () => at,
  })
  let before = clock.now()
  for (at = 100; at < 400_000; at += 100) {
    const now = clock.now()
    expect(now - before).toBeGreaterThanOrEqual(49) // a deadline comes nearer all the time
    expect(now - before).toBeLessThanOrEqual(201)
    expect(Math.abs(now - begun - at)).toBeLessThanOrEqual(51_000)
    before = now
  }
  expect(Math.abs(before - begun - at)).toBeLessThanOrEqual(150)
})

test('args: a sleep longer than a timer can hold does not end at once', async () => {
  const stop = new AbortController()
  let over = false
  const sleeping = systemClock.sleep(2 ** 40, stop.signal).then(() => {
    over = true
  })
  await systemClock.sleep(10)
  expect(over).toBe(false)
  stop.abort()
  await sleeping
})

test('default: simulated time moves only when told, and events come in order', () => {
  const clock = new SimulatedClock()
  const begun = clock.now()
  const seen: string[] = []
  clock.schedule(30, 'c', () => seen.push('c'))
  clock.schedule(10, 'a', () => clock.schedule(10, 'b', () => seen.push('b')))
  const never = clock.schedule(15, 'never', () => seen.push('never'))
  never.cancelled = true
  clock.schedule(30, 'd', () => seen.push('d'))
  expect(clock.now()).toBe(begun)
  clock.advance(29)
  expect([seen, clock.now() - begun]).toEqual([['b'], 29])
  clock.advance(1)
  expect(seen).toEqual(['b', 'c', 'd'])
  expect(clock.step()).toBe(undefined)
})

test('behavior: any number of events comes in the order of their times', () => {
  const clock = new SimulatedClock()
  const delays = Array.from({ length: 500 }, (_, at) => (at * 7_919) % 1_000)
  const seen: number[] = []
  for (const delay of delays) clock.schedule(delay, '', () => seen.push(delay))
  while (clock.step());
  expect(seen).toEqual([...delays].sort((a, b) => a - b))
})
