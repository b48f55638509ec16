/** Records that are none of their topic, or that who may write it has not sealed, in the topics that nothing is recomputed from. */
import type { RecordTopic } from '../../../streams/kafka-topic.ts'
import type { Log } from '../../../streams/ports.ts'
import { readRecords } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { exists } from '../../reading/market-rows.ts'
import { scanTopic } from '../../reading/scan.ts'
import { originOf, type SealRules } from './record-origin.ts'
import type { Findings } from './report.ts'

/** The others are read whole by the parts of the audit that need them, and told of there. */
export const NAMED_ALONE = [
  'epochTicks',
  'tickRequests',
  'marketRequests',
  'peerBans',
  'intakeReports',
  'processes',
  'validated',
  'admitted',
  'anchorIntents',
] as const satisfies readonly (keyof Topics)[]

/** Each record is sealed here, and in the topics that other parts read. */
const SEALED: readonly (keyof Topics)[] = ['epochTicks', 'anchorIntents']

/** Names each of them, and goes on. A log that is older than a topic does not have it. */
export async function nameForeign(log: Log, topics: Topics, rules: SealRules, { unreadable }: Findings): Promise<void> {
  for (const name of NAMED_ALONE) {
    const topic = topics[name] as RecordTopic<unknown, unknown>
    if (!(await exists(log, topic.name))) continue
    const guard = SEALED.includes(name) ? originOf(topic, rules) : undefined
    for await (const { partition, records } of scanTopic(log, topic, unreadable))
      for (const _ of readRecords(topic, partition, records, unreadable, { guard }));
  }
}
