import { expectNoError } from '../errors.ts'
import type { KafkaRequest } from '../request.ts'

/** Membership in a consumer group, with a name that outlives the process (static membership, KIP-345). */
export interface GroupMember {
  readonly group: string
  readonly instanceId: string
  /** Empty before the group has given one. */
  readonly memberId: string
}

const PROTOCOL_TYPE = 'consumer'

export interface JoinedMember {
  readonly memberId: string
  readonly instanceId: string
  readonly metadata: Buffer
}

export interface Joined {
  readonly generation: number
  readonly protocolName: string | null
  readonly leaderId: string
  readonly memberId: string
  /** All members for the leader, who assigns; none for the others. */
  readonly members: readonly JoinedMember[]
}

export interface JoinSettings {
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolName: string
  readonly metadata: Buffer
}

/** Waits until all members have come. */
export function joinGroup(member: GroupMember, settings: JoinSettings): KafkaRequest<Joined> {
  return {
    apiKey: 11,
    apiName: 'JoinGroup',
    apiVersion: 7,
    flexible: true,
    encode(writer) {
      writer.string(member.group)
      writer.int32(settings.sessionTimeoutMs)
      writer.int32(settings.rebalanceTimeoutMs)
      writer.string(member.memberId)
      writer.nullableString(member.instanceId)
      writer.string(PROTOCOL_TYPE)
      writer.structures([settings], ({ protocolName, metadata }) => {
        writer.string(protocolName)
        writer.bytes(metadata)
      })
      writer.endStructure()
    },
    decode(reader) {
      reader.throttle()
      const errorCode = reader.int16()
      const generation = reader.int32()
      reader.nullableString() // protocol type
      const protocolName = reader.nullableString()
      const leaderId = reader.string()
      const memberId = reader.string()
      const members = reader.structures(() => {
        const memberId = reader.string()
        const instanceId = reader.nullableString() ?? memberId
        return { memberId, instanceId, metadata: reader.bytes() }
      })
      reader.endStructure()
      expectNoError(errorCode, `join of group ${member.group}`)
      return { generation, protocolName, leaderId, memberId, members }
    },
  }
}

export interface MemberShare {
  readonly memberId: string
  readonly assignment: Buffer
}

/** Gives the leader's assignment to the group, and gets the member's own. */
export function syncGroup(
  member: GroupMember & { readonly generation: number; readonly protocolName: string | null },
  shares: readonly MemberShare[],
): KafkaRequest<Buffer> {
  return {
    apiKey: 14,
    apiName: 'SyncGroup',
    apiVersion: 5,
    flexible: true,
    encode(writer) {
      writer.string(member.group)
      writer.int32(member.generation)
      writer.string(member.memberId)
      writer.nullableString(member.instanceId)
      writer.nullableString(PROTOCOL_TYPE)
      writer.nullableString(member.protocolName)
      writer.structures(shares, ({ memberId, assignment }) => {
        writer.string(memberId)
        writer.bytes(assignment)
      })
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() => {
        expectNoError(reader.int16(), `sync of group ${member.group}`)
        reader.nullableString() // protocol type
        reader.nullableString() // protocol name
        return reader.bytes()
      })
    },
  }
}

export function heartbeat(member: GroupMember, generation: number): KafkaRequest<void> {
  return {
    apiKey: 12,
    apiName: 'Heartbeat',
    apiVersion: 4,
    flexible: true,
    encode(writer) {
      writer.string(member.group)
      writer.int32(generation)
      writer.string(member.memberId)
      writer.nullableString(member.instanceId)
      writer.endStructure()
    },
    decode(reader) {
      reader.answer(() => expectNoError(reader.int16(), `heartbeat in group ${member.group}`))
    },
  }
}

export function leaveGroup({ group, memberId, instanceId }: GroupMember): KafkaRequest<void> {
  return {
    apiKey: 13,
    apiName: 'LeaveGroup',
    apiVersion: 4,
    flexible: true,
    encode(writer) {
      writer.string(group)
      writer.structures([memberId], (id) => {
        writer.string(id)
        writer.nullableString(instanceId)
      })
      writer.endStructure()
    },
    decode(reader) {
      reader.answer(() => {
        expectNoError(reader.int16(), `leaving group ${group}`)
        reader.structures(() => {
          reader.string()
          reader.nullableString()
          reader.int16() // it is gone already: as well
        })
      })
    },
  }
}
