/** Lines about ticks that tick-fanout asked for again or refused. */
import { expect, test } from 'vitest'
import { loggedTickRequests } from '../../../../ops/watch/logging/clock.ts'
import { createLog } from '../../../../ops/watch/logging/log.ts'
import type { TickRequest } from '../../../../schemas/types.ts'

function observed() {
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'debug', to: { write: (text: string) => void lines.push(JSON.parse(text)) } })
  const clock = { ms: 1_000, now: () => clock.ms }
  const seen: unknown[] = []
  const observer = loggedTickRequests({ ticksAsked: (...told) => void seen.push(told) }, log, clock)
  return { lines, clock, seen, asked: observer.ticksAsked! }
}
const request = (fromBlock: number, toBlock: number, reason = 'CLOSE 13 refused'): TickRequest => ({
  fromBlock,
  toBlock,
  reason,
})

test('default: what was asked for, and what was only told', () => {
  const { lines, seen, asked } = observed()
  asked(request(5, 9))
  asked(request(0, -1), 'it asks for no blocks')
  expect(lines).toMatchObject([
    { event: 'ticks-asked', level: 'warn', from: 5, to: 9, reason: 'CLOSE 13 refused', more: 0 },
    { event: 'tick-refused', level: 'warn', reason: 'CLOSE 13 refused', more: 0 },
  ])
  expect(seen).toEqual([[request(5, 9)], [request(0, -1), 'it asks for no blocks']].map(([a, b]) => [a, b]))
})

test('behavior: a request that is not answered says why, and no reason is longer than a line', () => {
  const { lines, asked } = observed()
  asked(request(-4, 9, 'x'.repeat(10_000)), 'there is no block -4')
  expect(lines).toMatchObject([{ from: -4, leftOut: 'there is no block -4', reason: 'x'.repeat(500) }])
})

test('behavior: at most one line of each event in 10 s, with the number of those between', () => {
  const { lines, clock, asked } = observed()
  for (let i = 0; i < 5; i++) asked(request(i, 9))
  asked(request(0, -1))
  clock.ms += 10_000
  asked(request(7, 9))
  expect(lines).toMatchObject([
    { from: 0, more: 0 },
    { event: 'tick-refused', more: 0 },
    { from: 7, more: 4 },
  ])
})
