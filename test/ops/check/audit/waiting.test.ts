import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Entry, KeptSubmission } from '../../../../ops/check/audit/entry.ts'
import { Waiting } from '../../../../ops/check/audit/waiting.ts'
import type { ParkedSubmission } from '../../../../schemas/types.ts'
import { createStateStore } from '../../../../streams/state.ts'
import { type ScopedStore, scopedStore } from '../../../../streams/store.ts'
import { createWaitingRoom } from '../../../../topology/validate/waiting-room.ts'

const MARKET = '0xa'
const EPOCHS = 300
const entryOf = (epochId: number, slotId: number, arrivedAt: number): Entry => ({
  ...{ partition: 0, offset: 0, dataMarket: MARKET, digest: `${epochId}/${slotId}`, signer: `0x${slotId}` },
  ...{ submission: { epochId, slotId } as KeptSubmission, arrivedAt, stranger: false },
})

test('default: after an outage each waits through the releases of others without being looked at', () => {
  const waiting = new Waiting()
  for (let epochId = 1; epochId <= EPOCHS; epochId++) {
    // one that somebody sent long before, for which the epoch was too far when the first was released
    waiting.add(entryOf(epochId, 9, 0))
    for (const slotId of [1, 2, 3]) waiting.add(entryOf(epochId, slotId, 1_000 * epochId))
  }
  let looked = 0
  for (let opened = 1; opened <= EPOCHS; opened++)
    waiting.release(
      MARKET,
      (epochId, arrivedFrom) => epochId <= opened || arrivedFrom < 1_000 * opened,
      ({ submission: { epochId }, arrivedAt }) => {
        looked++
        return epochId <= opened || arrivedAt! < 1_000 * opened
      },
    )
  expect([...waiting.entries()]).toEqual([])
  // each when its epoch opened, and when the first one cleared away what had come too early
  expect(looked).toBeLessThanOrEqual(2 * 4 * EPOCHS)
})

test('default: when the room is shared out, the audit and the waiting room let go of the same', () => {
  const epochs = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 10 })
  fc.assert(
    fc.property(fc.array(epochs, { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 20 }), (owners, total) => {
      const waiting = new Waiting()
      const waitingRoom = createWaitingRoom(emptyStore())
      const room = { strangers: 0, total, perEpoch: 9, epochs: () => 99 }
      let offset = 0
      for (const [at, ofOwner] of owners.entries())
        for (const epochId of ofOwner) {
          const entry = entryOf(epochId, at, 0)
          const isRefused = waiting.size >= total && waiting.isBeyondShare(entry, total)
          const left = waiting.size >= total && !isRefused ? waiting.shareOut(total).map(({ digest }) => digest) : []
          if (!isRefused) waiting.add(entry)
          const gaveWay: string[] = []
          const submission = { epochId, slotId: at, digest: Buffer.from(entry.digest), position: { offset: offset++ } }
          const parked = { submission, signer: entry.signer, arrivedAt: 0, stranger: false } as never
          const kept = waitingRoom.enter(MARKET, parked, room, ({ submission: { digest } }) =>
            gaveWay.push(`${digest}`),
          )
          expect(kept).toBe(isRefused ? 'no-room' : 'waits')
          expect(gaveWay.sort()).toEqual(left.sort())
        }
      expect(waiting.size).toBeLessThanOrEqual(total)
    }),
  )
})

/** In memory, without a changelog. */
function emptyStore(): ScopedStore<ParkedSubmission> {
  const store = createStateStore(scopedStore('parked', NO_SERDE), 'changelog')
  return store as unknown as ScopedStore<ParkedSubmission>
}
const NO_SERDE = { encode: () => Buffer.alloc(0), decode: () => undefined } as never
