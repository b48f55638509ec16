/** What each route answers, against its shape and against the look-ups in the log. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../../connectors/system-clock.ts'
import { ROUTES } from '../../../ops/api/routes.ts'
import { epochStatus } from '../../../ops/reading/epoch.ts'
import { why } from '../../../ops/reading/why.ts'
import { createStageWatch } from '../../../ops/watch/stage-watch.ts'
import type { ServedMarket } from '../../../schemas/types.ts'
import { MARKET, OTHER_MARKET, tickOf } from '../look/fixture.ts'
import { createDays, votes } from './days-story.ts'
import { cidOf, contentOf, createStory, ONE_MARKET, type RunningApi, type Story, startApi, uuid } from './story.ts'

const SLOTS = 7
let story: Story
let api: RunningApi

beforeAll(async () => {
  story = await createStory()
  for (const epochId of [1, 2, 3, 6]) await story.epoch(epochId, SLOTS)
  await story.open(7)
  await story.submit({ epochId: 7, slotId: 2, submissionId: 'waits' })
  await story.submit({ epochId: 0, slotId: 2, submissionId: 'simulated' }, 'SIMULATION', 'validate')
  await story.submit({ epochId: 99, slotId: 2, submissionId: 'ahead' }, 'EPOCH_TOO_FAR', 'validate')
  const days = createDays(story.fixture, MARKET, false)
  await days.epoch(101, 3, { 2: votes(4) })
  await days.open(102, 4)
  await days.close(102, 4, { 2: votes(1) }, 3)
  api = await startApi(story.fixture)
  await api.caughtUp()
})
afterAll(() => api.close())

/** The answer, which must fit its shape. */
async function answer(path: string, url: string) {
  const response = await api.get(url)
  expect(response.statusCode, response.body).toBe(200)
  expect(response.headers['x-log-position']).toMatch(/^\d+\./)
  const given = response.json()
  const parsed = ROUTES.find((route) => route.path === path)!.answer.parse(given)
  expect(given).toEqual(parsed) // nothing that the shape does not have
  return parsed as never
}

describe('every route fits its shape', async () => {
  const examples: Record<string, string> = {
    epochId: '3',
    slotId: '2',
    day: '3',
    cid: await cidOf(3),
    submissionId: uuid(3, 2),
  }
  const paths = ROUTES.map(({ path }) => path).filter((path) => !path.startsWith('/v1/proofs')) // dev.real.test.ts
  test.each(paths)('default: %s', async (path) => {
    await answer(
      path,
      path.replace(/\{(\w+)\}/g, (_, name: string) => examples[name]!),
    )
  })
})

describe('the same as the look-ups in the log', () => {
  test.each([1, 3, 6, 7])('behavior: epoch %i', async (epochId) => {
    const [expected] = await epochStatus(story.fixture.log, story.fixture.topics, ONE_MARKET, { epochId })
    expect(await answer('/v1/epochs/{epochId}', `/v1/epochs/${epochId}`)).toMatchObject({ ...expected })
  })
  test.each([1, 2, 3])('behavior: slot %i', async (slotId) => {
    for (const query of [{ slotId, epochId: 3 }, { slotId }]) {
      const expected = await why(story.fixture.log, story.fixture.topics, query)
      const found: { items: { submissionId: string }[] } = await answer(
        '/v1/slots/{slotId}/verdicts',
        `/v1/slots/${slotId}/verdicts${'epochId' in query ? '?epoch=3' : ''}`,
      )
      const sorted = (items: readonly { submissionId: string }[]) =>
        [...items].sort((a, b) => (a.submissionId < b.submissionId ? -1 : 1))
      // but for votes of an epoch that is not closed (hostile.test.ts)
      const told = expected.items.map((item) =>
        item.epochId === 7 || item.epochId === 99 ? { ...item, snapshotCid: null } : item,
      )
      expect(sorted(found.items)).toEqual(sorted(told.map((item) => ({ ...item, origin: 'OWNER' }))))
    }
  })
})

describe('epochs', () => {
  test('default: newest first, with times and agreement', async () => {
    const { items } = (await answer('/v1/epochs', '/v1/epochs')) as { items: Record<string, unknown>[] }
    expect(items.map(({ epochId }) => epochId)).toEqual([7, 6, 3, 2, 1])
    expect(items[1]).toMatchObject({
      phase: 'ANCHORED',
      batches: 1,
      batchesFinal: 1,
      submissions: SLOTS,
      agreement: 5 / SLOTS,
    })
    expect(items[1]).toMatchObject({ releasedAt: 0, storedAt: 0, minedAt: 0, finalAt: 0 })
    expect(items[0]).toMatchObject({ phase: 'OPEN', batches: null, agreement: null, closedAt: null })
  })
  test('behavior: one that no tick named is told by its submissions, and not in the list', async () => {
    expect(await answer('/v1/epochs/{epochId}', '/v1/epochs/99')).toMatchObject({
      phase: 'UNKNOWN',
      reasons: { EPOCH_TOO_FAR: 1 },
    })
  })
  test('default: candidates with their votes', async () => {
    expect(await answer('/v1/epochs/{epochId}/projects', '/v1/epochs/3/projects')).toMatchObject({
      items: [
        {
          projectId: 'project-a',
          batchIndex: 0,
          candidates: [
            { snapshotCid: 'bafkreione', votes: 5 },
            { snapshotCid: 'bafkreiother', votes: 2 },
          ],
        },
      ],
    })
  })
  test('args: verdicts by reason and by slot', async () => {
    const of = async (query: string) =>
      (
        (await answer('/v1/epochs/{epochId}/verdicts', `/v1/epochs/3/verdicts?${query}`)) as {
          items: { slotId: number }[]
        }
      ).items.map(({ slotId }) => slotId)
    expect(await of('reason=OUTVOTED')).toEqual([3, 6])
    expect(await of('slot=3')).toEqual([3])
    expect(await of('slot=4&reason=OUTVOTED')).toEqual([])
    expect(await of('project=project-a&limit=2')).toEqual([1, 2])
  })
})

describe('gaps', () => {
  test('behavior: never released', async () => {
    expect(await answer('/v1/epochs/gaps', '/v1/epochs/gaps')).toEqual({
      items: [
        {
          dataMarket: MARKET,
          epochId: 4,
          lastEpochId: 5,
          phase: 'UNKNOWN',
          outcome: null,
          detail: 'epoch 6 was released after epoch 3',
        },
      ],
      next: null,
    })
  })
})

test('behavior: epochs that the market’s owner skipped are no fault, and the API and the look-up in the log say so alike', async () => {
  const skips = await createStory()
  for (const [epochId, skippedFrom] of [[1], [5, 2], [9, 8]] as const) await skips.open(epochId, skippedFrom)
  const running = await startApi(skips.fixture)
  await running.caughtUp()
  try {
    const { log, topics } = skips.fixture
    for (const [epochId, phase, block] of [
      [4, 'SKIPPED', 50],
      [2, 'SKIPPED', 50],
      [8, 'SKIPPED', 90],
      [5, 'OPEN', null],
    ] as const) {
      const given = (await running.get(`/v1/epochs/${epochId}`)).json()
      expect([given.phase, given.skippedInBlock]).toEqual([phase, block])
      const [found] = await epochStatus(log, topics, ONE_MARKET, { epochId })
      expect(given).toMatchObject({ ...found, submissions: 0 })
    }
    expect((await running.get('/v1/epochs/6')).statusCode).toBe(404)
    const { items } = (await running.get('/v1/epochs/gaps')).json()
    expect(
      items.map(({ epochId, lastEpochId, phase }: Record<string, unknown>) => [epochId, lastEpochId, phase]),
    ).toEqual([
      [8, 8, 'SKIPPED'],
      [6, 7, 'UNKNOWN'],
      [2, 4, 'SKIPPED'],
    ])
  } finally {
    await running.close()
  }
})

test('behavior: refused epochs are no missing ones; API, look-up in the log and gaps say why', async () => {
  const story = await createStory()
  const { topics, put } = story.fixture
  const refuse = (epochId: number, block: number) => {
    const refused = [{ dataMarket: MARKET, epochId, block, why: 'begin is 1152921504606846976', skippedFrom: 0 }]
    return put(topics.epochTicks, { dataMarket: '' }, tickOf({ kind: 'HEAD', dataMarket: '', epochId: 0, refused }))
  }
  await story.open(1)
  await refuse(2, 20)
  await refuse(4, 40)
  await story.open(6)
  const running = await startApi(story.fixture)
  await running.caughtUp()
  try {
    const refused = 'released in block 20, and refused: begin is 1152921504606846976'
    const given = (await running.get('/v1/epochs/2')).json()
    expect(given).toMatchObject({ phase: 'REFUSED', releaseBlock: null, refused })
    const [found] = await epochStatus(story.fixture.log, topics, ONE_MARKET, { epochId: 2 })
    expect(given).toMatchObject({ ...found, submissions: 0 })
    const { items } = (await running.get('/v1/epochs/gaps')).json()
    expect(
      items.map(({ epochId, lastEpochId, phase }: Record<string, unknown>) => [epochId, lastEpochId, phase]),
    ).toEqual([
      [5, 5, 'UNKNOWN'],
      [4, 4, 'REFUSED'],
      [3, 3, 'UNKNOWN'],
      [2, 2, 'REFUSED'],
    ])
    expect(items.at(-1)).toMatchObject({ detail: refused })
    const health = (await running.get('/v1/health')).json() as { markets: { stuck: unknown[] }[] }
    expect(health.markets.flatMap(({ stuck }) => stuck)).toEqual([])
  } finally {
    await running.close()
  }
})

test('behavior: a release that left the chain, and what came in its place, is named by API and look-up alike', async () => {
  const again = await createStory()
  for (const epochId of [1, 2, 3]) await again.open(epochId)
  // The blocks of epochs 2 and 3 leave the chain: 2 is released anew, 3 is skipped.
  await again.open(2, 0, 21)
  await again.open(5, 3, 40)
  const running = await startApi(again.fixture)
  await running.caughtUp()
  try {
    const { log, topics } = again.fixture
    for (const [epochId, phase, releaseBlock, earlierReleaseBlock, skippedInBlock] of [
      [2, 'OPEN', 21, 20, null],
      [3, 'SKIPPED', null, 30, 40],
      [4, 'SKIPPED', null, null, 40],
      [5, 'OPEN', 40, null, null],
    ] as const) {
      const given = (await running.get(`/v1/epochs/${epochId}`)).json()
      expect(given).toMatchObject({ phase, releaseBlock, earlierReleaseBlock, skippedInBlock })
      const [found] = await epochStatus(log, topics, ONE_MARKET, { epochId })
      expect(given).toMatchObject({ ...found, submissions: 0 })
    }
    const { items } = (await running.get('/v1/epochs/gaps')).json()
    const skipped = items.filter(({ phase }: Record<string, unknown>) => phase === 'SKIPPED')
    expect(skipped).toMatchObject([{ epochId: 3, lastEpochId: 4 }])
    expect(items.map(({ epochId }: Record<string, unknown>) => epochId)).not.toContain(4)
  } finally {
    await running.close()
  }
})

test('behavior: health says what epochs that are stuck wait for, where the log shows it', async () => {
  const waiting = await createStory()
  for (const epochId of [1, 2]) await waiting.open(epochId)
  await waiting.close(2)
  const stages = createStageWatch(systemClock.now)
  for (const _look of [1, 2]) stages.saw('admit', 'validated/0', 5, 1)
  stages.cannotPass('admit', 'validated/0', 'validated/0, offset 5: the batch is damaged')
  const held = { all: [{ topic: 'verdicts', partition: 1, stable: 3, records: 4, since: 0 }] }
  const running = await startApi(waiting.fixture, { stages, held })
  await running.caughtUp()
  try {
    const given = (await running.get('/v1/health')).json()
    expect(given.stages).toEqual({
      admit: { behind: 1, stillSince: null, waitsAt: expect.stringContaining('damaged') },
    })
    const [stuck] = given.markets[0].stuck
    expect(stuck.detail).toMatch(
      /^epoch 2 is closed, this one is not; admit waits at validated\/0, offset 5: the batch is damaged; verdicts\/1: a transaction/,
    )
  } finally {
    await running.close()
  }
})

test('behavior: of an epoch whose rows of anchors are gone health says that they are, not that it waits', async () => {
  const cut = await createStory()
  await cut.open(1)
  await cut.close(1)
  await cut.batch(1, SLOTS) // its rows lay in a topic that was made anew
  await cut.epoch(2, SLOTS)
  const running = await startApi(cut.fixture)
  await running.caughtUp()
  try {
    const [stuck] = (await running.get('/v1/health')).json().markets[0].stuck
    expect(stuck).toMatchObject({ epochId: 1, phase: 'STORING', outcome: null })
    expect(stuck.detail).toMatch(
      /^the topic anchors says nothing of it, though epoch 2 is anchored: its rows are gone, or/,
    )
  } finally {
    await running.close()
  }
})

describe('proofs', () => {
  test('error: nothing of the slot is anchored', async () => {
    const response = await api.get('/v1/proofs/7/2')
    expect(response.statusCode).toBe(404)
    expect(response.json()).toMatchObject({
      detail: expect.stringContaining('epoch 7 has no anchored batch with slot 2'),
    })
  })
})

describe('batches', () => {
  test('default: the bytes of a batch, for ever', async () => {
    const response = await api.get(`/v1/batches/${await cidOf(3)}/content`)
    expect(response.body).toBe(contentOf(3).toString())
    expect(response.headers).toMatchObject({
      etag: `"${await cidOf(3)}"`,
      'cache-control': expect.stringContaining('immutable'),
    })
  })
  test('args: of an epoch', async () => {
    const { items } = (await answer('/v1/batches', '/v1/batches?epoch=2')) as { items: { cid: string }[] }
    expect(items.map(({ cid }) => cid)).toEqual([await cidOf(2)])
  })
  test('args: anchors by standing', async () => {
    const of = async (standing: string) =>
      ((await answer('/v1/anchors', `/v1/anchors?standing=${standing}`)) as { items: unknown[] }).items.length
    expect([await of('under-way'), await of('final'), await of('lost')]).toEqual([0, 8, 0])
  })
  test('default: the signer as far as the anchors tell', async () => {
    expect(await answer('/v1/signer', '/v1/signer')).toEqual({ nonce: 6, pending: 0, inFlight: [] })
  })
})

test('behavior: what blocks told that left the chain is told no more: a skip, a refusal, the newest epoch', async () => {
  const again = await createStory()
  const { log, topics, put } = again.fixture
  const head = { dataMarket: '', epochId: 0 }
  const refused = [{ dataMarket: MARKET, epochId: 6, block: 60, why: 'begin is 2^60', skippedFrom: 0 }]
  const refuse = () => put(topics.epochTicks, { dataMarket: '' }, tickOf({ ...head, kind: 'HEAD', refused }))
  const orphan = (blockNumber: number) =>
    put(topics.epochTicks, { dataMarket: '' }, tickOf({ ...head, kind: 'ORPHAN', blockNumber }))
  await again.open(1)
  await again.open(5, 2) // 2 to 4 are skipped in block 50
  await refuse()
  const running = await startApi(again.fixture)
  const look = async () => {
    await running.caughtUp()
    const { items } = (await running.get('/v1/epochs/gaps')).json()
    const [market] = (await running.get('/v1/markets')).json().items
    const health = (await running.get('/v1/health')).json().markets[0]
    expect(health.headEpoch).toBe(market.headEpoch)
    const phases = items.map(({ epochId, phase }: Record<string, unknown>) => `${epochId} ${phase}`)
    return { headEpoch: market.headEpoch, gaps: phases }
  }
  const phaseOf = async (epochId: number) => {
    const [{ phase } = { phase: undefined }] = await epochStatus(log, topics, ONE_MARKET, { epochId })
    const given = await running.get(`/v1/epochs/${epochId}`)
    if (given.statusCode !== 404) expect(given.json().phase).toBe(phase)
    return given.statusCode === 404 ? 404 : phase
  }
  try {
    expect(await look()).toEqual({ headEpoch: 5, gaps: ['6 REFUSED', '2 SKIPPED'] })
    await orphan(60)
    expect(await look()).toEqual({ headEpoch: 5, gaps: ['2 SKIPPED'] })
    expect([await phaseOf(6), await phaseOf(3)]).toEqual(['ORPHANED', 'SKIPPED'])
    await orphan(50)
    expect(await look()).toEqual({ headEpoch: 1, gaps: [] })
    expect([await phaseOf(5), await phaseOf(3)]).toEqual(['ORPHANED', 404])
    await again.open(2, 0, 51)
    await again.open(5, 4, 52) // 3 is missing, 4 is skipped
    await refuse()
    expect(await look()).toEqual({ headEpoch: 5, gaps: ['6 REFUSED', '4 SKIPPED', '3 UNKNOWN'] })
    await orphan(1)
    expect(await look()).toEqual({ headEpoch: null, gaps: [] })
  } finally {
    await running.close()
  }
})

// the last, since two markets have to be told apart from then on
describe('markets', () => {
  const ask = async () => ((await answer('/v1/markets', '/v1/markets')) as { items: { dataMarket: string }[] }).items
  const change = async (dataMarket: string, serving: ServedMarket['serving'], refused = '') => {
    const { put, topics } = story.fixture
    const row = { serving, sinceBlock: 70, lastEpoch: 6, requestId: 'r', refused }
    await put(topics.markets, { dataMarket }, row)
    await api.caughtUp()
  }
  test('default: as configured', async () => {
    expect(await ask()).toMatchObject([{ dataMarket: MARKET, served: true, sinceBlock: null, headEpoch: 7 }])
  })
  test('behavior: added, removed and refused at run time', async () => {
    await change(OTHER_MARKET, 'ADDED')
    await change(`0x${'d4'.repeat(20)}`, 'CONFIGURED', 'no contract there') // is not listed
    expect((await ask())[1]).toMatchObject({ dataMarket: OTHER_MARKET, served: true, sinceBlock: 70, headEpoch: null })
    await change(OTHER_MARKET, 'REMOVED')
    await change(MARKET, 'REMOVED')
    expect(await ask()).toMatchObject([
      { dataMarket: MARKET, served: false, sinceBlock: 70, headEpoch: 7 },
      { dataMarket: OTHER_MARKET, served: false, sinceBlock: 70, headEpoch: null },
    ])
  })
})
