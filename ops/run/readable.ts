/** The log as the roles of a process read it where a schema may be registered while they run: see readable-log.ts. */

import { readableLog } from '../../connectors/schema-registry/readable-log.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import type { Codec } from '../../schemas/codec.ts'
import type { Log, TopicPartition } from '../../streams/ports.ts'
import type { Stores } from '../../topology/stores.ts'
import type { Topics } from '../../topology/topics.ts'
import type { Health } from '../base/health.ts'
import { envelopedTopics, foreignTopics } from '../ground/enveloped-topics.ts'
import type { Metrics } from '../watch/metrics/create.ts'

export interface ReadableOptions {
  readonly log: Log
  /** None where nobody else registers schemas: then the log is read as it is. */
  readonly codec?: Codec
  readonly topics: Topics
  readonly stores: Stores
  /** Prefix of the changelogs. */
  readonly appId: string
  readonly metrics: Metrics
  readonly health: Health
  /** See `registry.unknownSchemaWaitMs`. */
  readonly foreignWaitMs?: number
  /** Nobody reads any more. */
  readonly signal: AbortSignal
}

/** While a partition waits for a schema the process is not ready, and says which one and why. */
export function readableForRoles({
  log,
  codec,
  metrics,
  health,
  signal,
  foreignWaitMs = 0,
  ...records
}: ReadableOptions): Log {
  if (codec === undefined) return log
  const parked = new Map<string, string>()
  const tell = (at: TopicPartition, why: string | undefined): void => {
    const name = `${at.topic}/${at.partition}`
    if (why === undefined) parked.delete(name)
    else parked.set(name, why)
    metrics.partitionParked.set({ topic: at.topic, partition: String(at.partition) }, why === undefined ? 0 : 1)
    const waiting = [...parked].map(([partition, reason]) => `${partition} waits: ${reason}`)
    health.set('schemas', parked.size === 0, waiting.join('; '))
  }
  return readableLog({
    log,
    codec,
    clock: systemClock,
    enveloped: envelopedTopics(records),
    foreign: foreignTopics(records.topics),
    foreignWaitMs,
    signal,
    observer: { parked: (at, cause) => tell(at, cause.message), resumed: (at) => tell(at, undefined) },
  })
}
