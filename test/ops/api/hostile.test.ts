/** The view and its lists against those who may send anything: texts, epochs, slots of others, copies, as much as they like. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { SubmissionItem } from '../../../ops/api/schema.ts'
import { ORIGINS } from '../../../ops/api/view/origin.ts'
import { KEPT, type Kept, TABLE } from '../../../ops/api/view/rows.ts'
import type { Submission, VerdictReason } from '../../../schemas/types.ts'
import { REJECT_REASONS } from '../../../topology/verdict.ts'
import { finalizationOf, MARKET, submissionOf, tickOf, verdictOf } from '../look/fixture.ts'
import { createStory, type RunningApi, rowsOf, type Story, startApi, TOKEN } from './story.ts'

let story: Story
let api: RunningApi | undefined
beforeEach(async () => {
  story = await createStory()
})
afterEach(async () => {
  await api?.close()
  api = undefined
})

async function items(url: string, options = {}): Promise<SubmissionItem[]> {
  api ??= await startApi(story.fixture, options)
  await api.caughtUp()
  return (await api.get(url)).json().items
}
const ids = (found: readonly SubmissionItem[]): string[] => found.map(({ submissionId }) => submissionId)
const signatureOf = (n: number): string => n.toString(16).padStart(130, '0')
/** Each with a signature of its own unless told. */
let sent = 0
const submit = (fields: Partial<Submission>, reason?: VerdictReason, stage?: string): Promise<void> =>
  story.submit({ signature: signatureOf(++sent), receivedAt: 1_000 + sent, ...fields }, reason, stage)

describe('texts', () => {
  test('behavior: projects that differ in a NUL have a row each', async () => {
    await story.open(3)
    await story.close(3)
    const { topics, put } = story.fixture
    for (const projectId of ['p\u0000', 'p\u0001', 'p', 'p\u0001\u0002', 'p\u0000q'])
      await put(topics.finalizations, { dataMarket: MARKET, epochId: 3 }, finalizationOf({ projectId }))
    const found = (await items('/v1/epochs/3/projects')) as unknown as { projectId: string }[]
    expect(found.map(({ projectId }) => projectId)).toEqual(['p', 'p\u0000', 'p\u0000q', 'p\u0001', 'p\u0001\u0002'])
    const paged: string[] = []
    for (let cursor = ''; ; ) {
      const { items: page, next } = (await api!.get(`/v1/epochs/3/projects?limit=1${cursor}`)).json()
      paged.push(...page.map((one: { projectId: string }) => one.projectId))
      if (next === null) break
      cursor = `&cursor=${next}`
    }
    expect(paged).toEqual(found.map(({ projectId }) => projectId))
  })
})

describe('the list of a slot', () => {
  test('behavior: what came last comes first, whatever epoch it claims', async () => {
    await submit({ epochId: 2 ** 53 - 1, submissionId: 'far' }, 'EPOCH_TOO_FAR', 'validate')
    await submit({ epochId: 3, submissionId: 'counted' }, 'COUNTED')
    await submit({ epochId: 1, submissionId: 'late' }, 'EPOCH_CLOSED', 'validate')
    expect(ids(await items('/v1/slots/7/verdicts'))).toEqual(['late', 'counted', 'far'])
    expect(ids(await items('/v1/slots/7/verdicts?epoch=3'))).toEqual(['counted'])
  })
  test('behavior: who merely claims the slot, or sends copies, is in a list apart', async () => {
    const own = signatureOf(1_000_000)
    await submit({ submissionId: 'own', signature: own }, 'COUNTED')
    await submit({ submissionId: 'waits' })
    for (let n = 0; n < 30; n++) await submit({ submissionId: `forged-${n}` }, 'SLOT_MISMATCH', 'validate')
    for (const reason of ['DUPLICATE', 'UNKNOWN_HEADER', 'EPOCH_CLOSED', 'SIMULATION'] as const)
      await submit({ submissionId: reason, signature: own.toUpperCase() }, reason, 'validate')
    await submit({ submissionId: 'copy that waits', signature: own })
    const listed = await items('/v1/slots/7/verdicts?limit=5')
    expect(ids(listed)).toEqual(['waits', 'own'])
    expect(listed.map(({ origin }) => origin)).toEqual(['OWNER', 'OWNER'])
    for (const query of ['origin=UNPROVEN', 'origin=UNPROVEN&epoch=3']) {
      const claims = await items(`/v1/slots/7/verdicts?limit=100&${query}`)
      expect(claims).toHaveLength(35)
      expect(new Set(claims.map(({ origin }) => origin))).toEqual(new Set(['UNPROVEN']))
    }
    expect((await api!.get('/v1/slots/7/verdicts?origin=mine')).statusCode).toBe(400)
  })
  test('behavior: one that was counted is the owner’s, also when a copy was faster', async () => {
    const own = signatureOf(1_000_000)
    await submit({ submissionId: 'copy', signature: own }, 'STALE_HEADER', 'validate')
    await submit({ submissionId: 'own', signature: own }, 'COUNTED')
    expect(ids(await items('/v1/slots/7/verdicts'))).toEqual(['own', 'copy'])
  })
  test('behavior: the same when the verdict is read before its submission', async () => {
    const { topics, put } = story.fixture
    const second = submissionOf({ submissionId: 'second', signature: signatureOf(5) })
    const key = { dataMarket: MARKET, epochId: 3 }
    const first = { ...second, submissionId: 'first', signature: signatureOf(4) }
    const { partition, offset } = await put(topics.submissions, { ...key, projectId: 'project-a' }, first)
    const verdict = verdictOf(second, { partition, offset: offset + 1 }, 'BAD_SIGNATURE')
    await put(topics.verdicts, { ...key, slotId: 7 }, verdict)
    expect(ids(await items('/v1/slots/7/verdicts'))).toEqual(['first'])
    await put(topics.submissions, { ...key, projectId: 'project-a' }, second)
    expect(ids(await items('/v1/slots/7/verdicts'))).toEqual(['first'])
    expect(ids(await items('/v1/slots/7/verdicts?origin=UNPROVEN'))).toEqual(['second'])
  })
})

describe('what the view keeps', () => {
  const keptOf = () => api!.view.read(async (reader) => reader.getJson<Kept>(KEPT)!)

  test('behavior: stays within its bound, and a sender that merely claims slots pushes nobody else out', async () => {
    await story.open(3)
    for (let n = 0; n < 20; n++) await submit({ submissionId: `own-${n}` }, 'COUNTED')
    api = await startApi(story.fixture, { submissionsMax: 25 })
    for (let n = 0; n < 100; n++) {
      const epochId = 2 ** 53 - 101 + n
      await submit({ submissionId: `forged-${n}`, slotId: n, epochId }, 'BAD_SIGNATURE', 'validate')
      if (n % 20 === 0) await api.caughtUp()
    }
    expect(await items('/v1/slots/7/verdicts?limit=100')).toHaveLength(20)
    await expect.poll(keptOf).toEqual({ OWNER: 20, UNPROVEN: 5 })
    const left = await rowsOf(api)
    expect(left.some(([key]) => key.includes('forged-0'))).toBe(false)
    const ofTable = (table: string) => left.filter(([key]) => key.startsWith(`${table}\u0000`))
    for (const table of [TABLE.submissions, TABLE.verdicts, TABLE.submissionIds, TABLE.slotSubmissions])
      expect(ofTable(table), table).toHaveLength(25)
    for (const table of [TABLE.slotEpochs, TABLE.byAge, TABLE.signatures]) expect(ofTable(table)).toHaveLength(25)
    expect(ofTable(TABLE.counts)).toHaveLength(6) // of epoch 3, and five more
  })
  test('behavior: a verdict on one that was taken out leaves nothing behind', async () => {
    const { topics, put } = story.fixture
    api = await startApi(story.fixture, { submissionsMax: 1 })
    const verdicts: (() => Promise<unknown>)[] = []
    for (let n = 0; n < 10; n++) {
      const submission = submissionOf({ submissionId: `${n}`, signature: signatureOf(n), epochId: 1_000 + n })
      const key = { dataMarket: MARKET, epochId: submission.epochId }
      const at = await put(topics.submissions, { ...key, projectId: 'project-a' }, submission)
      verdicts.push(() => put(topics.verdicts, { ...key, slotId: 7 }, verdictOf(submission, at, 'EPOCH_TOO_FAR')))
    }
    await api.caughtUp()
    await expect.poll(keptOf).toEqual({ OWNER: 1, UNPROVEN: 0 })
    for (const decide of verdicts) await decide()
    await api.caughtUp()
    const ofTable = (table: string, rows: readonly (readonly [string, Buffer])[]) =>
      rows.filter(([key]) => key.startsWith(`${table}\u0000`))
    const left = await rowsOf(api)
    for (const table of [TABLE.verdicts, TABLE.submissions, TABLE.counts])
      expect(ofTable(table, left), table).toHaveLength(1)
  })
  test('behavior: when all are of owners the oldest go, and the counts of released epochs stay', async () => {
    await story.open(3)
    api = await startApi(story.fixture, { submissionsMax: 10 })
    for (let n = 0; n < 30; n++) await submit({ submissionId: `own-${n}` }, 'COUNTED')
    await api.caughtUp()
    await expect.poll(keptOf).toEqual({ OWNER: 10, UNPROVEN: 0 })
    expect((await api.get('/v1/epochs/3')).json()).toMatchObject({ submissions: 30, verdicts: 30 })
  })
})

describe('votes', () => {
  const CID = 'bafkreisecretvote'
  const VOTE = { snapshotCid: CID, signature: 'ab'.repeat(65) }
  const LISTS = [
    '/v1/epochs',
    '/v1/epochs/3',
    '/v1/epochs/3/projects',
    '/v1/epochs/3/verdicts?limit=500',
    ...ORIGINS.map((origin) => `/v1/slots/7/verdicts?limit=500&origin=${origin}`),
    ...ORIGINS.map((origin) => `/v1/slots/7/verdicts?limit=500&epoch=3&origin=${origin}`),
    '/v1/submissions/vote',
    '/v1/submissions/early',
    '/v1/batches',
    '/v1/health',
  ]
  const legacy = (path: string) =>
    api!.server.inject({
      method: 'POST',
      url: `/legacy/${path}`,
      payload: JSON.stringify({ token: TOKEN, dataMarketAddress: MARKET, epochID: 3, slotID: 7, day: 1 }),
    })
  const LEGACY = ['epochSubmissionDetails', 'discardedSubmissionsByEpoch', 'lastSnapshotSubmission', 'batchCount']

  async function everything(): Promise<string> {
    await api!.caughtUp()
    const answers = [...LISTS.map((url) => api!.get(url)), ...LEGACY.map(legacy)]
    return (await Promise.all(answers)).map(({ body }) => body).join('\n')
  }
  /** A refusal for every reason there is, whose evidence quotes the vote as far as it may. */
  async function refusals(): Promise<void> {
    const { topics, put } = story.fixture
    for (const reason of REJECT_REASONS) {
      const submission = submissionOf({ ...VOTE, submissionId: reason })
      const at = await put(topics.submissions, { dataMarket: MARKET, epochId: 3, projectId: 'project-a' }, submission)
      const quotes = ['MALFORMED', 'OVERSIZE', 'BAD_SIGNATURE', 'DUPLICATE', 'SUPERSEDED', 'WRONG_DATA_SOURCE']
      const evidence = quotes.includes(reason) ? { expected: CID, actual: `not ${CID}` } : {}
      const verdict = { ...verdictOf(submission, at, reason), ...evidence }
      await put(topics.verdicts, { dataMarket: MARKET, epochId: 3, slotId: 7 }, verdict)
    }
  }

  test('behavior: nothing tells the CID before the close is in the log; after it everything is told', async () => {
    await story.open(3)
    await story.submit({ ...VOTE, submissionId: 'vote' })
    await story.submit({ ...VOTE, submissionId: 'early', epochId: 4 })
    await refusals()
    api = await startApi(story.fixture)
    const before = await everything()
    expect(before).toContain('"status":"PENDING"')
    expect(before).not.toContain(CID)
    expect(before).not.toContain('ab'.repeat(8)) // a signature tells whether a guess is right
    expect((await items('/v1/submissions/vote'))[0]).toMatchObject({
      status: 'PENDING',
      submissionId: 'vote',
      projectId: 'project-a',
      receivedAt: '2026-01-01T00:00:00.000Z',
      snapshotCid: null,
    })
    expect((await items('/v1/submissions/SLOT_MISMATCH'))[0]!.verdict).toMatchObject({
      expected: 'this',
      actual: 'that',
    })
    expect((await items('/v1/submissions/DUPLICATE'))[0]!.verdict).toMatchObject({ expected: null, actual: null })

    await story.close(3)
    await api.caughtUp()
    expect((await items('/v1/submissions/vote'))[0]!.snapshotCid).toBe(CID)
    expect((await items('/v1/submissions/DUPLICATE'))[0]!.verdict).toMatchObject({ expected: CID })
    expect((await legacy('epochSubmissionDetails')).body).toContain('ab'.repeat(65))
    expect((await items('/v1/submissions/early'))[0]!.snapshotCid).toBeNull()
  })
  test('behavior: an epoch that a reorganisation opens again is secret again', async () => {
    await story.open(3)
    await story.close(3)
    await story.submit({ ...VOTE, submissionId: 'vote' })
    expect((await items('/v1/submissions/vote'))[0]!.snapshotCid).toBe(CID)
    await story.fixture.put(
      story.fixture.topics.epochTicks,
      { dataMarket: MARKET },
      tickOf({ kind: 'OPEN', blockNumber: 31, releaseBlock: 31 }),
    )
    expect((await items('/v1/submissions/vote'))[0]!.snapshotCid).toBeNull()
  })
  test('behavior: simulations, and an epoch that another has overtaken, count no votes and are told', async () => {
    await story.submit({ ...VOTE, epochId: 0, submissionId: 'simulated' }, 'SIMULATION', 'validate')
    await story.submit({ ...VOTE, epochId: 2, submissionId: 'never' }, 'EPOCH_NOT_OPEN', 'validate')
    expect((await items('/v1/submissions/never'))[0]!.snapshotCid).toBeNull()
    await story.open(3)
    await story.close(3)
    expect((await items('/v1/submissions/simulated'))[0]!.snapshotCid).toBe(CID)
    expect((await items('/v1/submissions/never'))[0]!.snapshotCid).toBe(CID)
  })
})
