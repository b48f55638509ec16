import { expect, test } from 'vitest'
import { createStageWatch } from '../../../ops/watch/stage-watch.ts'

function watched() {
  let now = 1_000
  const watch = createStageWatch(() => now)
  const look = (position: number, behind: number, partition = 's/0') =>
    watch.saw('validate', partition, position, behind)
  const pass = (ms: number) => {
    now += ms
  }
  return { watch, look, pass, seen: () => watch.report().validate }
}

test('default: a stage that takes what there is goes on, however far it is behind', () => {
  const { look, pass, seen } = watched()
  look(100, 500)
  pass(5_000)
  look(200, 900)
  expect(seen()).toEqual({ behind: 900, stillSince: null, waitsAt: null })
  pass(5_000)
  look(1_100, 0)
  expect(seen()).toEqual({ behind: 0, stillSince: null, waitsAt: null })
})

test('behavior: it stands still since records wait and its position does not move, of one partition as of all', () => {
  const { look, pass, seen } = watched()
  look(100, 3)
  look(70, 20, 's/1')
  pass(5_000)
  look(100, 40)
  look(90, 20, 's/1')
  pass(5_000)
  look(100, 80)
  look(110, 20, 's/1')
  expect(seen()).toEqual({ behind: 100, stillSince: 6_000, waitsAt: null })
})

test('behavior: the ends of transactions, which nobody takes, do not count', () => {
  const { look, pass, seen } = watched()
  look(100, 2)
  pass(60_000)
  look(100, 2)
  expect(seen()).toEqual({ behind: 2, stillSince: null, waitsAt: null })
})

test('behavior: what a stage cannot read past is told for as long as it stands there, however few wait', () => {
  const { watch, look, seen } = watched()
  expect(look(100, 2)).toBe(false)
  expect(look(100, 2)).toBe(true)
  watch.cannotPass('validate', 's/0', 's/0, offset 100: damaged')
  expect([look(100, 3), seen()!.waitsAt]).toEqual([true, 's/0, offset 100: damaged'])
  expect([look(101, 2), seen()!.waitsAt]).toEqual([false, null])
  expect(look(101, 0)).toBe(false)
})

test('behavior: nothing is known while the log does not answer', () => {
  const { watch, look, seen } = watched()
  look(100, 500)
  watch.lostSight()
  expect(seen()).toBeUndefined()
})
