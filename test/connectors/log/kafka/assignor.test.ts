import { expect, test } from 'vitest'
import { assignMembers, decodeShare, encodeClaim } from '../../../../connectors/log/kafka/assignor.ts'
import type { JoinedMember } from '../../../../connectors/log/kafka/requests/group.ts'

interface MemberClaim {
  readonly generation?: number
  readonly numbers?: readonly number[]
  readonly standbys?: number
  readonly restored?: readonly (readonly [number, number])[]
}

const TOPICS = ['wide', 'narrow']
const COUNTS = new Map([
  ['wide', 4],
  ['narrow', 2],
])

const member = (instanceId: string, claim: MemberClaim = {}): JoinedMember => ({
  memberId: `member of ${instanceId}`,
  instanceId,
  metadata: encodeClaim(TOPICS, { generation: -1, numbers: [], standbys: 0, restored: [], ...claim }),
})

/** Instance → numbers of the wide topic. */
function numbersOf(members: readonly JoinedMember[]): Record<string, number[]> {
  const shares = assignMembers(members, COUNTS)
  return Object.fromEntries(
    shares.map(({ memberId, assignment }) => {
      const { partitions } = decodeShare(assignment, TOPICS)
      const wide = partitions.filter(({ topic }) => topic === 'wide').map(({ partition }) => partition)
      return [memberId.slice('member of '.length), wide]
    }),
  )
}

test('default: each number goes to one member, for every topic that has it, topics in their order', () => {
  const [share] = assignMembers([member('a')], COUNTS)
  expect(decodeShare(share!.assignment, TOPICS)).toEqual({
    partitions: [
      ...[0, 1, 2, 3].map((partition) => ({ topic: 'wide', partition })),
      ...[0, 1].map((partition) => ({ topic: 'narrow', partition })),
    ],
    standbys: [],
  })
})

test('behavior: the assignment is the same with any leader and any order of members', () => {
  const members = [member('c'), member('a', { generation: 1, numbers: [2] }), member('b')]
  expect(numbersOf(members)).toEqual(numbersOf(members.toReversed()))
})

test('behavior: a member keeps what it had as far as the balance allows', () => {
  const members = [member('a', { generation: 3, numbers: [0, 1, 2, 3] }), member('b')]
  expect(numbersOf(members)).toEqual({ a: [0, 1], b: [2, 3] })
  expect(
    numbersOf([member('a', { generation: 4, numbers: [1, 3] }), member('b', { generation: 4, numbers: [0, 2] })]),
  ).toEqual({
    a: [1, 3],
    b: [0, 2],
  })
})

test('behavior: of two that claim a number, the one of the later generation has it', () => {
  const members = [member('a', { generation: 5, numbers: [0, 1] }), member('b', { generation: 4, numbers: [0, 1] })]
  expect(numbersOf(members)).toEqual({ a: [0, 1], b: [2, 3] })
})

test('behavior: what nobody had goes where its state is ready, and others keep copies', () => {
  const members = [member('a', { standbys: 1 }), member('b', { standbys: 1, restored: [[0, 10]] })]
  expect(numbersOf(members).b).toContain(0)
  for (const { memberId, assignment } of assignMembers(members, COUNTS)) {
    const other = memberId === 'member of a' ? 'b' : 'a'
    expect(decodeShare(assignment, TOPICS).standbys).toEqual(numbersOf(members)[other])
  }
})

test('behavior: a member that has nothing is told so', () => {
  expect(decodeShare(Buffer.alloc(0), TOPICS)).toEqual({ partitions: [], standbys: [] })
})
