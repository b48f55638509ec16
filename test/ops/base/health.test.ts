import { expect, test } from 'vitest'
import { createHealth } from '../../../ops/base/health.ts'

const start = Date.UTC(2026, 0, 1)

test('default: nothing is ready before each role has said so', () => {
  const health = createHealth(['intake', 'batch'], () => start)
  health.set('intake', true)
  expect(health.report()).toMatchObject({ ready: false, roles: { batch: { ready: false, detail: 'not started' } } })
  health.set('batch', true)
  expect(health.report().ready).toBe(true)
})

test('behavior: a role with a probe is asked at each report', () => {
  let tasks = 0
  const health = createHealth(['batch'], () => start)
  health.probe('batch', () => ({ ready: tasks > 0, works: tasks > 0, detail: `${tasks} tasks` }))
  expect(health.report().ready).toBe(false)
  tasks = 2
  expect(health.report().roles.batch).toMatchObject({ ready: true, detail: '2 tasks' })
})

test('behavior: what failed for good stays so, whatever is said after it', () => {
  const health = createHealth(['clock'], () => start)
  health.set('clock', true)
  health.fail('clock', 'fenced')
  health.set('clock', true)
  expect(health.report().roles.clock).toMatchObject({ ready: false, works: false, detail: 'fenced' })
})

test('behavior: one that stands by is ready and does not work; one that waits for something outside still does', () => {
  const health = createHealth(['clock'], () => start)
  health.set('clock', true, 'standing by', false)
  expect(health.report()).toMatchObject({ ready: true, roles: { clock: { works: false } } })
  health.set('clock', true, 'this process follows the chain', true)
  health.set('clock', false, 'no answer')
  expect(health.report()).toMatchObject({ ready: false, roles: { clock: { works: true } } })
})

test('behavior: `since` moves when readiness changes, not with each word', () => {
  let now = start
  const health = createHealth(['clock'], () => now)
  health.set('clock', true, 'block 1')
  now += 1_000
  health.set('clock', true, 'block 2')
  expect(health.report().roles.clock).toEqual({
    ready: true,
    works: false,
    detail: 'block 2',
    since: new Date(start).toISOString(),
  })
})
