import kafkajs from 'kafkajs'
import type { TopicPartition } from '../../../streams/ports.ts'
import { assignTasks } from '../core/assignment.ts'
import type { JoinedMember, MemberShare } from './requests/group.ts'

const { AssignerProtocol } = kafkajs

/** The words of a member to the leader. */
export interface Claim {
  /** The newest generation it was in. */
  readonly generation: number
  /** Partition numbers it had there. */
  readonly numbers: readonly number[]
  /** Copies of each task's state that it asks for beside the owner's. */
  readonly standbys: number
  /** Partition number and how much of that task's state it keeps ready. */
  readonly restored: readonly (readonly [number, number])[]
}

export interface Share {
  readonly partitions: readonly TopicPartition[]
  /** Numbers of the tasks whose state it is to keep ready. */
  readonly standbys: readonly number[]
}

const NO_CLAIM: Claim = { generation: -1, numbers: [], standbys: 0, restored: [] }
const VERSION = 0

/** In the format of Kafka's own consumers, so that the usual tools can read it. */
export function encodeClaim(topics: readonly string[], claim: Claim): Buffer {
  const userData = Buffer.from(JSON.stringify(claim))
  return AssignerProtocol.MemberMetadata.encode({ version: VERSION, topics: [...topics], userData })
}

/**
 * The leader's work: each partition number to one member for all topics, as `assignTasks` does. A number that two members claim
 * belongs to the member of the later generation.
 * @param counts partitions of each topic
 */
export function assignMembers(members: readonly JoinedMember[], counts: ReadonlyMap<string, number>): MemberShare[] {
  const claims = members.map(({ instanceId, metadata }) => ({ name: instanceId, ...decodeClaim(metadata) }))
  claims.sort((a, b) => a.generation - b.generation || (a.name < b.name ? -1 : 1))
  const previous = new Map<number, string>()
  for (const { name, numbers } of claims) for (const number of numbers) previous.set(number, name)
  const shares = assignTasks(
    claims.map(({ name, restored }) => ({ name, restored: new Map(restored) })),
    Math.max(0, ...counts.values()),
    previous,
    Math.max(0, ...claims.map(({ standbys }) => standbys)),
  )
  return members.map(({ memberId, instanceId }) => {
    const { active, standby } = shares.get(instanceId)!
    return { memberId, assignment: encodeShare(active, standby, counts) }
  })
}

function encodeShare(
  active: readonly number[],
  standby: readonly number[],
  counts: ReadonlyMap<string, number>,
): Buffer {
  const assignment: Record<string, number[]> = {}
  for (const [topic, count] of counts) assignment[topic] = active.filter((number) => number < count)
  const userData = Buffer.from(JSON.stringify(standby))
  return AssignerProtocol.MemberAssignment.encode({ version: VERSION, assignment, userData })
}

/** @param topics gives the order */
export function decodeShare(bytes: Buffer, topics: readonly string[]): Share {
  const decoded = AssignerProtocol.MemberAssignment.decode(bytes)
  if (decoded === null) return { partitions: [], standbys: [] }
  const { assignment, userData } = decoded
  const partitions = topics.flatMap((topic) => (assignment[topic] ?? []).map((partition) => ({ topic, partition })))
  return { partitions, standbys: userData.length > 0 ? (JSON.parse(userData.toString()) as number[]) : [] }
}

function decodeClaim(metadata: Buffer): Claim {
  const userData = AssignerProtocol.MemberMetadata.decode(metadata)?.userData
  return userData && userData.length > 0 ? (JSON.parse(userData.toString()) as Claim) : NO_CLAIM
}
