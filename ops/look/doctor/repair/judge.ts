/** The end that a transaction which nobody ends is to get, if the log tells which one: any other tears a burst apart. */
import type { EndSearch, FoundEnd } from '../../../../connectors/log/kafka/hanging-transactions.ts'
import type { OpenTransaction } from '../../../../connectors/log/kafka/open-transactions.ts'

/** Brokers let no client have a longer time-out, if `transaction.max.timeout.ms` was not raised. */
export const TIMEOUT_MS_MAX = 900_000
/** A coordinator's word that a transaction is over, and its last end on the way to a partition, may cross. */
export const SETTLED_MS = 60_000
/** Brokers forget producers after a day (`producer.id.expiration.ms`), and then where else one of them has written. */
export const REMEMBERED_MS = 23 * 3_600_000
/** Partitions that are named in a reason. */
const NAMED_MAX = 3

export interface JudgedTransaction {
  /** Undefined where it is to be left alone. */
  readonly end: 'COMMIT' | 'ABORT' | undefined
  readonly why: string
}

/** @returns why it is to be left alone as far as its own partition and its coordinator tell; undefined when it hangs */
export function whyLeft(open: OpenTransaction, now: number): string | undefined {
  const ageMs = now - open.lastTimestamp
  if (open.isCoordinated === undefined)
    return 'a broker does not answer, and the coordinator may be there: start it, then look again'
  if (open.isCoordinated)
    return `its coordinator has it (${open.state}) and ends it, ${open.timeoutMs! / 1_000} s after its beginning at the latest`
  if (ageMs < 0) return 'its records are dated in the future, so nobody can tell how old it is'
  const least = open.transactionalId === undefined ? TIMEOUT_MS_MAX : SETTLED_MS
  if (ageMs < least)
    return `its last record is ${seconds(ageMs)} old; a coordinator may end it within ${seconds(least)}`
  if (ageMs > REMEMBERED_MS) return 'it is older than a day: brokers have forgotten where else its producer wrote'
  return undefined
}

/**
 * Since transactions version 2 each transaction has an epoch of its own, and its ends have the next one: so an end elsewhere is its
 * own. Before that, and for clients that are not ours, ends elsewhere may belong to other transactions.
 */
export function judge(
  { ends, unsearched }: EndSearch,
  { hasOwnEpoch }: { readonly hasOwnEpoch: boolean },
): JudgedTransaction {
  const own = hasOwnEpoch ? ends.filter(({ isNextEpoch }) => isNextEpoch) : ends
  const [first] = own
  if (first === undefined) {
    if (unsearched.length > 0) return left(`these may have an end of it: ${named(unsearched)}`)
    return { end: 'ABORT', why: 'no other partition has an end of it: nothing of it counts anywhere' }
  }
  if (!hasOwnEpoch)
    return left(
      `its producer has ended transactions in ${named(own.map(placeOf))}, and nothing tells which of them was this one`,
    )
  if (own.some(({ end }) => end !== first.end))
    return left(`its ends contradict each other: ${named(own.map(placeOf))}`)
  return { end: first.end, why: `the same transaction has ended so in ${named(own.map(placeOf))}` }
}

const left = (why: string): JudgedTransaction => ({ end: undefined, why })

const placeOf = ({ topic, partition, offset, end }: FoundEnd): string =>
  `${topic}/${partition} offset ${offset} (${end})`

const named = (places: readonly string[]): string =>
  places.length <= NAMED_MAX
    ? places.join(', ')
    : `${places.slice(0, NAMED_MAX).join(', ')} and ${places.length - NAMED_MAX} more`

const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`
