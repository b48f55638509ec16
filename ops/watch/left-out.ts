/**
 * Reports the records that the readers of a process leave out of the topics, in the same way for every reader: a metric, and a
 * line in the log. A stage puts such records aside as dead letters besides (streams/dead-letter.ts).
 */
import type { Clock } from '../../streams/ports.ts'
import type { OnUnreadable } from '../../streams/read-record.ts'
import type { LeavingReader } from './leaving-readers.ts'
import { say } from './logging/events.ts'
import type { EventLog } from './logging/log.ts'
import type { Metrics } from './metrics/create.ts'

/** Between two lines of one reader, topic and reason: all records are in the metric. */
const LINE_EVERY_MS = 10_000

export interface LeftOut {
  /** For one reader. A record that it reads again is not told again. */
  by(reader: LeavingReader): OnUnreadable
}

/** @param metrics those of the process */
export function createLeftOut(
  { unreadable }: Pick<Metrics, 'unreadable'>,
  log: EventLog,
  clock: Pick<Clock, 'now'>,
): LeftOut {
  /** Behind the newest record told, by reader and partition: as many as there are. */
  const told = new Map<string, number>()
  /** By reader, topic and reason. */
  const lines = new Map<string, { at: number; more: number }>()
  return {
    by:
      (reader) =>
      ({ topic, partition, offset, reason }) => {
        const place = `${reader} ${topic}/${partition}`
        if (offset < (told.get(place) ?? 0)) return
        told.set(place, offset + 1)
        unreadable.inc({ reader, topic, reason })
        const kind = `${reader} ${topic} ${reason}`
        const line = lines.get(kind) ?? { at: Number.NEGATIVE_INFINITY, more: 0 }
        lines.set(kind, line)
        if (clock.now() - line.at < LINE_EVERY_MS) line.more++
        else {
          say(log, 'record-left-out', { reader, topic, partition, offset, reason, more: line.more })
          Object.assign(line, { at: clock.now(), more: 0 })
        }
      },
  }
}
