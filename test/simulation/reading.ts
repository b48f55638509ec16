import type { Log, LogRecord, TopicPartition } from '../../streams/ports.ts'
import type { SubmissionEvent, Topics } from '../../topology/topics.ts'

/** Of the adversary's records, with the name of the attack; nobody but the simulation looks at it. */
export const HOSTILE_HEADER = 'adversary'
export const attackOf = ({ headers }: Pick<LogRecord, 'headers'>): string | undefined => {
  const header = headers.find(({ key }) => key === HOSTILE_HEADER)
  return header && Buffer.from(header.value).toString()
}

interface ReadableTopic<K, V> {
  readonly name: string
  readonly partitions: number
  readonly key: { decode(bytes: Uint8Array): K }
  readonly value: { decode(bytes: Uint8Array): V }
}

/** Without those of the adversary. */
export async function readAll<K, V>(log: Log, topic: ReadableTopic<K, V>) {
  const rows: { readonly partition: number; readonly offset: number; readonly key: K; readonly value: V }[] = []
  for (let partition = 0; partition < topic.partitions; partition++) {
    for (const { offset, key, value, headers } of await readPartition(log, { topic: topic.name, partition }))
      if (key && value && attackOf({ headers }) === undefined)
        rows.push({ partition, offset, key: topic.key.decode(key), value: topic.value.decode(value) })
  }
  return rows
}

/** What has come into a topic since it was asked last, without the records of the adversary. */
export function newsOf(log: Log, { name, partitions }: { readonly name: string; readonly partitions: number }) {
  const next = new Array<number>(partitions).fill(0)
  return async (): Promise<LogRecord[]> => {
    const news: LogRecord[] = []
    for (let partition = 0; partition < partitions; partition++) {
      const records = await readPartition(log, { topic: name, partition }, next[partition])
      if (records.length > 0) next[partition] = records.at(-1)!.offset + 1
      news.push(...records.filter((record) => attackOf(record) === undefined))
    }
    return news
  }
}

export async function readPartition(log: Log, at: TopicPartition, from = 0): Promise<LogRecord[]> {
  const [bounds] = await log.bounds([at])
  const records: LogRecord[] = []
  for (let offset = Math.max(bounds!.start, from); offset < bounds!.stable; ) {
    const [fetched] = await log.fetch([{ ...at, offset }], { maxWaitMs: 0, maxBytesPerPartition: 1e7 })
    records.push(...fetched!.records.filter((record) => record.offset >= offset))
    offset = Math.max(offset, fetched!.next)
  }
  return records
}

/** What the honest wrote: submissions, and the markers of tick-fanout. */
export async function readSubmissions(log: Log, { submissions }: Topics) {
  const rows: { readonly partition: number; readonly offset: number; readonly value: SubmissionEvent }[] = []
  for (let partition = 0; partition < submissions.partitions; partition++)
    for (const record of await readPartition(log, { topic: submissions.name, partition }))
      if (attackOf(record) === undefined)
        rows.push({ partition, offset: record.offset, value: submissions.value.decode(record.value!) })
  return rows
}

export function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const one of all) {
    const group = groups.get(keyOf(one))
    if (group) group.push(one)
    else groups.set(keyOf(one), [one])
  }
  return groups
}
