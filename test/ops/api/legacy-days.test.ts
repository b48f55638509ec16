/** The endpoints of the deployed collector that tell of days, against their description. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DayContract } from '../../../ops/reading/day-on-chain.ts'
import { createFixture, type Fixture, MARKET, submissionOf, verdictOf } from '../look/fixture.ts'
import { createDays, type DaysStory, votes } from './days-story.ts'
import { type RunningApi, startApi, TOKEN } from './story.ts'

const DISCARDED = 120

let fixture: Fixture
let days: DaysStory
let api: RunningApi
/** As if days 1 and 2 were told by others: 7 for every slot, 3 nodes each. Undefined: no node answers. */
let contract: Partial<DayContract> | undefined

beforeAll(async () => {
  fixture = await createFixture()
  days = createDays(fixture)
  await days.epoch(20, 3, { 1: votes(1), 2: votes(1) }, 2) // the log began within day 3
  await days.epoch(21, 3, { 1: votes(5, 4), 2: votes(3, 2), 3: votes(2, 0) })
  await days.epoch(22, 3, { 1: votes(2), 2: votes(2) })
  await days.open(23, 4)
  await days.close(23, 4, { 2: votes(DISCARDED + 1, 1) }, 3)
  for (let n = 0; n < DISCARDED; n++) await outvoted(23, 2, `project-${String(n).padStart(3, '0')}`)
  await outvoted(21, 2, 'project-000')
  api = await startApi(fixture)
  await api.caughtUp()
  const source = api.admin.source()
  api.admin.close()
  api.admin.open({
    ...source,
    get contract() {
      return contract as DayContract | undefined
    },
  })
})
afterAll(() => api.close())

async function outvoted(epochId: number, slotId: number, projectId: string): Promise<void> {
  const submission = submissionOf({
    epochId,
    slotId,
    projectId,
    snapshotCid: `mine-${projectId}`,
    signature: `${epochId}${projectId}`,
  })
  const { topics, put } = fixture
  const position = await put(topics.submissions, { dataMarket: MARKET, epochId, projectId }, submission)
  const verdict = {
    ...verdictOf(submission, position, 'OUTVOTED'),
    stage: 'consensus',
  }
  await put(topics.verdicts, { dataMarket: MARKET, epochId, slotId }, verdict)
  const won = { projectId, snapshotCid: `won-${epochId}`, votes: 2, voters: 3, closeBlock: 16, part: 0, parts: 1 }
  const lists = { ballots: [], dropped: [], equivocations: [], candidates: [], frames: [] }
  const none = Buffer.alloc(0)
  const finalization = { ...won, ...lists, texts: none, signatures: none, leaves: none }
  await put(topics.finalizations, { dataMarket: MARKET, epochId }, finalization)
}

const ask = (path: string, body: object) =>
  api.server.inject({
    method: 'POST',
    url: `/legacy/${path}`,
    payload: JSON.stringify({ token: TOKEN, dataMarketAddress: MARKET, ...body }),
  })
const response = async (path: string, body: object) => (await ask(path, body)).json().info.response
const OTHERS: Partial<DayContract> = {
  countsOfSlot: async (_, __, asked) => asked.map(() => 7),
  eligibleNodes: async (_, asked) => asked.map(() => 3),
}

describe('totalSubmissions', () => {
  test('default: today first; of days that are not in the log what the contract has', async () => {
    contract = OTHERS
    expect(await response('totalSubmissions', { slotID: 1, pastDays: 4 })).toEqual([
      { day: 4, eligibleSubmissions: 0, totalSubmissions: 0 },
      { day: 3, eligibleSubmissions: 7, totalSubmissions: 8 },
      { day: 2, eligibleSubmissions: 7, totalSubmissions: 0 },
      { day: 1, eligibleSubmissions: 7, totalSubmissions: 0 },
    ])
  })
  test('error: the contract has to be asked, and nobody answers', async () => {
    contract = { countsOfSlot: () => Promise.reject(new Error('down')) }
    expect(await response('totalSubmissions', { slotID: 1, pastDays: 2 })).toHaveLength(2)
    expect(await ask('totalSubmissions', { slotID: 1, pastDays: 3 })).toMatchObject({ statusCode: 500 })
    contract = undefined
    expect(await ask('totalSubmissions', { slotID: 1, pastDays: 3 })).toMatchObject({ statusCode: 500 })
  })
})

describe('eligible nodes', () => {
  test('default: of a day, and with their slots as texts', async () => {
    expect(await response('eligibleNodesCount', { day: 3 })).toEqual({ day: 3, eligibleNodesCount: 2, slotIDs: [] })
    expect(await response('eligibleNodesCount?includeSlotDetails=true', { day: 3 })).toEqual({
      day: 3,
      eligibleNodesCount: 2,
      slotIDs: ['1', '2'],
    })
  })
  test('default: of past days, today first', async () => {
    contract = OTHERS
    expect(await response('eligibleNodesCountPastDays?includeSlotDetails=true', { pastDays: 3 })).toEqual([
      { day: 4, eligibleNodesCount: 0, slotIDs: [] },
      { day: 3, eligibleNodesCount: 2, slotIDs: ['1', '2'] },
      { day: 2, eligibleNodesCount: 3, slotIDs: [] },
    ])
  })
})

describe('eligibleSlotSubmissionCount', () => {
  test('default: what the slots had of the day when the epoch was counted', async () => {
    const counts = async (epochID: number, day = 3) =>
      (await response('eligibleSlotSubmissionCount', { epochID, day })).eligibleSubmissionCounts
    expect(await counts(20)).toEqual([
      { slotID: 1, count: 1 },
      { slotID: 2, count: 1 },
    ])
    expect(await counts(21)).toEqual([
      { slotID: 1, count: 5 },
      { slotID: 2, count: 3 },
    ])
    expect(await counts(22)).toEqual([
      { slotID: 1, count: 7 },
      { slotID: 2, count: 5 },
    ])
    expect(await counts(23, 4)).toEqual([{ slotID: 2, count: 1 }])
    expect(await counts(23, 3)).toEqual([])
  })
})

describe('discardedSubmissionsByDay', () => {
  test('default: by project and winner, fifty a page', async () => {
    const page = (n?: number) => response('discardedSubmissionsByDay', { day: 4, slotID: 2, page: n })
    const first = await page()
    expect(first).toMatchObject({ slotID: 2, totalPages: 3, currentPage: 1 })
    expect(first.discardedSubmissions).toHaveLength(50)
    expect(first.discardedSubmissions[1]).toEqual({
      projectID: 'project-001',
      details: { finalizedCID: 'won-23', discardedSubmissionCount: 1, discardedSubmissions: ['mine-project-001'] },
    })
    expect((await page(3)).discardedSubmissions).toHaveLength(DISCARDED - 100)
    expect(await page(4)).toMatchObject({ discardedSubmissions: [], currentPage: 4 })
  })
  test('behavior: the endpoint of an epoch names fifty projects', async () => {
    const { projects } = await response('discardedSubmissionsByEpoch', { epochID: 23, day: 4 })
    const ids = projects.map((one: { projectID: string }) => one.projectID)
    expect(ids).toEqual(Array.from({ length: 50 }, (_, n) => `project-${String(n).padStart(3, '0')}`))
  })
  test('default: of the epochs of the day only', async () => {
    const { discardedSubmissions } = await response('discardedSubmissionsByDay', { day: 3, slotID: 2 })
    expect(discardedSubmissions.map((one: { projectID: string }) => one.projectID)).toEqual(['project-000'])
  })
  test.each([1.5, -1, 1e300])('error: a page that is none: %d', async (page) => {
    const answer = await ask('discardedSubmissionsByDay', { day: 4, slotID: 2, page })
    expect([answer.statusCode, answer.body]).toEqual([400, `Invalid page: ${page}\n`])
  })
  test('error: a slot without any', async () => {
    const answer = await ask('discardedSubmissionsByDay', { day: 3, slotID: 1 })
    expect([answer.statusCode, answer.body]).toEqual([404, 'No discarded submissions found for slotID 1\n'])
  })
  test('default: a day without any', async () => {
    expect(await response('discardedSubmissionsByDay', { day: 2, slotID: 1, page: 1 })).toEqual({
      slotID: 1,
      discardedSubmissions: [],
      totalPages: 0,
      currentPage: 1,
    })
  })
})

test.each([
  ['totalSubmissions', { slotID: 1 }, 'Past days should be at least 1'],
  ['totalSubmissions', { slotID: 1, pastDays: 5 }, 'Past days cannot exceed the current day (4)'],
  ['totalSubmissions', { slotID: 0, pastDays: 1 }, 'Invalid slotID: 0'],
  ['eligibleNodesCount', { day: 0 }, 'Day must be greater than or equal to 1'],
  ['eligibleNodesCount', { day: 5 }, 'Day must not exceed the current day (4)'],
  ['eligibleNodesCountPastDays', { pastDays: 0 }, 'Past days should be at least 1'],
  ['eligibleSlotSubmissionCount', { epochID: 20, day: 0 }, 'Invalid day!'],
  ['eligibleSlotSubmissionCount', { epochID: 0, day: 3 }, 'EpochID is missing or invalid'],
  ['discardedSubmissionsByDay', { day: 5, slotID: 1 }, 'Day must not exceed the current day (4)'],
  ['discardedSubmissionsByDay', { day: 3, slotID: -1 }, 'Invalid slotID: -1'],
])('args: %s %j', async (path, body, words) => {
  const answer = await ask(path, body)
  expect([answer.statusCode, answer.body]).toEqual([400, `${words}\n`])
})

test('error: no day is known, and no node answers', async () => {
  const other = await startApi(await createFixture())
  const payload = JSON.stringify({ token: TOKEN, dataMarketAddress: MARKET, day: 1 })
  const answer = await other.server.inject({ method: 'POST', url: '/legacy/eligibleNodesCount', payload })
  expect([answer.statusCode, answer.body]).toEqual([400, 'Failed to fetch current day\n'])
  await other.close()
})
