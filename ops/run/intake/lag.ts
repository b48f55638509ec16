/** How many records `validate` is behind, asked of the log: it is the same on a cluster and in one process. */

import { systemClock } from '../../../connectors/system-clock.ts'
import type { Log } from '../../../streams/ports.ts'
import { within } from '../../../streams/within.ts'
import type { Topics } from '../../../topology/topics.ts'
import { partitionsOf } from '../../reading/scan.ts'

/** A log that has not answered by then says nothing. */
const ANSWER_MS_MAX = 5_000

/**
 * Counts what `validate` can read: records of a transaction that is still open are none that it could have taken, so they hold
 * back no intake. The lags of `stage-lags.ts`, for people, count them too.
 * Undefined when the log does not say, or `validate` has never committed anything: then nobody knows. Never rejects.
 */
export function validateLag(log: Log, { submissions }: Topics, appId: string): () => Promise<number | undefined> {
  const partitions = partitionsOf(submissions)
  const ask = async (): Promise<number | undefined> => {
    const group = `${appId}-validate`
    const [bounds, offsets] = await Promise.all([log.bounds(partitions), log.committedOffsets(group, partitions)])
    if (offsets.every((offset) => offset === undefined)) return undefined
    return bounds.reduce(
      (sum, { start, stable }, at) => sum + Math.max(0, stable - Math.max(start, offsets[at]?.next ?? 0)),
      0,
    )
  }
  const unknown = (): undefined => undefined
  return () => within(ask().catch(unknown), { clock: systemClock, ms: ANSWER_MS_MAX }, unknown)
}
