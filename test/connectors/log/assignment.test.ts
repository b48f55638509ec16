import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignPartitions } from '../../../connectors/log/assignment.ts'

const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 })

test('default: members share in the order of their names', () => {
  const shares = assignPartitions(['b', 'a'], 3, new Map())
  expect(Object.fromEntries(shares)).toEqual({ a: [0, 2], b: [1] })
})

test('args: no members, no partitions, and more members than partitions', () => {
  expect(assignPartitions([], 3, new Map()).size).toBe(0)
  expect([...assignPartitions(['a'], 0, new Map()).values()]).toEqual([[]])
  expect(Object.fromEntries(assignPartitions(['a', 'b', 'c'], 1, new Map()))).toEqual({ a: [0], b: [], c: [] })
})

test('behavior: each partition has one owner, loads differ by one at most, and the order of members is no matter', () => {
  fc.assert(
    fc.property(names, fc.nat(20), fc.array(names, { maxLength: 5 }), (members, partitions, earlier) => {
      const previous = afterwards(earlier, partitions)
      const shares = assignPartitions(members, partitions, previous)
      const all = [...shares.values()].flat().sort((a, b) => a - b)
      expect(all).toEqual(Array.from({ length: partitions }, (_, at) => at))
      const loads = [...shares.values()].map((share) => share.length)
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
      expect(assignPartitions([...members].reverse(), partitions, previous)).toEqual(shares)
    }),
  )
})

test('behavior: only what the balance needs is moved when one member comes or goes', () => {
  fc.assert(
    fc.property(names, fc.integer({ min: 1, max: 20 }), (members, partitions) => {
      fc.pre(members.length > 1)
      const fewer = members.slice(1)
      const before = assignPartitions(fewer, partitions, new Map())
      const after = assignPartitions(members, partitions, owners(before))
      const moved = [...owners(after)].filter(([partition, owner]) => owners(before).get(partition) !== owner)
      expect(moved.every(([, owner]) => owner === members[0])).toBe(true)
      const back = assignPartitions(fewer, partitions, owners(after))
      for (const [partition, owner] of owners(after)) {
        if (owner !== members[0]) expect(owners(back).get(partition)).toBe(owner)
      }
    }),
  )
})

function owners(shares: ReadonlyMap<string, readonly number[]>): Map<number, string> {
  return new Map([...shares].flatMap(([name, share]) => share.map((partition) => [partition, name] as const)))
}

function afterwards(history: readonly (readonly string[])[], partitions: number): Map<number, string> {
  return history.reduce(
    (previous, members) => owners(assignPartitions(members, partitions, previous)),
    new Map<number, string>(),
  )
}
