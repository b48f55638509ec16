/**
 * Follows a topic of one partition for somebody who only looks on: from some way before its end, for ever, whatever goes
 * wrong. A record that is none of the topic is left out. When the topic was made anew, the new one is followed, from its start.
 */
import type { RecordTopic } from '../../streams/kafka-topic.ts'
import type { Clock, Log } from '../../streams/ports.ts'
import { type OnUnreadable, positionBehind, readRecords } from '../../streams/read-record.ts'
import type { Closeable } from '../base/lifecycle.ts'
import { onlooking } from '../base/onlooking.ts'
import { createSight } from './sight.ts'

const FETCH_BYTES = 1024 * 1024
const FETCH_WAIT_MS = 500

export interface FollowPorts {
  readonly log: Log
  readonly clock: Clock
  readonly tell: OnUnreadable
  /** Told why a topic is not followed when that has lasted for some seconds, and with undefined when it is again. */
  readonly waiting?: (topic: string, reason: string | undefined) => void
  /** Told that the topic was made anew, or has lost its end: what was known of it is forgotten, and what it has now is followed. */
  readonly anew?: (topic: string) => void
}

export interface Followed<K, V> {
  /** Records before the end at which the following begins; all by default. */
  readonly recalled?: number
  /** In order. A null value is a tombstone. */
  readonly apply: (key: K, value: V | null) => void
  /** The records that were there at the beginning are applied; called again after each further piece. */
  readonly caughtUp?: () => void
  /** Forgets all that was applied: what the topic has now comes next. */
  readonly clear: () => void
}

export function followTopic<K, V>(
  { clock, tell, waiting, anew, ...ports }: FollowPorts,
  topic: RecordTopic<K, V>,
  { recalled = Number.POSITIVE_INFINITY, apply, caughtUp, clear }: Followed<K, V>,
): Closeable {
  const stop = new AbortController()
  const { signal } = stop
  const at = { topic: topic.name, partition: 0 }
  const sight = createSight(ports.log)
  let offset: number | undefined
  /** Where the topic ended at the beginning. */
  let end: number | undefined
  const forget = (): void => {
    offset = undefined
    end = undefined
    clear()
    anew?.(topic.name)
  }

  const advance = async (log: Log): Promise<void> => {
    const [bounds] = await log.bounds([at])
    if (offset !== undefined && offset > bounds!.stable) forget()
    end ??= bounds!.stable
    offset ??= Math.max(bounds!.start, bounds!.stable - recalled)
    const options = { maxWaitMs: FETCH_WAIT_MS, maxBytesPerPartition: FETCH_BYTES, signal }
    const [answer] = await log.fetch([{ ...at, offset }], options)
    for (const read of readRecords(topic, 0, answer!.records, tell))
      if (read.offset >= offset) apply(read.key, read.value)
    const behind = positionBehind(answer!, tell)
    offset = answer!.outOfRange ? behind : Math.max(offset, behind)
    if (!answer!.failure && offset >= end) caughtUp?.()
  }
  const following = (async () => {
    const look = () => sight.look(advance, forget)
    while (!signal.aborted) await onlooking({ clock, signal }, look, (reason) => waiting?.(topic.name, reason))
    await sight.close()
  })()
  return {
    async close() {
      stop.abort()
      await following
    },
  }
}
