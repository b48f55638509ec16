/** Writes a log as format 1 had it: no checksums beside the records, no chain, no file for the end. */
import { crc32 } from 'node:zlib'
import { ClassicLevel } from 'classic-level'
import { rowKey } from '../../../../connectors/log/embedded/rows.ts'

const doubles = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 8)
  for (const [at, value] of values.entries()) bytes.writeDoubleLE(value, at * 8)
  return bytes
}

function place(kind: string, topicId: number, partition: number, name = ''): Buffer {
  const key = Buffer.concat([Buffer.from(kind), Buffer.alloc(8), Buffer.from(name)])
  key.writeUInt32BE(topicId, 1)
  key.writeUInt32BE(partition, 5)
  return key
}

function rowV1(first: number, values: readonly string[]): Buffer {
  const records = values.map((value, at) => {
    const head = Buffer.alloc(22)
    head.writeUInt32LE(at)
    head.writeDoubleLE(1_700_000_000_000, 4)
    head.writeInt32LE(-1, 12)
    head.writeInt32LE(value.length, 16)
    return Buffer.concat([head, Buffer.from(value)])
  })
  const head = Buffer.alloc(24)
  head.writeUInt32LE(values.length, 4)
  head.writeDoubleLE(first, 8)
  head.writeDoubleLE(1_700_000_000_000, 16)
  const row = Buffer.concat([head, ...records])
  row.writeUInt32LE(crc32(row.subarray(4)), 0)
  return row
}

/** One topic, one partition; each list of values is a row, and a control record ends it. */
export async function writeFormat1(
  directory: string,
  topic: string,
  rows: readonly (readonly string[])[],
): Promise<void> {
  const level = new ClassicLevel<Buffer, Buffer>(directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  const config = { name: topic, partitions: 1, cleanup: 'delete' }
  const put = (key: Buffer, value: Buffer) => ({ type: 'put' as const, key, value })
  let next = 0
  const records = rows.map((values) => {
    const first = next
    next += values.length + 1
    return put(rowKey(1, 0, next - 1), rowV1(first, values))
  })
  await level.batch(
    [
      put(Buffer.from('f'), Buffer.from('1')),
      put(Buffer.from('q'), doubles(rows.length)),
      put(Buffer.from(`t${topic}`), Buffer.from(JSON.stringify({ id: 1, config }))),
      put(place('b', 1, 0), doubles(0, next, 0, 0)),
      put(place('o', 1, 0, 'group'), Buffer.concat([doubles(2), Buffer.from('metadata')])),
      ...records,
    ],
    { sync: true },
  )
  await level.close()
}
