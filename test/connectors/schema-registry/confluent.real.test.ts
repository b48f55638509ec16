import { beforeAll, describe, expect, test } from 'vitest'
import { type ConfluentRegistry, createConfluentRegistry } from '../../../connectors/schema-registry/confluent.ts'
import { sameOnTheWire } from '../../../connectors/schema-registry/same.ts'
import { createCodec } from '../../../schemas/codec.ts'
import { incompatibilities, SchemaIncompatibleError } from '../../../schemas/compatibility.ts'
import { type AvroSchema, subjectSchema } from '../../../schemas/load.ts'
import { SUBJECTS, type Subject } from '../../../schemas/subjects.ts'
import { useRegistry } from '../../real/registry.ts'

const { server } = useRegistry()
let registry: ConfluentRegistry

beforeAll(async () => {
  registry = createConfluentRegistry({ url: server().url })
}, 900_000)

const id = { name: 'id', type: 'long' }
const record = (...fields: object[]): AvroSchema =>
  ({ type: 'record', name: 'Thing', namespace: 'test', fields }) as never
const kind = (symbols: string[], fallback?: string) => ({
  name: 'kind',
  type: { type: 'enum', name: 'Kind', symbols, ...(fallback && { default: fallback }) },
})
const list = (items: string) => ({ name: 'list', type: { type: 'array', items } })
const other = { type: 'record', name: 'Other', namespace: 'test', fields: [id] } as AvroSchema
const note = { name: 'note', type: 'string', default: '' }

describe('every subject of ours', () => {
  test('default: is registered at level FULL_TRANSITIVE, once, with ids of the registry', async () => {
    const codec = await createCodec(registry, 'all-')
    const again = await createCodec(registry, 'all-')
    const key = { slotId: 7 }
    expect(Buffer.from(again.serde('slots-key').encode(key))).toEqual(Buffer.from(codec.serde('slots-key').encode(key)))
    const names = Object.keys(SUBJECTS).map((name) => `all-${name}`)
    expect((await registry.subjects()).filter((name) => name.startsWith('all-')).sort()).toEqual(names.sort())
    for (const name of names) {
      expect([name, await registry.level(name)]).toEqual([name, 'FULL_TRANSITIVE'])
      expect([name, (await registry.versions(name)).length]).toEqual([name, 1])
    }
  })

  test('behavior: comes back by its id as what was registered', async () => {
    for (const [name, subject] of Object.entries<Subject>(SUBJECTS)) {
      const schema = subjectSchema(subject)
      const registered = await registry.register(`all-${name}`, schema)
      expect(await registry.versions(`all-${name}`)).toMatchObject([{ version: 1, id: registered }])
      const kept = await registry.schemaOf(registered)
      expect([name, sameOnTheWire(kept, schema), incompatibilities(kept, schema)]).toEqual([name, true, []])
    }
  })
})

describe('a subject', () => {
  test('behavior: takes a compatible version and keeps both, oldest first', async () => {
    const first = await registry.register('grows', record(id))
    const second = await registry.register('grows', record(id, note))
    expect(second).not.toBe(first)
    expect(await registry.versions('grows')).toMatchObject([
      { version: 1, id: first, schema: record(id) },
      { version: 2, id: second, schema: record(id, note) },
    ])
    expect(await registry.register('grows', record(id))).toBe(first)
  })

  test('error: an incompatible version is refused with the field and the rule', async () => {
    await registry.register('breaks', record(id))
    const broken = registry.register('breaks', record(id, { name: 'must', type: 'string' }))
    await expect(broken).rejects.toThrow(SchemaIncompatibleError)
    await expect(broken).rejects.toThrow(/breaks.*Thing\.must: FIELD_WITHOUT_DEFAULT/)
    expect(await registry.versions('breaks')).toHaveLength(1)
  })

  const changes: [string, AvroSchema, AvroSchema][] = [
    ['a field with a default comes', record(id), record(id, note)],
    ['a field with a default goes', record(id, note), record(id)],
    ['a field without a default comes', record(id), record(id, { name: 'n', type: 'string' })],
    ['a field without a default goes', record(id, { name: 'n', type: 'string' }), record(id)],
    ['a type changes', record(id), record({ name: 'id', type: 'string' })],
    ['a number grows', record({ name: 'id', type: 'int' }), record(id)],
    ['a type is wrapped in a union', record(id), record({ name: 'id', type: ['long', 'null'] })],
    ['a symbol comes, with a default', record(id, kind(['A'], 'A')), record(id, kind(['A', 'B'], 'A'))],
    ['a symbol comes, without a default', record(id, kind(['A'])), record(id, kind(['A', 'B']))],
    ['items change', record(id, list('long')), record(id, list('string'))],
    ['a record is renamed', record(id), { ...(record(id) as object), name: 'Other' } as AvroSchema],
    ['a branch comes', [record(id)], [record(id), other]],
    ['words change', record(id), record({ ...id, doc: 'a number' })],
  ]
  test.each(changes)('behavior: %s: the registry judges as we do', async (name, from, to) => {
    const subject = `agrees-${name.replaceAll(' ', '-').replace(',', '')}`
    await registry.register(subject, from)
    const response = await fetch(`${server().url}/compatibility/subjects/${subject}/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ schema: JSON.stringify(to) }),
    })
    const found = [...incompatibilities(from, to), ...incompatibilities(to, from)]
    expect(await response.json()).toMatchObject({ is_compatible: found.length === 0 })
  })

  test('behavior: has no level of its own until one is set, and none of its versions after it is deleted', async () => {
    expect(await registry.level('unknown')).toBeUndefined()
    expect(await registry.versions('unknown')).toEqual([])
    await registry.register('goes', record(id))
    await registry.deleteSubject('goes')
    expect(await registry.versions('goes')).toEqual([])
    await registry.deleteSubject('goes')
  })
})

describe('what cannot be had', () => {
  test('error: an id that nobody registered is named', async () => {
    await expect(registry.schemaOf(999_999)).rejects.toMatchObject({
      code: 'UNKNOWN_SCHEMA',
      retriable: true,
      message: expect.stringContaining('999999'),
    })
  })

  test('error: a wrong base address is no registry', async () => {
    const wrong = createConfluentRegistry({ url: server().url.replace('/apis/ccompat/v7', '/nowhere') })
    await expect(wrong.subjects()).rejects.toMatchObject({ code: 'NOT_A_REGISTRY', retriable: false })
  })

  test('behavior: while the registry is away calls fail within their bound; when it is back its schemas are there', async () => {
    const known = await registry.register('stays', record(id))
    await server().kill9()
    const fresh = createConfluentRegistry({ url: server().url }) // the other one knows the schema by now
    await expect(fresh.schemaOf(known)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE', retriable: true })
    await expect(registry.register('stays', record(id, note))).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
    await server().restart()
    expect(await fresh.schemaOf(known)).toMatchObject({ type: 'record', fields: [{ name: 'id' }] })
    expect(await registry.register('stays', record(id))).toBe(known)
  })
})
