/** Days as they are closed on the chain: told as it happens, and waited for when `dev --epochs N` has its epochs. */
import type { Day, DayKey, Payout } from '../../../schemas/types.ts'
import type { Topics } from '../../../topology/topics.ts'
import type { Closeable } from '../../base/lifecycle.ts'
import { pendingOf, type RunPart, type RunStatus, runStatus } from '../../reading/day.ts'
import { paidOf } from '../../reading/day-paid.ts'
import { type FollowPorts, followTopic } from '../../reading/follow-topic.ts'
import type { Screen } from './screen.ts'

/** For a closing when the epochs of its day are anchored: the next day has to begin, then some blocks. */
const WAIT_MS = 120_000

export interface DayWatch extends Closeable {
  /**
   * Resolves when every day that ends up to the given epoch of its market is closed on the chain, or cannot be; at the latest
   * after two minutes, and with the signal.
   */
  closed(newest: ReadonlyMap<string, number>, signal: AbortSignal): Promise<void>
}

export interface DayWatchOptions {
  readonly topics: Pick<Topics, 'days' | 'payments' | 'payouts'>
  readonly dayEpochs: number
  readonly screen: Pick<Screen, 'say'>
}

/** The calls that close a day, each with its outcome, by number. */
type Closing = ReadonlyMap<number, RunPart>

export function watchDays({ topics, dayEpochs, screen }: DayWatchOptions, ports: FollowPorts): DayWatch {
  const days = new Map<string, DayKey & { readonly row: Day }>()
  const closings = new Map<string, Closing>()
  const telling = createTelling(screen)
  let [isNow, isListNow] = [false, false]
  let changed = (): void => {}

  const isClosed = (newest: ReadonlyMap<string, number>): boolean =>
    [...newest].every(([dataMarket, epochId]) => isClosedTo(epochId, { dataMarket, days, closings, dayEpochs }))

  const followed = [
    followTopic(ports, topics.days, {
      apply(key, row) {
        if (row) days.set(nameOf(key), { ...key, row })
        else days.delete(nameOf(key))
        changed()
      },
      clear: () => days.clear(),
    }),
    followTopic(ports, topics.payments, {
      apply(key, payment) {
        const name = nameOf(key)
        if (payment === null) closings.delete(name)
        if (payment === null) telling.forget(name)
        if (payment?.purpose !== 'CLOSING') return
        const { epochId, number } = key
        const before: Closing = closings.get(name) ?? new Map()
        const after = new Map(before).set(number, { epochId, number, payout: undefined, payment })
        closings.set(name, after)
        const run = statusOf(after)
        if (isNow && isDone(run) && !isDone(statusOf(before))) telling.begin(name, key, [...after.values()])
        changed()
      },
      caughtUp() {
        isNow = true
      },
      clear: () => closings.clear(),
    }),
    followTopic(ports, topics.payouts, {
      apply({ dataMarket }, payout) {
        if (!isListNow || payout?.purpose !== 'CLOSING') return
        telling.list(nameOf({ dataMarket, day: payout.payoutOf }), payout)
      },
      caughtUp() {
        isListNow = true
      },
      clear: () => telling.clear(),
    }),
  ]

  return {
    async closed(newest, signal) {
      const late = new AbortController()
      const until = AbortSignal.any([signal, late.signal])
      void ports.clock.sleep(WAIT_MS, signal).then(() => late.abort())
      while (!until.aborted && !isClosed(newest))
        await new Promise<void>((resolve) => {
          changed = resolve
          until.addEventListener('abort', () => resolve(), { once: true })
        })
      if (late.signal.aborted) screen.say('a day that has ended is not closed on the chain yet')
    },
    async close() {
      await Promise.all(followed.map((one) => one.close()))
    },
  }
}

/** Says what has become of a closing, once the lists of all its calls are known as well. */
function createTelling(screen: Pick<Screen, 'say'>) {
  /** Lists of closings that are on their way, by day and call: who of a call is paid is told by its counts. */
  const lists = new Map<string, Map<number, Payout>>()
  const due = new Map<string, { readonly key: DayKey; readonly parts: readonly RunPart[] }>()

  const tellIfKnown = (name: string): void => {
    const [closed, ofDay] = [due.get(name), lists.get(name)]
    const run = runStatus(closed?.parts ?? [])
    if (!closed || !run) return
    const { key, parts } = closed
    const listed = parts.map((part) => ({ ...part, payout: ofDay?.get(part.number) }))
    if (ofDay && listed.some(({ payout }) => !payout)) return // the others come in the same transaction
    due.delete(name)
    lists.delete(name)
    screen.say(`day ${key.day} of ${key.dataMarket}: ${toldOf(run, paidOf(listed))}`)
  }

  return {
    begin(name: string, key: DayKey, parts: readonly RunPart[]): void {
      due.set(name, { key, parts })
      tellIfKnown(name)
    },
    list(name: string, payout: Payout): void {
      lists.set(name, new Map(lists.get(name)).set(payout.number, payout))
      tellIfKnown(name)
    },
    forget(name: string): void {
      lists.delete(name)
      due.delete(name)
    },
    clear: () => lists.clear(),
  }
}

interface Known {
  readonly dataMarket: string
  readonly days: ReadonlyMap<string, DayKey & { readonly row: Day }>
  readonly closings: ReadonlyMap<string, Closing>
  readonly dayEpochs: number
}

/** The epoch is counted, and each day that has ended by then is closed on the chain, or pays nobody. */
function isClosedTo(epochId: number, { dataMarket, days, closings, dayEpochs }: Known): boolean {
  const ofMarket = [...days].filter(([, day]) => day.dataMarket === dataMarket)
  const isCounted = ofMarket.some(([, { row }]) => lastOf(row) >= epochId)
  const ending = ofMarket.filter(([, { row }]) => lastOf(row) <= epochId && lastOf(row) % dayEpochs === 0)
  return (
    isCounted &&
    ending.every(([name, { row }]) => row.ended && (!hasPayouts(row) || isDone(statusOf(closings.get(name)))))
  )
}

const nameOf = ({ dataMarket, day }: DayKey): string => `${dataMarket}/${day}`

const lastOf = ({ epochs }: Day): number => epochs.at(-1)?.last ?? 0

const hasPayouts = ({ whole, counted }: Day): boolean => whole && counted > 0

const statusOf = (closing: Closing | undefined): RunStatus | null => runStatus([...(closing?.values() ?? [])])

const isDone = (run: RunStatus | null): run is RunStatus => run !== null && pendingOf(run) === 0

function toldOf({ states, slots, leftOut, error }: RunStatus, paid: number | null): string {
  if (states.UNPAID !== undefined) return `not closed on the chain: ${error}`
  const drift = Object.values(leftOut).reduce((sum, count) => sum + count, 0)
  return `closed on the chain, ${paid ?? 'some'} of ${slots} slots paid${drift > 0 ? `, ${drift} with another count or unpaid` : ''}`
}
