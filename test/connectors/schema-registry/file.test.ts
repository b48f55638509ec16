import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { copyOf, openFileRegistry } from '../../../connectors/schema-registry/file.ts'
import { createCodec } from '../../../schemas/codec.ts'
import type { AvroSchema } from '../../../schemas/load.ts'
import { newFolder } from '../../folder.ts'

const record = (...names: string[]): AvroSchema => ({
  type: 'record',
  name: 'R',
  fields: names.map((name) => ({ name, type: 'long', default: 0 })),
})
let path: string
beforeEach(() => {
  path = join(newFolder(), 'deep', 'registry.json')
})

test('default: ids count from 1, are the same for the same schema, and stay over a restart', async () => {
  const registry = await openFileRegistry(path)
  expect(await registry.register('a', record('x'))).toBe(1)
  expect(await registry.register('b', record('y'))).toBe(2)
  expect(await registry.register('c', record('x'))).toBe(1)
  const again = await openFileRegistry(path)
  expect(await again.register('b', record('y'))).toBe(2)
  expect(await again.register('d', record('z'))).toBe(3)
  expect(await again.schemaOf(2)).toEqual(record('y'))
})

test('behavior: versions of a subject, oldest first', async () => {
  const registry = await openFileRegistry(path)
  await registry.register('a', record('x'))
  await registry.register('b', record('other'))
  await registry.register('a', record('x', 'y'))
  expect(await registry.versions('a')).toEqual([
    { id: 1, schema: record('x') },
    { id: 3, schema: record('x', 'y') },
  ])
  expect(await registry.versions('nobody')).toEqual([])
})

test('behavior: a registration is in the file when it resolves; nothing is left beside it', async () => {
  const registry = await openFileRegistry(path)
  await registry.register('a', record('x'))
  expect(JSON.parse(await readFile(path, 'utf8')).subjects).toEqual({ a: [1] })
  expect(await readdir(join(path, '..'))).toEqual(['registry.copy.json', 'registry.json'])
})

test('behavior: registrations at the same time all become durable', async () => {
  const registry = await openFileRegistry(path)
  const ids = await Promise.all(Array.from({ length: 30 }, (_, i) => registry.register(`s${i}`, record(`f${i}`))))
  expect(ids).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
  const again = await openFileRegistry(path)
  for (const id of ids) expect(await again.schemaOf(id)).toEqual(record(`f${id - 1}`))
})

test('behavior: the codec writes the same bytes after a restart', async () => {
  const first = (await createCodec(await openFileRegistry(path))).serde('slots-key').encode({ slotId: 7 })
  const codec = await createCodec(await openFileRegistry(path))
  expect(codec.serde('slots-key').encode({ slotId: 7 })).toEqual(first)
})

test('error: a version that does not fit the older ones is refused and not kept', async () => {
  const registry = await openFileRegistry(path)
  await registry.register('a', record('x'))
  const changed = {
    ...(record('x') as object),
    fields: [{ name: 'x', type: 'string', default: '' }],
  } as unknown as AvroSchema
  await expect(registry.register('a', changed)).rejects.toThrow('a: the schema is not FULL_TRANSITIVE compatible: R.x')
  expect(await registry.versions('a')).toHaveLength(1)
})

test.each([
  ['not JSON', 'half a fi'],
  ['another shape', '[]'],
  ['another format', '{"format":2,"schemas":[],"subjects":{}}'],
  ['an id without a schema', '{"format":1,"schemas":[],"subjects":{"a":[1]}}'],
])('error: a damaged file (%s) is refused and is named', async (_name, text) => {
  const damaged = join(newFolder(), 'registry.json')
  await writeFile(damaged, text)
  await expect(openFileRegistry(damaged)).rejects.toMatchObject({
    code: 'REGISTRY_CORRUPT',
    retriable: false,
    message: expect.stringContaining(damaged),
  })
})

test.each(['file', 'copy'])(
  'behavior: of a %s that is gone or damaged the other one takes the place',
  async (which) => {
    await (await openFileRegistry(path)).register('a', record('x'))
    const [lost, left] = which === 'file' ? [path, copyOf(path)] : [copyOf(path), path]
    const whole = await readFile(left, 'utf8')
    for (const damage of [
      () => rm(lost),
      () => writeFile(lost, whole.replace('"x"', '"y"')),
      () => writeFile(lost, '{'),
    ]) {
      await damage()
      expect(await (await openFileRegistry(path, true)).schemaOf(1)).toEqual(record('x'))
      expect(await readFile(lost, 'utf8')).toBe(whole)
    }
  },
)

test('error: where both are gone, and records were written by its ids, nothing is made', async () => {
  await (await openFileRegistry(path)).register('a', record('x'))
  await Promise.all([rm(path), rm(copyOf(path))])
  await expect(openFileRegistry(path, true)).rejects.toMatchObject({ code: 'REGISTRY_MISSING' })
  expect(await readdir(join(path, '..'))).toEqual([])
})

test('error: a changed letter in both is refused', async () => {
  await (await openFileRegistry(path)).register('a', record('x'))
  for (const one of [path, copyOf(path)]) await writeFile(one, (await readFile(one, 'utf8')).replace('"x"', '"y"'))
  await expect(openFileRegistry(path)).rejects.toThrow('its checksum differs from what it holds')
})

test('behavior: a file of an older version, without checksum and copy, gets both', async () => {
  await (await openFileRegistry(path)).register('a', record('x'))
  const whole = await readFile(path, 'utf8')
  await writeFile(path, JSON.stringify({ ...JSON.parse(whole), sum: undefined }))
  await rm(copyOf(path))
  await openFileRegistry(path, true)
  expect([await readFile(path, 'utf8'), await readFile(copyOf(path), 'utf8')]).toEqual([whole, whole])
})

test('error: an unknown id', async () => {
  await expect((await openFileRegistry(path)).schemaOf(1)).rejects.toThrow('schema id 1 is not registered')
})

test('error: a folder that cannot be written is IO_ERROR', async () => {
  const file = join(newFolder(), 'file')
  await writeFile(file, '')
  await expect(openFileRegistry(join(file, 'registry.json'))).rejects.toMatchObject({ code: 'IO_ERROR' })
})
