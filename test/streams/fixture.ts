/** Topics, serdes and small topologies that the engine's tests share. Nothing of Powerloom. */
import type { KafkaTopic, MarkerProtocol } from '../../streams/kafka-topic.ts'
import type { Serde } from '../../streams/serde.ts'

export const text: Serde<string> = {
  encode: (value) => Buffer.from(value),
  decode: (bytes) => Buffer.from(bytes).toString(),
}

export function json<T>(): Serde<T> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as T,
  }
}

/** A number, or the end of a round: a marker. */
export type Item = number | End
export interface End {
  readonly round: string
  readonly from: number
  readonly of: number
  readonly count: number
  readonly checksum: number
}

export const isEnd = (item: Item): item is End => typeof item === 'object'
export const end = (round: string): End => ({ round, from: 0, of: 1, count: 0, checksum: 0 })

/** Keys are `round/name`; a round whose name begins with `-` closes no scope. */
export const rounds: MarkerProtocol<string, number, End> = {
  isMarker: isEnd,
  idOf: ({ round }) => round,
  scopeOf: ({ round }) => (round.startsWith('-') ? undefined : round),
  scopeOfData: (key) => key.split('/')[0]!,
  keyOf: ({ round }) => `${round}/`,
  stampOf: (marker) => marker,
  withStamp: (marker, stamp) => ({ ...marker, ...stamp }),
}

export function topicOf<V>(name: string, value: Serde<V>, partitions = 1): KafkaTopic<string, V> {
  return { name, key: text, value, partitions, cleanup: 'delete' }
}

export const plainTopic = (name: string, partitions = 1): KafkaTopic<string, string> => topicOf(name, text, partitions)

export function itemTopic(name: string, partitions = 1): KafkaTopic<string, number, End> {
  return { name, key: text, value: json<Item>(), partitions, cleanup: 'delete', markers: rounds }
}
