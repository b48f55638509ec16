/** Carries out a reset on a cluster. State goes first: half a reset must not leave old state with new offsets. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from 'kafkajs'
import { systemClock } from '../../../connectors/system-clock.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { createTopics } from '../apply.ts'
import { onceSteady } from '../cluster-steady.ts'
import type { Deployment } from '../deployment.ts'
import type { OffsetMove, Position, ResetPlan } from './plan.ts'

const DELETE_WAIT_MS = 30_000
const POLL_MS = 200

export async function executeReset({ moves, changelogs }: ResetPlan, { desired, admin }: Deployment): Promise<void> {
  await deleteTopics(admin, changelogs)
  await createTopics(
    desired.topics.filter(({ name }) => changelogs.includes(name)),
    admin,
  )
  const groups = [...new Set(moves.map(({ group }) => group))]
  await Promise.all(groups.map((group) => moveGroup(group, moves, admin)))
}

async function deleteTopics(admin: Admin, names: readonly string[]): Promise<void> {
  await onceSteady(systemClock, async () => {
    const there = new Set(await admin.listTopics())
    const topics = names.filter((name) => there.has(name))
    if (topics.length > 0) await admin.deleteTopics({ topics })
  })
  await untilGone(admin, names)
}

/** kafkajs takes five seconds for each: it joins the group for a moment. */
async function moveGroup(group: string, moves: readonly OffsetMove[], admin: Admin): Promise<void> {
  for (const move of moves) if (move.group === group) await moveOffsets(move, admin)
}

async function untilGone(admin: Admin, topics: readonly string[]): Promise<void> {
  const deadline = performance.now() + DELETE_WAIT_MS
  while (performance.now() < deadline) {
    const there = new Set(await admin.listTopics())
    if (!topics.some((name) => there.has(name))) return
    await sleep(POLL_MS)
  }
  throw new CliError(
    `the brokers still have ${topics.join(', ')} after ${DELETE_WAIT_MS / 1000} s`,
    'Run the reset again: it goes on where it stopped.',
    EXIT.unavailable,
  )
}

/** Never below the log's start nor above its end. */
async function moveOffsets({ group, topic, position }: OffsetMove, admin: Admin): Promise<void> {
  const partitions = await onceSteady(systemClock, async () => {
    const bounds = await admin.fetchTopicOffsets(topic)
    const wanted = await offsetsOf(position, { group, topic }, admin)
    return bounds.map(({ partition, low, high }) => {
      const offset = wanted(partition, Number(low), Number(high))
      return { partition, offset: String(Math.min(Math.max(offset, Number(low)), Number(high))) }
    })
  })
  await onceSteady(systemClock, () => admin.setOffsets({ groupId: group, topic, partitions }))
}

type Wanted = (partition: number, low: number, high: number) => number

async function offsetsOf(
  position: Position,
  { group, topic }: { group: string; topic: string },
  admin: Admin,
): Promise<Wanted> {
  if (position.to === 'earliest') return (_, low) => low
  if (position.to === 'latest') return (_partition, _low, high) => high
  if (position.to === 'offset') return () => position.offset
  if (position.to === 'time') {
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, position.timestamp)
    return (partition, _, high) => Number(found.find((one) => one.partition === partition)?.offset ?? high)
  }
  const [committed] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  return (partition, low) => {
    const at = Number(committed?.partitions.find((one) => one.partition === partition)?.offset ?? -1)
    return (at < 0 ? low : at) + position.by
  }
}
