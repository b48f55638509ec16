import { expect, test } from 'vitest'
import type { Entry, KeptSubmission } from '../../../ops/audit/entry.ts'
import { Waiting } from '../../../ops/audit/waiting.ts'

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
