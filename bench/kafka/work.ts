/** The work that is measured on Kafka, as bench/java does it too: records are passed on, or also kept by their key. */
import { createStreamsBuilder } from '../../streams/create-builder.ts'
import type { KafkaTopic } from '../../streams/kafka-topic.ts'
import type { Log, OutgoingRecord } from '../../streams/ports.ts'
import type { Serde } from '../../streams/serde.ts'
import { keyValueStore } from '../../streams/store.ts'
import type { Topology } from '../../streams/topology.ts'

export const PARTITIONS = 4
export const VALUE_BYTES = 400
/** So many that a burst hardly has a key twice: every record in is one out and one in the changelog, here as in Java. */
export const KEYS = 1_000_000
export const COMMIT_INTERVAL_MS = 200

const APPEND_RECORDS = 2_000
const APPENDS_AT_ONCE = 8

export type WorkKind = 'pass-through' | 'stateful'
type Out = { out: readonly [string, Uint8Array] }

const raw: Serde<Uint8Array> = { encode: (value) => value, decode: (bytes) => bytes }
const text: Serde<string> = {
  encode: (value) => Buffer.from(value, 'latin1'),
  decode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'),
}
const topicOf = (name: string): KafkaTopic<string, Uint8Array> => ({
  name,
  key: text,
  value: raw,
  partitions: PARTITIONS,
  cleanup: 'delete',
})

export function workTopology(kind: WorkKind, input: string, output: string): Topology {
  const builder = createStreamsBuilder()
  const records = builder.stream(topicOf(input))
  if (kind === 'pass-through') {
    records
      .process<Out>('work', ['out'], ({ outputs: { out } }) => ({
        process: (key, value) => void out.send(key, value) as undefined,
      }))
      .out.to(topicOf(output))
    return builder.build()
  }
  const newest = keyValueStore<Uint8Array>('newest', raw)
  records
    .process<Out>(
      'work',
      ['out'],
      (context) => {
        const store = context.store(newest)
        const { out } = context.outputs
        return {
          process(key, value) {
            store.put(key, value)
            out.send(key, value)
            return undefined
          },
        }
      },
      newest,
    )
    .out.to(topicOf(output))
  return builder.build()
}

/** Fills the input topic, for us and for Java. */
export async function fillInput(log: Log, topic: string, records: number): Promise<void> {
  await log.createTopics([{ name: topic, partitions: PARTITIONS, cleanup: 'delete' }])
  const appender = await log.appender()
  const value = Buffer.alloc(VALUE_BYTES, 'x')
  const appends: Promise<unknown>[] = []
  for (let at = 0; at < records; at += APPEND_RECORDS) {
    const batch = Array.from({ length: APPEND_RECORDS }, (_, i): OutgoingRecord => {
      const number = at + i
      const key = Buffer.from(`key-${number % KEYS}`)
      return { topic, partition: number % PARTITIONS, timestamp: 1_700_000_000_000, key, value }
    })
    appends.push(appender.append(batch))
    if (appends.length >= APPENDS_AT_ONCE) await appends.shift()
  }
  await Promise.all(appends)
}
