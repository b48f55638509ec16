/**
 * The damage in places that somebody has to read: at the positions of stages, in whole tables, in the topics that the clock goes
 * on from.
 */
import type { FetchPosition, Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { clockCursorGroup } from '../../base/roles.ts'
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
  for (const topic of [slots, markets, peerBans])
    if (await exists(log, topic.name)) for (const at of partitionsOf(topic)) await readFrom(log, at)
  for (const topic of [epochTicks, tickRequests, marketRequests]) {
    if (!(await exists(log, topic.name))) continue
    const [at] = partitionsOf(topic)
    const [committed] = await log.committedOffsets(clockCursorGroup(appId), [at!])
    await readFrom(log, at!, committed?.next ?? 0)
  }
  const found = damage()
  if (found === undefined) return { check, ok: true, detail: 'what the clock and the tables are read from is whole' }
  return { check, ok: false, detail: found, advice: DAMAGE_ADVICE }
}

async function readFrom(log: Log, at: Parameters<typeof scan>[1], from = 0): Promise<void> {
  for await (const piece of scan(log, at, { from })) void piece
}
