import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assignTasks } from '../../../../connectors/log/core/assignment.ts'

const NOTHING = new Map<number, number>()

/** Active shares of members that have nothing restored. */
const assignPartitions = (names: readonly string[], partitions: number, previous: ReadonlyMap<number, string>) =>
  new Map([...assigned(names, partitions, previous, 0)].map(([name, { active }]) => [name, active]))

const assigned = (
  names: readonly string[],
  partitions: number,
  previous: ReadonlyMap<number, string>,
  standbys: number,
  restored: Readonly<Record<string, ReadonlyMap<number, number>>> = {},
) =>
  assignTasks(
    names.map((name) => ({ name, restored: restored[name] ?? NOTHING })),
    partitions,
    previous,
    standbys,
  )

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

test('behavior: a task that loses its member goes where most of its state is, within the balance', () => {
  const restored = {
    b: new Map([
      [0, 5],
      [3, 900],
    ]),
    c: new Map([
      [0, 70],
      [3, 800],
    ]),
  }
  const previous = new Map([
    [0, 'a'],
    [1, 'b'],
    [2, 'c'],
    [3, 'a'],
  ])
  const shares = assigned(['b', 'c'], 4, previous, 0, restored)
  expect([...shares].map(([name, { active }]) => [name, active])).toEqual([
    ['b', [1, 3]],
    ['c', [0, 2]],
  ])
})

test('behavior: each task has as many standbys as were asked for and there are others, never its owner, about evenly', () => {
  fc.assert(
    fc.property(names, fc.nat(12), fc.nat(3), (members, partitions, standbys) => {
      const shares = assigned(members, partitions, new Map(), standbys)
      const copies = Math.min(standbys, members.length - 1)
      const kept = new Array<number>(partitions).fill(0)
      for (const { active, standby } of shares.values()) {
        expect(standby.filter((partition) => active.includes(partition))).toEqual([])
        expect(new Set(standby).size).toBe(standby.length)
        expect(standby.length).toBeLessThanOrEqual(copies * (Math.ceil(partitions / members.length) + 1))
        for (const partition of standby) kept[partition]!++
      }
      expect(kept.every((count) => count === copies)).toBe(true)
    }),
  )
})

test('behavior: a standby stays where the state is', () => {
  const previous = new Map([
    [0, 'a'],
    [1, 'b'],
    [2, 'c'],
  ])
  const restored = { c: new Map([[0, 9]]), a: new Map([[1, 9]]), b: new Map([[2, 9]]) }
  const shares = assigned(['a', 'b', 'c'], 3, previous, 1, restored)
  expect([...shares].map(([name, { standby }]) => [name, standby])).toEqual([
    ['a', [1]],
    ['b', [2]],
    ['c', [0]],
  ])
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
