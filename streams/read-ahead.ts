import type { RecordTopic } from './kafka-topic.ts'
import type { LogRecord } from './ports.ts'
import type { PreparedBatch, Preparer } from './preparation.ts'
import { checkRecord } from './read-record.ts'
import type { Stage } from './topology.ts'

/** Records of one topic that were decoded before they come to their task; element i belongs to record i. */
export class ReadAhead {
  readonly keys: unknown[] = []
  /** Undefined where the record is none of its topic. */
  readonly values: unknown[] = []
  /** See `Processor.process`; empty until it is prepared. */
  prepared: readonly unknown[] = []
  /** Index → why the record is none of its topic. */
  private readonly faults = new Map<number, unknown>()

  constructor(topic: RecordTopic<unknown, unknown>, records: readonly LogRecord[]) {
    for (let at = 0; at < records.length; at++) this.read(topic, records[at]!, at)
  }

  /** @throws what decoding the record threw */
  check(at: number): void {
    if (this.faults.size > 0 && this.faults.has(at)) throw this.faults.get(at)
  }

  private read(topic: RecordTopic<unknown, unknown>, record: LogRecord, at: number): void {
    let key: unknown
    let value: unknown
    try {
      checkRecord(topic, record)
      value = topic.value.decode(record.value!)
      key = topic.key.decode(record.key!)
    } catch (error) {
      value = undefined
      this.faults.set(at, error)
    }
    this.keys.push(key)
    this.values.push(value)
  }
}

/**
 * Reads a batch where this process does what the stage wants prepared of the topic; undefined where it does not.
 * @returns the records, and what is being prepared of them
 */
export function readAhead(
  { sources, preparations }: Stage,
  topicName: string,
  batch: PreparedBatch,
  preparers: readonly Preparer[],
): readonly [ReadAhead, Promise<readonly unknown[]>] | undefined {
  const wanted = preparations.get(topicName)
  const preparer = preparers.find(({ name }) => name === wanted)
  if (preparer === undefined) return undefined
  const ahead = new ReadAhead(sources.find(({ name }) => name === topicName)!, batch.records)
  return [ahead, preparer.prepare(ahead.values, batch)]
}
