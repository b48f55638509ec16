import type { RecordTopic } from '../../streams/kafka-topic.ts'
import type { LogRecord } from '../../streams/ports.ts'
import { type OnUnreadable, type ReadRecord, readRecord } from '../../streams/read-record.ts'

/** For look-ups: the stages, and `audit`, tell of every record that is none of its topic. */
export const silently: OnUnreadable = () => {}

/** A record for a look-up; undefined for one that is none of its topic. */
export const lookedUp = <K, V>(
  topic: RecordTopic<K, V>,
  partition: number,
  record: LogRecord,
): ReadRecord<K, V> | undefined => readRecord(topic, partition, record, silently)
