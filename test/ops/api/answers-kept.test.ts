/** Answers that are kept: read once for a version of the view, never for longer, never more than there is room for. */
import { describe, expect, test } from 'vitest'
import { type Answer, Answers } from '../../../ops/api/answers.ts'
import { createStory, startApi } from './story.ts'

function counted(text = 'yes'): { make: () => Promise<Answer>; times: () => number } {
  let times = 0
  return { make: async () => ({ text, etag: `"${++times}"` }), times: () => times }
}

describe('Answers', () => {
  test('default: many who ask the same at one version, also at once, share an answer', async () => {
    const answers = new Answers()
    const { make, times } = counted()
    const both = await Promise.all([answers.at('1', '/a', make), answers.at('1', '/a', make)])
    expect(await answers.at('1', '/a', make)).toBe(both[0])
    expect([both[1] === both[0], times()]).toEqual([true, 1])
    await answers.at('1', '/b', make)
    expect(times()).toBe(2)
  })
  test('behavior: at another version it is made anew', async () => {
    const answers = new Answers()
    const { make, times } = counted()
    await answers.at('1', '/a', make)
    await answers.at('2', '/a', make)
    expect(times()).toBe(2)
  })
  test('behavior: long ones, and more than there is room for, are not kept', async () => {
    const answers = new Answers()
    const long = counted('x'.repeat(65 * 1024))
    for (let i = 0; i < 2; i++) await answers.at('1', '/long', long.make)
    expect(long.times()).toBe(2)
    const { make, times } = counted()
    for (let i = 0; i < 600; i++) await answers.at('1', `/${i}`, make)
    await answers.at('1', '/0', make)
    await answers.at('1', '/599', make)
    expect(times()).toBe(601)
  })
  test('error: a refusal is not kept', async () => {
    const answers = new Answers()
    await expect(answers.at('1', '/a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await answers.at('1', '/a', counted().make)).toMatchObject({ text: 'yes' })
  })
})

test('behavior: an answer and its position change together, also when everybody asks for it while epochs close', async () => {
  const story = await createStory()
  await story.epoch(1, 3)
  const api = await startApi(story.fixture)
  await api.caughtUp()
  const bodies = new Map<string, Set<string>>()
  for (let epochId = 2; epochId <= 6; epochId++) {
    const writing = story.epoch(epochId, 3)
    for (const response of await Promise.all(Array.from({ length: 20 }, () => api.get('/v1/epochs')))) {
      const position = String(response.headers['x-log-position'])
      bodies.set(position, (bodies.get(position) ?? new Set()).add(response.body))
    }
    await writing
    await api.caughtUp()
    const { items } = (await api.get('/v1/epochs')).json()
    expect(items[0]).toMatchObject({ epochId, phase: 'ANCHORED' })
  }
  for (const [position, texts] of bodies) expect([position, texts.size]).toEqual([position, 1])
  await api.close()
})
