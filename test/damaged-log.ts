import { type Log, LogError } from '../streams/ports.ts'

/** The log with a damaged batch of one record at an offset of a topic, as a cluster shows it. */
export function withDamage(log: Log, topic: string, offset: number, partition = 0): Log {
  const failure = new LogError('CORRUPT', `${topic}/${partition}, offset ${offset}: the batch is damaged`, {
    retriable: true,
  })
  const fetch: Log['fetch'] = async (positions, options) => {
    const fetched = await log.fetch(positions, options)
    return fetched.map((one, at) => {
      const from = positions[at]!.offset
      if (one.topic !== topic || one.partition !== partition || from > offset || one.next <= offset) return one
      const records = one.records.filter((record) => record.offset < offset)
      const answer = { ...one, records, next: offset }
      return from < offset ? answer : { ...answer, failure, damaged: { next: offset + 1 } }
    })
  }
  return Object.assign(Object.create(log) as Log, { fetch })
}
