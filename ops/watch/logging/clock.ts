/** Lines of the log about the clock. */
import type { ClockObserver } from '../../../connectors/evm/clock/clock-options.ts'
import type { TickRequestObserver } from '../../../connectors/evm/clock/tick-requests.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import type { Clock } from '../../../streams/ports.ts'
import { say } from './events.ts'
import type { EventLog } from './log.ts'

/** Between two lines of one event. */
const LINE_EVERY_MS = 10_000
/** Longest reason that is said: every client with rights to the topic may write one. */
const REASON_MAX = 500

/** Adds facts that no tick tells: the clock begins anew or without records, a market was switched off or on, a release opens no epoch, the contract does not say something. */
export const logMarkets = (observer: ClockObserver, log: EventLog): ClockObserver => ({
  ...observer,
  began(block) {
    observer.began?.(block)
    say(log, 'clock-begins', { block })
  },
  marketSwitched(market, isOn) {
    observer.marketSwitched?.(market, isOn)
    say(log, isOn ? 'market-on' : 'market-off', { market })
  },
  epochRefused(refused) {
    observer.epochRefused?.(refused)
    const { dataMarket: market, epochId: epoch, block, why: reason } = refused
    say(log, 'epoch-refused', { market, epoch, block, reason })
  },
  recordsGone(gone) {
    observer.recordsGone?.(gone)
    say(log, 'records-gone', { ...gone })
  },
  notSaid(what, reason) {
    observer.notSaid?.(what, reason)
    say(log, 'not-said', { what, reason })
  },
})

/** Says in the log what tick-fanout asked for again, and what it only told. */
export function loggedTickRequests<O extends TickRequestObserver>(
  observer: O,
  log: EventLog,
  clock: Pick<Clock, 'now'> = systemClock,
): O {
  const lines = new Map<string, { at: number; more: number }>()
  /** Number of lines left out since the last one; undefined when this one is left out, too. */
  const take = (event: string): number | undefined => {
    const line = lines.get(event) ?? { at: Number.NEGATIVE_INFINITY, more: 0 }
    lines.set(event, line)
    if (clock.now() - line.at < LINE_EVERY_MS) {
      line.more++
      return undefined
    }
    const { more } = line
    Object.assign(line, { at: clock.now(), more: 0 })
    return more
  }
  return {
    ...observer,
    ticksAsked(request, leftOut) {
      observer.ticksAsked?.(request, leftOut)
      const { fromBlock: from, toBlock: to } = request
      const event = to < from ? 'tick-refused' : 'ticks-asked'
      const more = take(event)
      if (more === undefined) return
      const reason = request.reason.slice(0, REASON_MAX)
      say(log, event, event === 'tick-refused' ? { reason, more } : { from, to, reason, leftOut, more })
    },
  }
}
