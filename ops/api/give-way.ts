/**
 * When the query API runs in one process with roles that handle submissions, it gives way to them: as long as the event loop is
 * busy, clients get fewer answers, all together, each its share of them. Limits by address alone do not do that: two hundred
 * addresses, each far below its rate, make an epoch wait for its turn.
 *
 * Who asks now and then is answered before those who ask all the time, so that a crowd does not leave a single reader without.
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
/** A client without an answer for so long, ms, is answered before the others. */
const PATIENCE_MS = 1_000

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
  /** Answers to clients that had waited, and places that are kept for them: one more than there were such clients before. */
  let waited = 0
  let kept = 1
  /** When each client was answered last, oldest first. */
  const answers = new Map<string, number>()
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
    kept = waited + 1
    waited = 0
    given.clear()
  }

  const remember = (client: string): void => {
    answers.delete(client)
    answers.set(client, now())
    if (answers.size > CLIENTS_MAX) answers.delete(answers.keys().next().value!)
  }

  return (client) => {
    const elapsed = now() - lookedAt
    if (elapsed >= LOOK_MS) lookAgain(elapsed)
    const most = (perSecond * LOOK_MS) / 1_000
    const name = given.has(client) || given.size < CLIENTS_MAX ? client : ''
    const mine = given.get(name) ?? 0
    const share = Math.max(1, most / Math.max(clientsBefore, given.size))
    given.set(name, mine + 1)
    const hasWaited = now() - (answers.get(name) ?? Number.NEGATIVE_INFINITY) >= PATIENCE_MS
    const isCrowd = Math.max(clientsBefore, given.size) > 1
    const open = isCrowd ? Math.max(0, Math.min(kept, most / 2) - waited) : 0 // one more is there when all are taken
    const left = most - answered + (hasWaited ? 1 : -open)
    if (left < 1 || (!hasWaited && mine >= share)) return false
    answered++
    if (hasWaited) waited++
    remember(name)
    return true
  }
}
