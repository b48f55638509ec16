import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { PartitionLog } from '../../../../connectors/log/core/partition.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const BYTES = 64 * 1024

/** A partition with so many records, each with a value of its own; the values, held weakly. */
function filled(records: number) {
  const partition = new PartitionLog('t', 0)
  const values: WeakRef<Uint8Array>[] = []
  for (let n = 0; n < records; n++) {
    const value = new Uint8Array(BYTES)
    values.push(new WeakRef(value))
    const span = partition.open()
    partition.add(span, { topic: 't', partition: 0, timestamp: 0, key: null, value }, BYTES)
    partition.seal(span, false)
    partition.conclude(span, 'committed')
  }
  return { partition, held: () => values.filter((value) => value.deref() !== undefined).length }
}

test.each([
  ['evicted', (partition: PartitionLog) => partition.evictBefore(190)],
  ['deleted', (partition: PartitionLog) => void partition.deleteBefore(190)],
])('bound: records that are %s are let go at once, however few there are', async (_name, drop) => {
  const { partition, held } = filled(200)
  drop(partition)
  await new Promise(setImmediate) // what a WeakRef gave stays until the end of the turn
  collect()
  expect(held()).toBe(10)
  expect(partition.read(190, 1 << 30).records).toHaveLength(10)
  expect([...partition.visible()]).toHaveLength(10)
})
