import { expect, test } from 'vitest'
import { LeaderEpochs } from '../../../../connectors/log/kafka/leader-epochs.ts'

const at = (offset: number, partition = 0) => ({ topic: 't', partition, offset })
const starts = (...all: readonly (readonly [offset: number, leaderEpoch: number])[]) =>
  all.map(([offset, leaderEpoch]) => ({ offset, leaderEpoch }))

test('default: the epoch before a position is that of the batch which holds the record there', () => {
  const epochs = new LeaderEpochs()
  epochs.read(at(10), 20, starts([10, 1], [15, 4]))
  epochs.read(at(20), 30, starts([20, 4], [25, 5]))
  expect([11, 15, 16, 20, 25, 26, 30].map((offset) => epochs.before(at(offset)))).toEqual([1, 1, 4, 4, 4, 5, 5])
})

test('behavior: of what was not read without a gap nothing is said', () => {
  const epochs = new LeaderEpochs()
  epochs.read(at(10), 20, starts([10, 1]))
  expect([10, 21].map((offset) => epochs.before(at(offset)))).toEqual([-1, -1])
  expect(epochs.before(at(15, 1))).toBe(-1)
  epochs.read(at(100), 110, starts([100, 7]))
  expect([15, 50, 110].map((offset) => epochs.before(at(offset)))).toEqual([-1, -1, 7])
  epochs.read(at(5), 8, starts([4, 0])) // another reader, further back: begins in the middle of a batch
  expect([110, 6].map((offset) => epochs.before(at(offset)))).toEqual([-1, 0])
})

test('behavior: what is read again changes nothing, and an answer without a batch neither', () => {
  const epochs = new LeaderEpochs()
  epochs.read(at(10), 20, starts([10, 1], [15, 2]))
  epochs.read(at(12), 16, starts([10, 1], [15, 2]))
  epochs.read(at(20), 20, [])
  expect([15, 20].map((offset) => epochs.before(at(offset)))).toEqual([1, 2])
})

test('behavior: a committed position brings its epoch, unless more is known', () => {
  const epochs = new LeaderEpochs()
  epochs.committed(at(10), 3)
  epochs.committed(at(10, 1), -1)
  expect([epochs.before(at(10)), epochs.before(at(11)), epochs.before(at(10, 1))]).toEqual([3, -1, -1])
  epochs.read(at(10), 20, starts([10, 4]))
  expect([epochs.before(at(10)), epochs.before(at(11))]).toEqual([3, 4])
  epochs.committed(at(15), 2)
  expect(epochs.before(at(15))).toBe(4)
})

test('behavior: a partition whose leader changes for ever takes no more memory, and stays right', () => {
  const epochs = new LeaderEpochs()
  for (let offset = 0; offset < 1_000; offset++) epochs.read(at(offset), offset + 1, starts([offset, offset]))
  expect([epochs.before(at(1_000)), epochs.before(at(990)), epochs.before(at(10))]).toEqual([999, 989, -1])
})
