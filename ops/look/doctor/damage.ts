/**
 * The damage in places that somebody has to read: at the positions of stages, in whole tables, in the topics that the clock goes
 * on from.
 */
import type { RecordTopic } from '../../../streams/kafka-topic.ts'
import type { FetchPosition, Log, TopicPartition } from '../../../streams/ports.ts'
import { type OnUnreadable, readRecords, type Unreadable } from '../../../streams/read-record.ts'
import type { Topics } from '../../../topology/topics.ts'
import { clockCursorGroup } from '../../base/roles.ts'
import { plural } from '../../base/words.ts'
import { DAMAGE_ADVICE, damageAt } from '../../ground/damage-at.ts'
import type { WatchedLog } from '../../ground/watched-log.ts'
import { exists } from '../../reading/market-rows.ts'
import { partitionsOf, scan } from '../../reading/scan.ts'
import type { Finding } from './finding.ts'

const check = 'tables'

/** The first batch at one of the positions that nobody can read past; undefined when there is none. */
export async function damageAmong(log: Log, positions: readonly FetchPosition[]): Promise<string | undefined> {
  for (const position of positions) {
    const found = await damageAt(log, position)
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Beside the inputs of the stages, and with what was read through the watched log before.
 * @throws LogError when the log does not answer
 */
export async function examineTables({ log, damage }: WatchedLog, topics: Topics, appId: string): Promise<Finding> {
  const { slots, markets, peerBans, epochTicks, tickRequests, marketRequests } = topics
  const left = new LeftOut()
  for (const topic of [slots, markets, peerBans] as readonly RecordTopic<unknown, unknown>[])
    if (await exists(log, topic.name)) for (const at of partitionsOf(topic)) await readFrom(log, topic, at, left.tell)
  for (const topic of [epochTicks, tickRequests, marketRequests] as readonly RecordTopic<unknown, unknown>[]) {
    if (!(await exists(log, topic.name))) continue
    const [at] = partitionsOf(topic)
    const [committed] = await log.committedOffsets(clockCursorGroup(appId), [at!])
    await readFrom(log, topic, { ...at!, offset: committed?.next ?? 0 }, left.tell)
  }
  const found = damage()
  if (found !== undefined) return { check, ok: false, detail: found, advice: DAMAGE_ADVICE }
  const whole = 'nothing is damaged of what the clock and the tables are read from'
  return left.first
    ? { check, ok: true, detail: `${whole}; ${left.inWords}`, advice: FOREIGN }
    : { check, ok: true, detail: whole }
}

const FOREIGN = 'Readers leave them out. Finding `rights` says who else may write there.'

/** Records that are none of their topics. */
class LeftOut {
  first: Unreadable | undefined
  private count = 0
  readonly tell = (left: Unreadable): void => {
    this.first ??= left
    this.count++
  }

  get inWords(): string {
    const { topic, partition, offset, why } = this.first!
    return `${plural(this.count, 'record')} there are of somebody else, the first at ${topic}/${partition} offset ${offset}: ${why}`
  }
}

async function readFrom(
  log: Log,
  topic: RecordTopic<unknown, unknown>,
  { offset: from = 0, ...at }: TopicPartition & { readonly offset?: number },
  tell: OnUnreadable,
): Promise<void> {
  for await (const records of scan(log, at, { from }))
    for (const read of readRecords(topic, at.partition, records, tell)) void read
}
