/** The description: current, complete, and kept by every answer. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { events } from '../../../ops/api/events-schema.ts'
import { openApi } from '../../../ops/api/openapi.ts'
import { type Description, fuzzApi, type Send } from '../../fuzz/api.ts'
import { KNOWN } from '../../fuzz/api-known.ts'
import { createDays, votes } from './days-story.ts'
import { createStory, type RunningApi, startApi } from './story.ts'

const SEED = 20_261_125
let api: RunningApi
beforeAll(async () => {
  const story = await createStory()
  for (let epochId = 1; epochId <= 5; epochId++) await story.epoch(epochId, 5)
  const days = createDays(story.fixture)
  await days.epoch(6, 1, { 1: votes(4), 2: votes(1, 0) })
  await days.open(7, 2)
  await days.close(7, 2, { 1: votes(1) }, 1)
  api = await startApi(story.fixture)
  await api.caughtUp()
})
afterAll(() => api.close())

test('behavior: docs/openapi.json is current (else: npx vitest run test/ops/api/openapi.test.ts -u)', async () => {
  await expect(`${JSON.stringify(openApi(), null, 2)}\n`).toMatchFileSnapshot('../../../docs/openapi.json')
})

test('default: it is served', async () => {
  expect((await api.get('/openapi.json')).json()).toEqual(openApi())
})

test('behavior: every shape that is named is there', () => {
  const { components } = openApi() as unknown as Description
  const named = [...JSON.stringify(openApi()).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name!)
  expect(named.filter((name) => !(name in components.schemas))).toEqual([])
  expect(Object.keys(components.schemas)).toEqual(
    expect.arrayContaining(['EpochSummary', 'VerdictCounts', 'Anchor', 'Proof']),
  )
  expect(Object.keys(events)).toEqual(['epoch', 'verdicts', 'anchor', 'day', 'reset'])
})

test('behavior: requests made from the description, good and bad, are answered as it says', async () => {
  const send: Send = async ({ method, url, headers }) => {
    const response = await api.server.inject({ method: method as 'GET', url, headers })
    return { status: response.statusCode, headers: response.headers, body: response.body }
  }
  const statuses = await fuzzApi(openApi() as unknown as Description, KNOWN, send, { runs: 300, seed: SEED })
  for (const status of [200, 304, 400, 404]) expect(statuses[status], `answers with ${status}`).toBeGreaterThan(2)
})
