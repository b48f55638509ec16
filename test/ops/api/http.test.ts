/** What every answer has in common: validators, cross-origin access, refusals, pages. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MARKET, RULES } from '../look/fixture.ts'
import { createStory, type RunningApi, type Story, startApi, TOKEN, uuid } from './story.ts'

const SLOTS = 7
let story: Story
let api: RunningApi
beforeAll(async () => {
  story = await createStory()
  for (let epochId = 1; epochId <= 12; epochId++) await story.epoch(epochId, SLOTS)
  await story.submit({ epochId: 0, slotId: 2, submissionId: 'simulated' }, 'SIMULATION', 'validate')
  api = await startApi(story.fixture)
  await api.caughtUp()
})
afterAll(() => api.close())

describe('validators', () => {
  test('default: what is known need not be sent again', async () => {
    const first = await api.get('/v1/epochs/3')
    const again = await api.get('/v1/epochs/3', { 'if-none-match': `"other", W/${first.headers.etag}` })
    expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, '', first.headers.etag])
    expect((await api.get('/v1/epochs/3', { 'if-none-match': '"other"' })).statusCode).toBe(200)
    const head = await api.server.inject({ method: 'HEAD', url: '/v1/epochs/3', headers: { 'if-none-match': '*' } })
    expect(head.statusCode).toBe(304)
  })
  test('behavior: they change with the answer, not with the position', async () => {
    const [before, list] = [await api.get('/v1/epochs/3'), await api.get('/v1/epochs')]
    await story.open(13)
    await api.caughtUp()
    const [after, listAfter] = [await api.get('/v1/epochs/3'), await api.get('/v1/epochs')]
    expect(after.headers.etag).toBe(before.headers.etag)
    expect(after.headers['x-log-position']).not.toBe(before.headers['x-log-position'])
    expect(listAfter.headers.etag).not.toBe(list.headers.etag)
  })
  test('default: HEAD has the headers of GET and no body', async () => {
    const [get, head] = [
      await api.get('/v1/epochs/3'),
      await api.server.inject({ method: 'HEAD', url: '/v1/epochs/3' }),
    ]
    expect([head.statusCode, head.body, head.headers.etag]).toEqual([200, '', get.headers.etag])
  })
})

describe('other origins', () => {
  test('default: any may read', async () => {
    const preflight = await api.server.inject({ method: 'OPTIONS', url: '/v1/epochs' })
    expect(preflight.statusCode).toBe(204)
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, OPTIONS',
    })
    for (const url of ['/v1/epochs', '/v1/epochs/x', '/openapi.json'])
      expect((await api.get(url)).headers['access-control-allow-origin']).toBe('*')
  })
})

describe('refusals', () => {
  test.each([
    ['/v1/epochs?limit=0', 400, 'limit'],
    ['/v1/epochs?limit=501', 400, 'limit'],
    ['/v1/epochs?limit=1&limit=2', 400, 'limit'],
    ['/v1/epochs?market=0x12', 400, 'market'],
    ['/v1/epochs?page=2&x=1', 400, 'unknown query parameter "page", "x"; known here: market, limit, cursor'],
    ['/v1/epochs/3?epoch=1', 400, 'unknown query parameter "epoch"'],
    ['/v1/events?x=1', 400, 'unknown query parameter "x"; none is known here'],
    ['/v1/batches/bafynone/content?x=1', 400, 'unknown query parameter "x"'],
    ['/openapi.json?x=1', 400, 'unknown query parameter "x"'],
    ['/v1/epochs/-1', 400, 'epochId: not a whole number'],
    ['/v1/epochs/9007199254740993', 400, 'epochId'],
    ['/v1/epochs/3/verdicts?reason=BAD', 400, 'reason'],
    ['/v1/epochs/777', 404, 'there is no'],
    ['/v1/batches/bafynone', 404, 'there is no'],
    ['/v1/batches/bafynone/content', 404, 'no batch bafynone'],
    ['/v1/submissions/none', 404, 'there is no'],
    ['/v1/nothing', 404, 'GET /openapi.json has what is'],
    ['/v1/epochs/%', 400, ''],
  ])('args: %s', async (url, status, words) => {
    const response = await api.get(url)
    expect(response.headers['content-type']).toContain('application/problem+json')
    expect(response.json()).toMatchObject({ status, type: 'about:blank', detail: expect.stringContaining(words) })
    expect(response.statusCode).toBe(status)
  })
  test('args: another method', async () => {
    const response = await api.server.inject({ method: 'POST', url: '/v1/epochs' })
    expect([response.statusCode, response.headers.allow]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })
  test('error: before the view is open', async () => {
    const source = api.admin.source()
    api.admin.close()
    expect((await api.get('/v1/epochs')).statusCode).toBe(503)
    api.admin.open(source)
    expect((await api.get('/v1/epochs')).statusCode).toBe(200)
  })
  test('args: several markets and none named', async () => {
    const other = await startApi(story.fixture, { rules: RULES })
    await other.caughtUp()
    expect((await other.get('/v1/epochs/3')).json()).toMatchObject({
      detail: 'there are 2 data markets: name one, with ?market= or --data-market',
    })
    expect((await other.get(`/v1/epochs/3?market=${MARKET.toUpperCase().replace('0X', '0x')}`)).statusCode).toBe(200)
    await other.close()
  })
})

describe('pages', () => {
  let newest = 14 // behind all that there are, as the chain has them

  test.each([
    ['/v1/epochs', 'epochId'],
    ['/v1/batches', 'cid'],
    ['/v1/anchors?standing=final', 'cid'],
    ['/v1/epochs/3/verdicts', 'submissionId'],
    ['/v1/epochs/3/verdicts?reason=COUNTED', 'submissionId'],
    ['/v1/slots/2/verdicts', 'submissionId'],
  ])(
    'behavior: %s is whole and in order at any size of page, while epochs close',
    async (url, field) => {
      const separator = url.includes('?') ? '&' : '?'
      const whole = (await api.get(`${url}${separator}limit=500`)).json().items as Record<string, unknown>[]
      const found: Record<string, unknown>[] = []
      let cursor: string | null = null
      do {
        const page: { items: Record<string, unknown>[]; next: string | null } = (
          await api.get(`${url}${separator}limit=2${cursor ? `&cursor=${cursor}` : ''}`)
        ).json()
        found.push(...page.items)
        cursor = page.next
        await story.epoch(newest++, 2)
        await api.caughtUp()
      } while (cursor !== null)
      expect(found.map((item) => item[field])).toEqual(whole.map((item) => item[field]))
    },
    60_000,
  )
})

describe('legacy', () => {
  const ask = async (path: string, body: object | string) => {
    const payload =
      typeof body === 'string' ? body : JSON.stringify({ token: TOKEN, dataMarketAddress: MARKET, ...body })
    return api.server.inject({ method: 'POST', url: `/legacy/${path}`, payload })
  }
  const response = async (path: string, body: object) => (await ask(path, body)).json().info.response

  test('default: in the envelope of the collector', async () => {
    const answer = await ask('batchCount', { epochID: 3 })
    expect(answer.json()).toEqual({
      info: { success: true, response: { totalBatches: 1 } },
      requestID: answer.headers['x-request-id'],
    })
    expect(answer.body.endsWith('}\n')).toBe(true)
  })
  test.each([
    ['batchCount', '{', 400, 'the body is not JSON'],
    ['batchCount', { token: 'other' }, 401, 'Incorrect Token!'],
    ['batchCount', { dataMarketAddress: '0x1' }, 400, 'Invalid Data Market Address!'],
    ['batchCount', {}, 400, 'EpochID is missing or invalid'],
    ['batchCount', { epochID: 5_000 }, 500, 'Failed to fetch the batch count'],
    ['lastSnapshotSubmission', { slotID: 0 }, 400, 'Invalid slotID: 0'],
    ['discardedSubmissionsByEpoch', { epochID: 3, day: 0 }, 400, 'Day must be greater than or equal to 1'],
  ])('args: %s %j', async (path, body, status, words) => {
    const answer = await ask(path, body)
    expect([answer.statusCode, answer.body]).toEqual([status, expect.stringContaining(words)])
    expect(answer.headers['content-type']).toContain('text/plain')
  })
  test('behavior: submissions of an epoch with signature and header, also those of newer nodes', async () => {
    const { submissions } = await response('epochSubmissionDetails', { epochID: 3 })
    const ids = submissions.map((one: { submissionID: string }) => one.submissionID)
    expect(ids).toEqual(Array.from({ length: SLOTS }, (_, i) => uuid(3, i + 1)))
    expect(submissions[1]).toMatchObject({
      submissionID: uuid(3, 2),
      submissionData: {
        request: { slotID: 2, epochID: 3, projectID: 'project-a' },
        signature: expect.stringMatching(/^[0-9a-f]{130}$/),
      },
    })
  })
  test('default: the others', async () => {
    expect(await response('activeNodesCountByEpoch', { epochID: 3 })).toBe(SLOTS)
    expect(await response('lastSnapshotSubmission', { slotID: 2 })).toBe('2026-01-01T00:00:00.000Z')
    expect(await response('lastSimulatedSubmission', { slotID: 2 })).toBe('2026-01-01T00:00:00.000Z')
    expect(await response('discardedSubmissionsByEpoch', { epochID: 3, day: 1 })).toEqual({
      projects: [
        {
          projectID: 'project-a',
          details: {
            mostFrequentSnapshotCID: 'bafkreione',
            discardedSubmissionCount: 2,
            discardedSubmissions: { 3: ['bafkreiother'], 6: ['bafkreiother'] },
          },
        },
      ],
    })
  })
  test('default: nothing to tell', async () => {
    expect(await response('discardedSubmissionsByEpoch', { epochID: 5_000, day: 1 })).toEqual({ projects: null })
    expect(await response('epochSubmissionDetails', { epochID: 5_000 })).toEqual({ submissions: [] })
    expect(await response('activeNodesCountByEpoch', { epochID: 5_000 })).toBe(0)
    const answer = await ask('lastSimulatedSubmission', { slotID: 3 })
    expect([answer.statusCode, answer.body]).toEqual([500, 'Failed to fetch the last simulated submission\n'])
  })
  test('behavior: any method, any type of content, pages of any origin', async () => {
    const payload = JSON.stringify({
      token: TOKEN,
      dataMarketAddress: MARKET.toUpperCase().replace('X', 'x'),
      epochID: 3,
    })
    const headers = { 'content-type': 'text/html', origin: 'https://elsewhere' }
    const got = await api.server.inject({ method: 'GET', url: '/legacy/batchCount', payload, headers })
    expect([got.statusCode, got.headers['access-control-allow-origin']]).toEqual([200, '*'])
    const large = await api.server.inject({ method: 'GET', url: '/legacy/batchCount', payload: ' '.repeat(20_000) })
    expect(large.statusCode).toBe(413)
    const asked = await api.server.inject({ method: 'OPTIONS', url: '/legacy/totalSubmissions', headers })
    expect([asked.statusCode, asked.headers['access-control-allow-origin']]).toEqual([204, '*'])
    expect(asked.headers['access-control-allow-methods']).toContain('POST')
  })
})
