import { isNone } from '../../schemas/none.ts'
import type { Anchor, Batch, EpochKey } from '../../schemas/types.ts'
import type { Log, LogRecord } from '../../streams/ports.ts'
import type { Topics } from '../../topology/topics.ts'
import { batchAt } from './batch-at.ts'
import { anchorsOf } from './keys.ts'
import { lookedUp } from './read.ts'
import { scan } from './scan.ts'

export interface EpochAnchors {
  /** The newest row of each batch of the epoch, by batch index. */
  readonly rows: ReadonlyMap<number, Anchor>
  /** Offset in `batches` that the stage anchor has come to at least: what it has no row of lies behind it. */
  readonly takenTo: number
}

export async function readAnchors(log: Log, topics: Topics, key: EpochKey): Promise<EpochAnchors> {
  const { anchors } = topics
  const matches = anchorsOf(topics, key)
  const rows = new Map<number, Anchor>()
  let newest: readonly LogRecord[] = []
  for await (const records of scan(log, { topic: anchors.name, partition: 0 })) {
    newest = records
    for (const record of records) {
      if (!matches(record.key)) continue
      const read = lookedUp(anchors, 0, record)
      if (read?.value) rows.set(read.key.batchIndex, read.value)
      else if (read) rows.delete(read.key.batchIndex)
    }
  }
  const taken = newest.map((record) => lookedUp(anchors, 0, record)?.value?.batchOffset ?? -1)
  for (const { batchOffset } of rows.values()) taken.push(batchOffset)
  return { rows, takenTo: taken.reduce((max, offset) => Math.max(max, offset + 1), 0) }
}

/** The newest row of each batch of an epoch, by batch index. */
export const anchorsOfEpoch = async (log: Log, topics: Topics, key: EpochKey): Promise<ReadonlyMap<number, Anchor>> =>
  (await readAnchors(log, topics, key)).rows

/** The batch that an anchor row names, in one piece; undefined when it is no longer in the log. */
export async function batchOf(log: Log, topics: Topics, { batchOffset }: Anchor): Promise<Batch | undefined> {
  return isNone(batchOffset) ? undefined : batchAt(log, topics, batchOffset)
}

/** The ids of a batch's submissions, in the order of its leaves. */
export const submissionIdsIn = ({ json, texts }: Pick<Batch, 'json' | 'texts'>): readonly string[] =>
  texts.length > 0
    ? texts.flatMap(({ submissionIds }) => JSON.parse(`[${submissionIds}]`) as string[])
    : (JSON.parse(Buffer.from(json).toString('utf8')) as { submissionIDs: string[] }).submissionIDs
