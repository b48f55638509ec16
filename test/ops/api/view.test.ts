/** The view on disk: it goes on after a restart, is built anew when it has to be, and lets go of what is old. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import type { SubmissionItem } from '../../../ops/api/schema.ts'
import type { ProjectFinalization } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import { createFixture, MARKET, submissionOf, verdictOf } from '../look/fixture.ts'
import { createStory, type RunningApi, rowsOf, type Story, startApi } from './story.ts'

let story: Story
let api: RunningApi
beforeEach(async () => {
  story = await createStory()
  await story.epoch(1, 4)
  await story.open(2)
  await story.submit({ epochId: 2, slotId: 1 })
})
afterEach(() => api.close())

const URLS = ['/v1/epochs', '/v1/epochs/1', '/v1/epochs/1/projects', '/v1/epochs/1/verdicts', '/v1/slots/1/verdicts']
async function answers(): Promise<unknown[]> {
  await api.caughtUp()
  const responses = await Promise.all([...URLS, '/v1/batches', '/v1/anchors', '/v1/signer'].map((url) => api.get(url)))
  return responses.map((response) => response.json())
}
/** A log that says from where it is read. */
function watched(log: Log): { log: Log; from: () => readonly number[] } {
  let first: readonly number[] | undefined
  const fetch: Log['fetch'] = (positions, options) => {
    first ??= positions.map(({ offset }) => offset)
    return log.fetch(positions, options)
  }
  return { log: Object.assign(Object.create(log) as Log, { fetch }), from: () => first! }
}
async function again(fixture = story.fixture, options = {}): Promise<void> {
  await api.close(true)
  api = await startApi(fixture, { directory: api.directory, ...options })
}

describe('restart', () => {
  test('default: it goes on where it stopped, and counts nothing twice', async () => {
    api = await startApi(story.fixture)
    const before = await answers()
    const { log, from } = watched(story.fixture.log)
    await again({ ...story.fixture, log })
    expect(await answers()).toEqual(before)
    expect(from().reduce((sum, offset) => sum + offset, 0)).toBeGreaterThan(0)
    await story.close(2)
    await story.epoch(3, 2)
    const after = await answers()
    rmSync(api.directory, { recursive: true, force: true })
    await api.close(true)
    api = await startApi(story.fixture)
    expect(await answers()).toEqual(after) // as from the beginning
  })
  test('behavior: an older layout, or a view of another log, is built anew', async () => {
    api = await startApi(story.fixture)
    const before = await answers()
    const { log, from } = watched(story.fixture.log)
    await again({ ...story.fixture, log }, { identity: 'another' })
    expect(await answers()).toEqual(before)
    expect(from().every((offset) => offset === 0)).toBe(true)
  })
  test('behavior: a damaged one is built anew', async () => {
    api = await startApi(story.fixture)
    const before = await answers()
    await api.close(true)
    for (const file of readdirSync(api.directory))
      if (/MANIFEST|CURRENT/.test(file)) writeFileSync(join(api.directory, file), 'x')
    api = await startApi(story.fixture, { directory: api.directory })
    expect(await answers()).toEqual(before)
  })
  test('behavior: a log that was made anew is read from its beginning', async () => {
    api = await startApi(story.fixture)
    await answers()
    const other = await createStory(await createFixture())
    await other.open(9)
    await again(other.fixture)
    await api.caughtUp()
    expect((await api.get('/v1/epochs')).json()).toMatchObject({ items: [{ epochId: 9, phase: 'OPEN' }] })
  })
  test('behavior: a topic that was made anew, and is as long as the old one, is read from its beginning', async () => {
    const { log } = story.fixture
    const ids = new Map<string, string>()
    const topicIds = async (names: readonly string[]) => new Map(names.map((name) => [name, ids.get(name) ?? 'old']))
    const withIds = { ...story.fixture, log: Object.assign(Object.create(log) as Log, { topicIds }) }
    api = await startApi(withIds)
    const before = await answers()
    const kept = watched(withIds.log)
    await again({ ...withIds, log: kept.log })
    await api.caughtUp()
    expect(kept.from().some((offset) => offset > 0)).toBe(true)
    ids.set(story.fixture.topics.verdicts.name, 'new')
    const anew = watched(withIds.log)
    await again({ ...withIds, log: anew.log })
    expect(await answers()).toEqual(before)
    expect(anew.from().every((offset) => offset === 0)).toBe(true)
  })
  test('behavior: two processes keep theirs side by side', async () => {
    api = await startApi(story.fixture)
    const other = await startApi(story.fixture, { directory: api.directory })
    await Promise.all([api.caughtUp(), other.caughtUp()])
    expect((await other.get('/v1/epochs')).json()).toEqual((await api.get('/v1/epochs')).json())
    await other.close(true)
    rmSync(`${api.directory}-2`, { recursive: true })
  })
})

describe('submissions that are gone from the log', () => {
  const found = async () => {
    await api.caughtUp()
    const urls = ['/v1/epochs/2/verdicts', '/v1/slots/9/verdicts', '/v1/submissions/gone']
    const lists = (await Promise.all(urls.map((url) => api.get(url)))).map((response) => response.json())
    return lists.map(({ items }) =>
      items.flatMap((item: SubmissionItem) =>
        item.submissionId === 'gone' ? [[item.receivedAt, item.verdict?.reason]] : [],
      ),
    )
  }
  const submitAndDelete = async () => {
    const { log, topics, put } = story.fixture
    const submission = submissionOf({ epochId: 2, slotId: 9, submissionId: 'gone' })
    const key = { dataMarket: MARKET, epochId: 2 }
    const at = await put(topics.submissions, { ...key, projectId: 'project-a' }, submission)
    return {
      deleted: () =>
        log.deleteRecords([{ topic: topics.submissions.name, partition: at.partition, offset: at.offset + 1 }]),
      decided: () => put(topics.verdicts, { ...key, slotId: 9 }, verdictOf(submission, at, 'COUNTED')),
    }
  }
  test('behavior: the verdict alone leads to them', async () => {
    const { deleted, decided } = await submitAndDelete()
    await deleted()
    await decided()
    api = await startApi(story.fixture)
    expect(await found()).toEqual([[[null, 'COUNTED']], [[null, 'COUNTED']], [[null, 'COUNTED']]])
  })
  test('behavior: one that was read before stays as it was', async () => {
    const { deleted, decided } = await submitAndDelete()
    api = await startApi(story.fixture)
    const received = (await found())[0]![0]![0]
    expect(received).toMatch(/^2026/)
    await deleted()
    await decided()
    expect((await found()).flat()).toEqual(Array(3).fill([received, 'COUNTED']))
  })
})

describe('failures', () => {
  test('behavior: what a failed turn had in memory is not counted twice', async () => {
    const { topics } = story.fixture
    let failures = 3
    const unshowable = Object.defineProperty({} as ProjectFinalization, 'part', {
      get() {
        throw new Error('no schema')
      },
    })
    const decode: typeof topics.finalizations.value.decode = (bytes) => {
      if (failures-- > 0) return unshowable // after the ticks and submissions of the same turn
      return topics.finalizations.value.decode(bytes)
    }
    const value = { ...topics.finalizations.value, decode }
    const said: (string | undefined)[] = []
    api = await startApi(
      { ...story.fixture, topics: { ...topics, finalizations: { ...topics.finalizations, value } } },
      { waiting: (reason) => void said.push(reason), clock: { now: () => 0, sleep: () => systemClock.sleep(1) } },
    )
    await expect.poll(() => said).toEqual(['no schema', 'no schema', 'no schema', undefined])
    expect((await api.get('/v1/epochs/1')).json()).toMatchObject({ submissions: 4, verdicts: 4 })
  })
})

describe('retention', () => {
  test('behavior: rows older than asked for go, with everything that leads to them', async () => {
    const HOUR = 3_600_000
    const timed = await createFixture()
    let now = 10 * HOUR
    const log = createMemoryLog()
    await log.createTopics(Object.values(timed.topics))
    const appender = await log.appender()
    const old = await createStory({
      ...timed,
      log,
      async put(topic, key, value) {
        const record = {
          topic: topic.name,
          partition: 0,
          timestamp: now,
          key: topic.key.encode(key),
          value: topic.value.encode(value),
        }
        const [offset] = await appender.append([record])
        return { partition: 0, offset: offset! }
      },
    })
    await old.epoch(1, 3)
    await old.submit({ epochId: 0, slotId: 1, submissionId: 'first' }, 'SIMULATION', 'validate')
    now += 2 * HOUR
    await old.epoch(2, 3)
    await old.submit({ epochId: 0, slotId: 1, submissionId: 'second' }, 'SIMULATION', 'validate')
    api = await startApi(old.fixture, { keepMs: HOUR / 2 })
    await api.caughtUp()
    const epochs = async () =>
      (await api.get('/v1/epochs')).json().items.map(({ epochId }: { epochId: number }) => epochId)
    await expect.poll(epochs, { timeout: 10_000 }).toEqual([2])
    const ids = async () =>
      (await api.get('/v1/slots/1/verdicts')).json().items.map((item: { submissionId: string }) => item.submissionId)
    await expect.poll(ids, { timeout: 10_000 }).toEqual([expect.stringContaining('000002000001'), 'second'])
    const rows = await rowsOf(api)
    expect(rows.length).toBeGreaterThan(20)
    const ofEpoch1 = rows.filter(([key]) => key.includes(`${MARKET}\u0000${'1'.padStart(16, '0')}`))
    expect(ofEpoch1.map(([key]) => key)).toEqual([])
    expect(rows.some(([key]) => key.includes('first'))).toBe(false)
  })
})
