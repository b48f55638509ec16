import type { EventLoopUtilization } from 'node:perf_hooks'
import { beforeEach, describe, expect, test } from 'vitest'
import { ANSWERS_PER_SECOND_MIN, createWay } from '../../../ops/api/give-way.ts'

let now: number
let utilization: number
let isAnswered: (client: string) => boolean

beforeEach(() => {
  now = 0
  utilization = 0.1
  isAnswered = createWay(
    () => now,
    (): EventLoopUtilization => ({ utilization, idle: 0, active: 0 }),
  )
})

/** Answers in a second of `perSecond` requests, in turn by the clients. */
function ask(perSecond: number, clients: readonly string[]): Map<string, number> {
  const answers = new Map(clients.map((client) => [client, 0]))
  for (let n = 0; n < perSecond; n++) {
    now += 1_000 / perSecond
    const client = clients[n % clients.length]!
    if (isAnswered(client)) answers.set(client, answers.get(client)! + 1)
  }
  return answers
}

const total = (answers: ReadonlyMap<string, number>): number => [...answers.values()].reduce((sum, n) => sum + n, 0)
const CROWD = Array.from({ length: 200 }, (_, i) => `10.0.0.${i}`)

describe('behavior: the API gives way to the roles beside it', () => {
  test('everybody is answered while the event loop has time', () => {
    expect(total(ask(1_000, CROWD))).toBe(1_000)
  })

  test('a busy event loop has a crowd answered less and less, down to what is always answered', () => {
    utilization = 0.95
    for (let second = 0; second < 10; second++) ask(1_000, CROWD)
    expect(total(ask(1_000, CROWD))).toBeCloseTo(ANSWERS_PER_SECOND_MIN, -1)
  })

  test('when the event loop has time again, all are answered again within a minute', () => {
    utilization = 0.95
    for (let second = 0; second < 10; second++) ask(1_000, CROWD)
    utilization = 0.3
    let seconds = 0
    while (total(ask(500, CROWD)) < 500) seconds++
    expect(seconds).toBeGreaterThan(1)
    expect(seconds).toBeLessThan(60)
  })

  test('one that asks a thousand times as much as another takes nothing of its share', () => {
    utilization = 0.95
    const greedy = [...Array<string>(99).fill('greedy'), 'modest']
    for (let second = 0; second < 10; second++) ask(1_000, greedy)
    const answers = ask(1_000, greedy)
    expect(answers.get('modest')).toBe(10)
    expect(answers.get('greedy')).toBeLessThanOrEqual(ANSWERS_PER_SECOND_MIN)
  })

  test('who asks once a second is answered each time, however many ask all the time', () => {
    utilization = 0.95
    const twenty = Array.from({ length: 20 }, (_, i) => `10.0.1.${i}`)
    for (let second = 0; second < 10; second++) ask(1_000, twenty)
    for (let second = 0; second < 10; second++) {
      ask(1_000, twenty)
      now += 1
      expect(isAnswered('reader'), `second ${second}`).toBe(true)
    }
  })

  test('who asks no more than is always answered is answered however busy the process is', () => {
    utilization = 1
    for (let second = 0; second < 10; second++) expect(total(ask(30, ['console']))).toBe(30)
  })
})
