/** The metrics of days follow the view, and cost nothing while no day changes. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { View } from '../../../ops/api/view/view.ts'
import { createDayLook } from '../../../ops/run/day-metrics.ts'
import { createMetrics } from '../../../ops/watch/metrics/create.ts'
import { until } from '../../until.ts'
import { createDays, type DaysStory, QUOTA, votes } from '../api/days-story.ts'
import { type RunningApi, startApi } from '../api/story.ts'
import { createFixture, type Fixture, MARKET, OTHER_MARKET, RULES } from '../look/fixture.ts'

let fixture: Fixture
let days: DaysStory
let other: DaysStory
let api: RunningApi
beforeEach(async () => {
  fixture = await createFixture()
  days = createDays(fixture)
  await days.epoch(1, 1, { 1: votes(4), 2: votes(5, 4), 3: votes(1) })
  await days.epoch(2, 2, { 1: votes(1) }, 1)
  other = createDays(fixture, OTHER_MARKET)
  await other.epoch(1, 1, { 1: votes(4) })
  api = await startApi(fixture, { rules: RULES })
  await api.caughtUp()
})
afterEach(() => api.close())

/** Calls are counted as they are decoded. @param whileReading happens once, before a look has what it read */
function watched(whileReading = async (): Promise<void> => {}) {
  const decoded = { calls: 0 }
  const counted = <N extends 'payouts' | 'payments'>(name: N): Fixture['topics'][N] => {
    const topic = fixture.topics[name]
    const decode = (bytes: Uint8Array): unknown => {
      decoded.calls++
      return topic.value.decode(bytes)
    }
    return { ...topic, value: { ...topic.value, decode } } as Fixture['topics'][N]
  }
  const topics = { ...fixture.topics, payouts: counted('payouts'), payments: counted('payments') }
  const metrics = createMetrics({ version: '0', roles: ['api'], markets: [MARKET, OTHER_MARKET] })
  let happens: typeof whileReading | undefined = whileReading
  const view: Pick<View, 'read' | 'journal'> = {
    journal: api.view.journal,
    async read(ask) {
      const answer = await api.view.read(ask)
      const happening = happens?.()
      happens = undefined
      await happening
      return answer
    },
  }
  const days = createDayLook({ view, topics, rules: RULES }, metrics)
  const gaugeOf = async (name: 'dayCallsPending' | 'dayEpochs', dataMarket: string): Promise<number | undefined> =>
    (await metrics[name].get()).values.find(({ labels }) => labels.market === dataMarket)?.value
  return {
    close: days.close,
    async look() {
      decoded.calls = 0
      await days.look()
      const pending = await gaugeOf('dayCallsPending', MARKET)
      return { pending, decoded: decoded.calls, othersEpochs: await gaugeOf('dayEpochs', OTHER_MARKET) }
    },
  }
}

type Look = Awaited<ReturnType<ReturnType<typeof watched>['look']>>
/** Looks until it is so: the view may tell of a change a moment after it shows the change. */
const lookUntil = async (look: () => Promise<Look>, holds: (seen: Look) => boolean): Promise<Look> =>
  until(`${holds}`, async () => {
    const seen = await look()
    return holds(seen) && seen
  })
const isQuiet = ({ decoded }: Look): boolean => decoded === 0

const pay = async (number: number): Promise<void> => {
  await days.pay(1, 2, number, { eligibleNodes: 2, quota: QUOTA })
  await api.caughtUp()
}

test('default: calls are decoded when a day of their market has changed, and not again', async () => {
  const { look, close } = watched()
  expect(await look()).toMatchObject({ pending: 2, decoded: 2 })
  expect(await lookUntil(look, isQuiet)).toMatchObject({ pending: 2 })
  await pay(0)
  expect(await lookUntil(look, ({ pending }) => pending === 1)).toMatchObject({ decoded: 3 })
  expect(await lookUntil(look, isQuiet)).toMatchObject({ pending: 1 })
  close()
})

test('behavior: a day of another market costs nothing here', async () => {
  const { look, close } = watched()
  await lookUntil(look, isQuiet)
  await other.epoch(2, 1, { 1: votes(1) })
  let decoded = 0
  await lookUntil(look, (seen) => {
    decoded += seen.decoded
    return seen.othersEpochs === 2
  })
  expect(decoded).toBe(0)
  close()
})

test('behavior: what changes while it reads is seen by a later look', async () => {
  const { look, close } = watched(() => pay(0))
  await look()
  expect(await lookUntil(look, ({ pending }) => pending === 1)).toMatchObject({ decoded: 3 })
  close()
})

test('behavior: a look that fails is made again', async () => {
  const { look, close } = watched(() => Promise.reject(new Error('the view cannot be read')))
  await expect(look()).rejects.toThrow('cannot be read')
  expect(await look()).toMatchObject({ pending: 2, decoded: 2 })
  close()
})
