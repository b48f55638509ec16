/** The client against a fake that answers as Confluent's registry does (fake-confluent.ts says in what). */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ConfluentRegistry, createConfluentRegistry } from '../../../connectors/schema-registry/confluent.ts'
import type { AvroSchema } from '../../../schemas/load.ts'
import { NotAvroError } from '../../../schemas/registry.ts'
import { type FakeConfluent, startFakeConfluent } from './fake-confluent.ts'

let fake: FakeConfluent
let registry: ConfluentRegistry
beforeEach(async () => {
  fake = await startFakeConfluent()
  registry = createConfluentRegistry({ url: fake.url, requestTimeoutMs: 300 })
})
afterEach(() => fake.close())

const thing = (doc?: string): AvroSchema =>
  ({ type: 'record', name: 'Thing', fields: [{ name: 'id', type: 'long', ...(doc && { doc }) }] }) as AvroSchema

describe('fake Confluent: answers', () => {
  test('behavior: a subject without a level of its own is given one, before its first schema', async () => {
    expect(await registry.level('a-value')).toBeUndefined()
    await registry.register('a-value', thing())
    expect(await registry.level('a-value')).toBe('FULL_TRANSITIVE')
    const writes = fake.requests.filter((request) => !request.startsWith('GET'))
    expect(writes).toEqual(['PUT /config/a-value', 'POST /subjects/a-value/versions'])
  })

  test('behavior: a schema that is there is not written again, so reading rights are enough', async () => {
    const id = await registry.register('a-value', thing())
    fake.requests.length = 0
    expect(await registry.register('a-value', thing())).toBe(id)
    expect(fake.requests.every((request) => request.startsWith('GET'))).toBe(true)
  })

  test('behavior: one schema has one id under two subjects, and other words are a version of their own', async () => {
    const id = await registry.register('a-value', thing())
    expect(await registry.register('b-value', thing())).toBe(id)
    const worded = await registry.register('a-value', thing('of the thing'))
    expect(worded).not.toBe(id)
    expect(await registry.versions('a-value')).toEqual([
      { version: 1, id, schema: thing() },
      { version: 2, id: worded, schema: thing('of the thing') },
    ])
    expect(await registry.register('a-value', thing())).toBe(id)
  })

  test('error: a read-only subject refuses with what the registry says', async () => {
    fake.readOnly = true
    const refused = registry.register('a-value', thing())
    await expect(refused).rejects.toMatchObject({ code: 'SCHEMA_REFUSED', retriable: false })
    await expect(refused).rejects.toThrow(/a-value \(42205\): .*read-only/)
  })

  test('error: a level that the registry does not keep', async () => {
    fake.stubbornLevel = 'BACKWARD'
    await expect(registry.register('a-value', thing())).rejects.toMatchObject({
      code: 'REGISTRY_MISMATCH',
      message: expect.stringContaining('level BACKWARD'),
    })
  })

  test('error: an id that stands for another schema than was registered', async () => {
    fake.put(100, { schema: '"string"' })
    fake.failures.push([200, { compatibilityLevel: 'FULL_TRANSITIVE' }], [200, []], [200, { id: 100 }])
    await expect(registry.register('a-value', thing())).rejects.toMatchObject({ code: 'REGISTRY_MISMATCH' })
  })

  test('behavior: a schema with references comes back whole', async () => {
    const inner = { type: 'record', name: 'Inner', fields: [{ name: 'n', type: 'long' }] } as AvroSchema
    await registry.register('inner-value', inner)
    const outer = { type: 'record', name: 'Outer', fields: [{ name: 'inner', type: 'Inner' }] }
    const references = [{ name: 'Inner', subject: 'inner-value', version: 1 }]
    fake.put(7, { schema: JSON.stringify(outer), references })
    expect(await registry.schemaOf(7)).toEqual({ ...outer, fields: [{ name: 'inner', type: inner }] })
  })

  test('error: an id of another kind of schema, or of none', async () => {
    fake.put(8, { schemaType: 'PROTOBUF', schema: 'syntax = "proto3"; message M { int64 n = 1; }' })
    fake.put(9, { schema: '{"type":"record"}' })
    for (const id of [8, 9]) await expect(registry.schemaOf(id)).rejects.toThrow(NotAvroError)
  })

  test('behavior: a subject is deleted softly, then for good', async () => {
    await registry.register('a-value', thing())
    fake.requests.length = 0
    await registry.deleteSubject('a-value')
    expect(fake.requests).toEqual(['DELETE /subjects/a-value', 'DELETE /subjects/a-value?permanent=true'])
  })
})

describe('fake Confluent: JSON of another shape', () => {
  const other = [
    {},
    null,
    7,
    'text',
    [{}],
    ['a'],
    { compatibilityLevel: 1 },
    { id: 'x' },
    { error_code: {}, message: [] },
  ]
  test.each(other.map((body) => [JSON.stringify(body), body]))(
    'error: %s is no answer of a registry',
    async (_, body) => {
      const calls: [string, readonly (readonly [number, unknown])[], () => Promise<unknown>][] = [
        ['versions', [[200, body]], () => registry.versions('a-value')],
        [
          'one version',
          [
            [200, [1]],
            [200, body],
          ],
          () => registry.versions('a-value'),
        ],
        ['level', [[200, body]], () => registry.level('a-value')],
        [
          'id',
          [
            [200, { compatibilityLevel: 'FULL_TRANSITIVE' }],
            [200, []],
            [200, body],
          ],
          () => registry.register('a-value', thing()),
        ],
        ['a refusal', [[404, body]], () => registry.level('a-value')],
      ]
      if (!Array.isArray(body) || typeof body[0] !== 'string')
        // a list of names is one
        calls.push(['subjects', [[200, body]], () => registry.subjects()])
      for (const [name, answers, call] of calls) {
        fake.failures.push(...answers)
        await expect(call(), name).rejects.toMatchObject({ code: 'NOT_A_REGISTRY', retriable: false })
        expect(fake.failures, name).toEqual([])
      }
    },
  )

  test.each([['syntax = "proto3";'], ['5'], ['null']])('error: a version whose schema is %s', async (schema) => {
    fake.failures.push([200, [1]], [200, { version: 1, id: 1, schema }])
    await expect(registry.versions('a-value')).rejects.toMatchObject({ code: 'NOT_A_REGISTRY' })
  })
})

describe('fake Confluent: failures', () => {
  test.each(['cut', 'half an answer', 'silence', [500, { error_code: 50001, message: 'store' }]] as const)(
    'behavior: %s once is tried again, by every call',
    async (failure) => {
      const id = await registry.register('a-value', thing())
      for (const call of [
        () => createConfluentRegistry({ url: fake.url, requestTimeoutMs: 300 }).schemaOf(id),
        () => registry.versions('a-value'),
        () => registry.level('a-value'),
      ]) {
        fake.failures.push(failure)
        await call()
        expect(fake.failures).toEqual([])
      }
    },
  )

  test('error: silence is given up after a bounded number of tries, and costs nothing later', async () => {
    const id = await registry.register('a-value', thing())
    const fresh = createConfluentRegistry({ url: fake.url, requestTimeoutMs: 100 })
    fake.requests.length = 0
    fake.failures.push('silence', 'silence', 'silence', 'silence')
    await expect(fresh.schemaOf(id)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE', retriable: true })
    expect(fake.requests).toHaveLength(4)
    expect(await fresh.schemaOf(id)).toEqual(thing())
  })

  test('error: many requests together give silence up as soon as one by itself, and later ones ask again', async () => {
    const fresh = createConfluentRegistry({ url: fake.url, requestTimeoutMs: 100 })
    const asked = Array.from({ length: 60 }, (_, at) => fresh.versions(`t-${at}`))
    fake.requests.length = 0
    fake.failures.push(...Array<'silence'>(60).fill('silence'))
    for (const one of await Promise.allSettled(asked))
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'REGISTRY_UNREACHABLE' } })
    expect(fake.requests.length).toBeLessThanOrEqual(18) // six at a time, for twice the limit of a request, and who is under way then
    fake.failures.length = 0
    expect(await fresh.versions('t-0')).toEqual([])
  })

  test('behavior: a process that waits for the registry alone is kept alive until the wait ends', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const before = timers()
    fake.failures.push('silence', 'silence', 'silence', 'silence')
    const call = expect(registry.versions('a-value')).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
    await new Promise(setImmediate)
    expect(timers()).toBeGreaterThan(before)
    await call
  })

  test('error: nobody listens', async () => {
    await fake.close()
    await expect(registry.versions('a-value')).rejects.toMatchObject({
      code: 'REGISTRY_UNREACHABLE',
      message: expect.stringMatching(/ECONNREFUSED/),
    })
    await expect(registry.schemaOf(1)).rejects.toMatchObject({ code: 'REGISTRY_UNREACHABLE' })
  })

  test('error: no rights', async () => {
    for (const status of [401, 403]) {
      fake.failures.push([status, { error_code: 40101, message: 'who?' }])
      await expect(registry.versions('a-value')).rejects.toMatchObject({ code: 'REGISTRY_RIGHTS', retriable: false })
      fake.failures.push([status, { error_code: 40101, message: 'who?' }])
      await expect(registry.schemaOf(1)).rejects.toMatchObject({ code: 'REGISTRY_RIGHTS' })
    }
  })

  test('error: something else than a registry answers', async () => {
    for (const answer of [
      [404, '<html>'],
      [200, '<html>'],
      [302, ''],
      [404, { message: 'no route' }],
    ] as const) {
      fake.failures.push(answer)
      await expect(registry.versions('a-value')).rejects.toMatchObject({ code: 'NOT_A_REGISTRY' })
    }
  })

  test('args: name and password come from the address, and no message shows them', async () => {
    const url = fake.url.replace('http://', 'http://anna:p%40ss@')
    const named = createConfluentRegistry({ url, requestTimeoutMs: 300 })
    await named.register('a-value', thing())
    const expected = `Basic ${Buffer.from('anna:p@ss').toString('base64')}`
    expect(new Set(fake.authorizations)).toEqual(new Set([expected]))
    expect(named.url).toBe(fake.url)
    fake.failures.push([401, { error_code: 40101, message: 'no' }])
    const failed = await named.versions('a-value').catch((error) => String(error))
    expect(failed).not.toContain('p@ss')
  })
})

describe('a registry whose certificate an authority of its own has signed', () => {
  const pem = (name: string) => readFileSync(new URL(name, import.meta.url))
  const cert = pem('registry-cert.pem')
  let secure: FakeConfluent
  beforeEach(async () => {
    secure = await startFakeConfluent({ key: pem('registry-key.pem'), cert })
  })
  afterEach(() => secure.close())

  test('default: it is believed when its authority is named, for what is listed and for what is read by id', async () => {
    const named = createConfluentRegistry({ url: secure.url, ca: cert.toString() })
    const id = await named.register('a-value', thing())
    expect(await named.schemaOf(id)).toMatchObject({ name: 'Thing' })
    expect(await named.subjects()).toEqual(['a-value'])
  })

  test('error: not otherwise, and the words say why', async () => {
    const unnamed = createConfluentRegistry({ url: secure.url, requestTimeoutMs: 5_000 })
    await expect(unnamed.subjects()).rejects.toThrow('self-signed certificate')
  })

  test('error: one that does not answer, and one that breaks off', async () => {
    const named = createConfluentRegistry({ url: secure.url, ca: cert.toString(), requestTimeoutMs: 300 })
    secure.failures.push('silence', 'cut', 'half an answer')
    expect(await named.subjects()).toEqual([])
  })
})
