import { type JoinOptions, LogError, type MemberIdentity, type TopicPartition } from '../../../streams/ports.ts'
import { assignTasks } from './assignment.ts'

/** The events for a member; the driver decides when. */
export type GroupEvent =
  | {
      readonly kind: 'assigned'
      readonly partitions: readonly TopicPartition[]
      readonly identity: MemberIdentity
      readonly standbys: readonly number[]
    }
  | { readonly kind: 'lost'; readonly cause: Error }

/** Members one group may have; far above any sensible split of a topic. */
const MEMBERS_MAX = 1_000

const NOTHING: ReadonlyMap<number, number> = new Map()

interface Member {
  readonly id: string
  readonly instanceId: string
  readonly standbys: number
  readonly restored: () => ReadonlyMap<number, number>
  readonly notify: (event: GroupEvent) => void
}

interface Group {
  generation: number
  fingerprint: string
  topics: readonly string[]
  readonly members: Map<string, Member>
  /** Partition number → instance that has it, or had it last. */
  owners: Map<number, string>
}

/** The coordinator of all groups: who is a member, in which generation, with which partitions. */
export class Groups {
  private readonly groups = new Map<string, Group>()
  private readonly partitionCount: (topic: string) => number
  private joined = 0

  constructor(partitionCount: (topic: string) => number) {
    this.partitionCount = partitionCount
  }

  /**
   * Adds a member and begins a new generation; every member is told through its `notify`. An older member with the same
   * instance id is thrown out first (it is the same process, restarted).
   * @returns the member id
   * @throws LogError `TOPOLOGY_MISMATCH`, `UNKNOWN_TOPIC`, `GROUP_FULL`
   */
  join(options: JoinOptions, notify: (event: GroupEvent) => void): string {
    const group = this.groupOf(options)
    for (const member of group.members.values()) {
      if (member.instanceId !== options.instanceId) continue
      group.members.delete(member.id)
      member.notify({ kind: 'lost', cause: lostTo(options) })
    }
    const id = `${options.instanceId}-${++this.joined}`
    const { instanceId, standbys = 0, restored = () => NOTHING } = options
    group.members.set(id, { id, instanceId, standbys, restored, notify })
    this.rebalance(group)
    return id
  }

  /** Removes a member; the others take over. Nothing happens when it is not a member any more. */
  leave(name: string, memberId: string): void {
    const group = this.groups.get(name)
    if (group?.members.delete(memberId)) this.rebalance(group)
  }

  /** As `leave`, but the member is told. */
  expel(name: string, memberId: string, cause: Error): void {
    const member = this.groups.get(name)?.members.get(memberId)
    this.leave(name, memberId)
    member?.notify({ kind: 'lost', cause })
  }

  /** A new generation with the same members. */
  shake(name: string): void {
    const group = this.groups.get(name)
    if (group && group.members.size > 0) this.rebalance(group)
  }

  isCurrent(name: string, identity: MemberIdentity): boolean {
    const group = this.groups.get(name)
    return group !== undefined && group.generation === identity.generation && group.members.has(identity.memberId)
  }

  names(): string[] {
    return [...this.groups.keys()]
  }

  private groupOf(options: JoinOptions): Group {
    for (const topic of options.topics) this.partitionCount(topic)
    let group = this.groups.get(options.group)
    if (group === undefined) {
      group = { generation: 0, fingerprint: '', topics: [], members: new Map(), owners: new Map() }
      this.groups.set(options.group, group)
    }
    if (group.members.size === 0) {
      group.fingerprint = options.fingerprint
      group.topics = [...options.topics]
    }
    if (group.fingerprint !== options.fingerprint || group.topics.join() !== options.topics.join()) {
      throw new LogError('TOPOLOGY_MISMATCH', mismatch(options, group.fingerprint))
    }
    if (group.members.size >= MEMBERS_MAX) {
      throw new LogError('GROUP_FULL', `group ${options.group} has ${MEMBERS_MAX} members already`)
    }
    return group
  }

  private rebalance(group: Group): void {
    group.generation++
    const partitions = Math.max(0, ...group.topics.map((topic) => this.partitionCount(topic)))
    const members = [...group.members.values()]
    const shares = assignTasks(
      members.map(({ instanceId, restored }) => ({ name: instanceId, restored: restored() })),
      partitions,
      group.owners,
      Math.max(0, ...members.map(({ standbys }) => standbys)),
    )
    for (const [name, { active }] of shares) for (const partition of active) group.owners.set(partition, name)
    const generation = group.generation
    for (const member of members) {
      const { active, standby: standbys } = shares.get(member.instanceId)!
      const identity = { memberId: member.id, generation }
      member.notify({ kind: 'assigned', partitions: this.expand(group.topics, active), identity, standbys })
    }
  }

  private expand(topics: readonly string[], numbers: readonly number[]): TopicPartition[] {
    return topics.flatMap((topic) => {
      const count = this.partitionCount(topic)
      return numbers.filter((partition) => partition < count).map((partition) => ({ topic, partition }))
    })
  }
}

function mismatch(options: JoinOptions, fingerprint: string): string {
  return (
    `group ${options.group} runs topology ${fingerprint}, ${options.instanceId} has ${options.fingerprint}: ` +
    'stop the members with the old topology before those with the new one join'
  )
}

function lostTo(options: JoinOptions): LogError {
  return new LogError('MEMBER_REPLACED', `another member named ${options.instanceId} joined group ${options.group}`)
}
