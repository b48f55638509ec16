/**
 * The days of a campaign: the chain waits with each until the day before the last one is closed, for only so long does the
 * contract take payments of it, and no test can say how long that takes on a machine where everything fails.
 */
import { createDayContract } from '../../ops/reading/day-on-chain.ts'
import { daysOf } from '../ops/days-paid.ts'
import { pause } from './faults.ts'
import type { Surroundings } from './surroundings.ts'

/** Short: there are several in a campaign of some minutes. Few of the submissions of a slot come through in the worst of them. */
export const DAYS = { epochs: 5, quota: 2 }
/** Days that are closed at least; with few kills epochs are released for some time without any. */
export const DAYS_MIN = 3
const LOOK_EVERY_MS = 5_000
/** For one more day, once its epochs are released. */
const DAY_MS_MAX = 600_000

export interface Days {
  /** Resolves when the contract is at this day, in whose first epochs the day before is closed; rejects after ten minutes. */
  begun(day: number): Promise<void>
  /** Releases no more once so many days are closed, or have any other end; rejects when one of them takes ten minutes. */
  until(closed: number): Promise<void>
  /** Ends it at once, when the campaign has failed. */
  stop(): void
}

export function releaseDays(
  { release, stopReleasing, configFile, chain }: Surroundings,
  log: (line: string) => void,
): Days {
  const contract = createDayContract({ ...chain, rpcUrls: [chain.rpcUrl] })
  let wanted = Number.POSITIVE_INFINITY
  let isStopped = false
  const run = async (): Promise<void> => {
    for (let closed = 0; closed < wanted; closed++) {
      await release((closed + 2) * DAYS.epochs)
      await untilClosed(closed + 1)
      log(`day ${closed + 1} is closed`)
    }
    await stopReleasing()
  }
  const until = async (words: string, isThere: () => Promise<boolean>): Promise<void> => {
    const deadline = Date.now() + DAY_MS_MAX
    while (!isStopped && !(await isThere().catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`after ${DAY_MS_MAX / 60_000} minutes ${words}`)
      await pause(LOOK_EVERY_MS)
    }
  }
  const untilClosed = (day: number): Promise<void> =>
    until(`day ${day} is not closed`, async () => {
      const found = (await daysOf('--config', configFile)).find((one) => one.day === day)
      return found !== undefined && found.standing !== 'COUNTING' && found.standing !== 'CLOSING'
    })
  const running = run()
  running.catch(() => {}) // told by `until`
  return {
    begun: (day) =>
      until(`day ${day} has not begun`, async () => (await contract.dayCounter(chain.markets[0]!)) >= day),
    async until(closed) {
      wanted = closed
      await running
    },
    stop() {
      wanted = 0
      isStopped = true
      contract.close()
    },
  }
}
