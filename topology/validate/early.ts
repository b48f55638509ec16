/**
 * How early a submission may come, by the log's time: when the intake received it, and when the newest block before it in the
 * log was made. All releases up to that block are in the log, so what it cannot know of is what was released since. The place of
 * the clock decides nothing: however late its ticks are, an owner has room for the epochs of that time.
 */
import { knownTime } from '../../schemas/none.ts'
import type { EpochTick, StoredHead } from '../../schemas/types.ts'
import { TIMESTAMP_MAX_MS } from '../../streams/read-record.ts'
import type { MarketRules } from '../rules.ts'

/** As long as the log keeps submissions: an intake's clock that is further ahead is wrong. */
const BEHIND_MS_MAX = 7 * 24 * 60 * 60 * 1000

type Early = Pick<MarketRules, 'epochsAhead' | 'epochSecondsMin' | 'epochsWaitingMax' | 'clockSkewSeconds'>

/**
 * When a submission came, in ms: what the intake stamped, but not before the newest block that was in the log already (that
 * intake's clock is behind) and not longer after it than the log keeps anything. The time of that block may not be known: an
 * earlier release did not keep it, and a reorganisation may take all blocks that are kept.
 */
export function arrivalOf(receivedAt: number, head: StoredHead | undefined): number {
  const seconds = head && knownTime(head.timestamp)
  if (seconds === undefined) return receivedAt
  // A log may hold a block with any number for its time: it must remain one of records.
  const blockMs = Math.min(seconds * 1000, TIMESTAMP_MAX_MS)
  return Math.min(Math.max(receivedAt, blockMs), blockMs + BEHIND_MS_MAX)
}

/**
 * Number of epochs that an owner may wait for: as many as can have been released since the newest block, and the epochs ahead.
 * When nobody knows when that block was made, as many as the market lets wait.
 */
export function epochsAwaited(arrivedAt: number, head: StoredHead | undefined, market: Early): number {
  const seconds = head && knownTime(head.timestamp)
  if (head && seconds === undefined) return market.epochsWaitingMax
  const behindMs = seconds === undefined ? 0 : Math.max(0, arrivedAt - seconds * 1000)
  const released = Math.floor((behindMs / 1000 + market.clockSkewSeconds) / market.epochSecondsMin)
  return Math.min(market.epochsWaitingMax, market.epochsAhead + 1 + released)
}

/** Another epoch was released when this one waited already, and there are more than `epochsAhead` between them. */
export const cameTooEarly = (epochId: number, arrivedAt: number, opened: EpochTick, market: Early): boolean =>
  epochId > opened.epochId + market.epochsAhead &&
  opened.blockTimestamp * 1000 > arrivedAt + market.clockSkewSeconds * 1000
