/**
 * When the query API runs in one process with roles that handle submissions, it gives way to them: as long as the event loop is
 * busy, clients get fewer answers, all together, each its share of them. Limits by address alone do not do that: two hundred
 * addresses, each far below its rate, make an epoch wait for its turn.
 *
 * The number of answers a second falls by half and rises step by step (AIMD, as in RFC 5681), by how busy the loop was.
 */
import type { EventLoopUtilization } from 'node:perf_hooks'
import { performance } from 'node:perf_hooks'

/** How often the event loop is looked at; ms. */
const LOOK_MS = 250
/** Share of the time that the event loop works. Above it the API gives way. */
const BUSY = 0.7
/** Answers a second that are always given, to all clients together. */
export const ANSWERS_PER_SECOND_MIN = 40
const ANSWERS_PER_SECOND_MAX = 5_000
/** By so much the number rises at each look; and by a tenth. */
const STEP = 5
/** Clients that are told apart between two looks; further ones share one place. */
const CLIENTS_MAX = 1_000

type Look = (since?: EventLoopUtilization) => EventLoopUtilization

/** @returns whether a client is answered now. @param now ms */
export function createWay(
  now: () => number,
  look: Look = performance.eventLoopUtilization,
): (client: string) => boolean {
  let perSecond = ANSWERS_PER_SECOND_MAX
  let before = look()
  let lookedAt = now()
  let clientsBefore = 1
  let answered = 0
  const given = new Map<string, number>()

  const lookAgain = (elapsed: number): void => {
    const { utilization } = look(before)
    const rate = (answered / elapsed) * 1_000
    perSecond =
      utilization > BUSY
        ? Math.max(ANSWERS_PER_SECOND_MIN, Math.min(perSecond, rate) / 2)
        : Math.min(ANSWERS_PER_SECOND_MAX, perSecond * 1.1 + STEP)
    before = look()
    lookedAt = now()
    clientsBefore = Math.max(1, given.size)
    answered = 0
    given.clear()
  }

  return (client) => {
    const elapsed = now() - lookedAt
    if (elapsed >= LOOK_MS) lookAgain(elapsed)
    const most = (perSecond * LOOK_MS) / 1_000
    const name = given.has(client) || given.size < CLIENTS_MAX ? client : ''
    const mine = given.get(name) ?? 0
    const share = Math.max(1, most / Math.max(clientsBefore, given.size))
    given.set(name, mine + 1)
    if (answered >= most || mine >= share) return false
    answered++
    return true
  }
}
