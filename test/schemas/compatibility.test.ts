import avro from 'avsc'
import { describe, expect, test } from 'vitest'
import { assertFullTransitive, incompatibilities, SchemaIncompatibleError } from '../../schemas/compatibility.ts'
import { historyOf, updateHistory } from '../../schemas/history.ts'
import { type AvroSchema, subjectSchema } from '../../schemas/load.ts'
import { SUBJECTS, type Subject } from '../../schemas/subjects.ts'
import { newFolder } from '../folder.ts'

const subjects = Object.entries<Subject>(SUBJECTS)
const typeOf = (schema: AvroSchema) => avro.Type.forSchema(schema as avro.Schema)

describe('history', () => {
  test('behavior: holds the current version of every subject (else: npm run schemas:history)', () => {
    expect(updateHistory({ write: false })).toEqual([])
  })

  test.each(subjects)('behavior: %s reads every version, and every version reads it', (name, subject) => {
    const now = subjectSchema(subject)
    const versions = historyOf(name)
    expect(versions.length).toBeGreaterThan(0)
    for (const version of versions) {
      typeOf(now).createResolver(typeOf(version)) // avsc throws where it cannot
      typeOf(version).createResolver(typeOf(now))
    }
    assertFullTransitive(name, versions, now)
  })

  test('behavior: a run adds what is missing, a second run nothing', () => {
    const folder = `${newFolder()}/`
    expect(updateHistory({ write: true, folder })).toHaveLength(subjects.length)
    expect(updateHistory({ write: true, folder })).toEqual([])
    expect(historyOf('batches-value', folder)).toHaveLength(1)
  })
})

describe('rules', () => {
  const record = (...fields: object[]): AvroSchema => ({ type: 'record', name: 'R', fields }) as AvroSchema
  const a = { name: 'a', type: 'long' }
  const cases: { name: string; from: AvroSchema; to: AvroSchema; field: string; rule: string }[] = [
    {
      name: 'a new field without a default',
      from: record(a),
      to: record(a, { name: 'b', type: 'string' }),
      field: 'R.b',
      rule: 'FIELD_WITHOUT_DEFAULT',
    },
    {
      name: 'a dropped field that had no default',
      from: record(a, { name: 'b', type: 'string' }),
      to: record(a),
      field: 'R.b',
      rule: 'FIELD_WITHOUT_DEFAULT',
    },
    {
      name: 'a renamed field',
      from: record(a),
      to: record({ name: 'z', type: 'long' }),
      field: 'R.z',
      rule: 'FIELD_WITHOUT_DEFAULT',
    },
    { name: 'another type', from: record(a), to: record({ ...a, type: 'string' }), field: 'R.a', rule: 'TYPE_CHANGED' },
    {
      name: 'a narrower number (one direction only)',
      from: record({ ...a, type: 'int' }),
      to: record(a),
      field: 'R.a',
      rule: 'TYPE_CHANGED',
    },
    {
      name: 'another item type',
      from: record({ name: 'l', type: { type: 'array', items: 'string' } }),
      to: record({ name: 'l', type: { type: 'array', items: 'long' } }),
      field: 'R.l[]',
      rule: 'TYPE_CHANGED',
    },
    {
      name: 'a symbol without an enum default',
      from: record({ name: 'e', type: { type: 'enum', name: 'E', symbols: ['A'] } }),
      to: record({ name: 'e', type: { type: 'enum', name: 'E', symbols: ['A', 'B'] } }),
      field: 'R.e',
      rule: 'SYMBOL_UNKNOWN',
    },
    {
      name: 'a new branch of a union',
      from: record({ name: 'u', type: ['null', 'string'] }),
      to: record({ name: 'u', type: ['null', 'string', 'long'] }),
      field: 'R.u',
      rule: 'BRANCH_UNKNOWN',
    },
    {
      name: 'another record name inside',
      from: record({ name: 'i', type: { type: 'record', name: 'I', fields: [] } }),
      to: record({ name: 'i', type: { type: 'record', name: 'J', fields: [] } }),
      field: 'R.i',
      rule: 'NAME_CHANGED',
    },
    {
      name: 'a field in a record that is used twice',
      from: record({ name: 'i', type: { type: 'record', name: 'I', fields: [a] } }, { name: 'k', type: 'I' }),
      to: record({ name: 'i', type: { type: 'record', name: 'I', fields: [] } }, { name: 'k', type: 'I' }),
      field: 'R.i.a',
      rule: 'FIELD_WITHOUT_DEFAULT',
    },
  ]
  test.each(cases)('error: $name is refused, naming field and rule', ({ from, to, field, rule }) => {
    const refused = () => assertFullTransitive('topic-value', [from], to)
    expect(refused).toThrow(SchemaIncompatibleError)
    expect(refused).toThrow(`${field}: ${rule}`)
    expect(refused).toThrow('topic-value')
  })

  test('default: a name may be written with its namespace or without', () => {
    const inner = { type: 'record', name: 'I', fields: [a] }
    const fields = [
      { name: 'i', type: inner },
      { name: 'k', type: 'I' },
    ]
    const apart = { type: 'record', name: 'R', namespace: 'n.m', fields } as AvroSchema
    const whole = {
      type: 'record',
      name: 'n.m.R',
      fields: [
        { name: 'i', type: { ...inner, name: 'n.m.I' } },
        { name: 'k', type: 'n.m.I' },
      ],
    } as AvroSchema
    expect(() => assertFullTransitive('t', [apart], whole)).not.toThrow()
  })

  test('error: another namespace is another name', () => {
    const named = (namespace: string) => ({ type: 'record', name: 'R', namespace, fields: [a] }) as AvroSchema
    expect(() => assertFullTransitive('t', [named('n')], named('m'))).toThrow('R: NAME_CHANGED (m.R is read as n.R)')
  })

  test('default: fields with defaults, symbols with an enum default, and words may change', () => {
    const e = (symbols: string[]) => ({ name: 'e', type: { type: 'enum', name: 'E', symbols, default: 'A' } })
    const from = record(a, e(['A', 'B']), { name: 'gone', type: 'long', default: 0 })
    const to = record({ ...a, doc: 'words' }, e(['A', 'C']), { name: 'come', type: ['null', 'string'], default: null })
    expect(() => assertFullTransitive('t', [from], to)).not.toThrow()
  })

  test('behavior: every older version counts, not only the last', () => {
    const v1 = record(a, { name: 'b', type: 'string', default: '' })
    const v2 = record(a)
    const v3 = record(a, { name: 'b', type: 'long', default: 0 })
    expect(() => assertFullTransitive('t', [v2], v3)).not.toThrow()
    expect(() => assertFullTransitive('t', [v1, v2], v3)).toThrow('R.b: TYPE_CHANGED')
  })

  test.each(cases)('behavior: avsc agrees on: $name', ({ from, to }) => {
    const resolves = (writer: AvroSchema, reader: AvroSchema): boolean => {
      try {
        typeOf(reader).createResolver(typeOf(writer))
        return true
      } catch {
        return false
      }
    }
    expect(resolves(from, to)).toBe(incompatibilities(from, to).length === 0)
    expect(resolves(to, from)).toBe(incompatibilities(to, from).length === 0)
  })

  test('error: a change of a real subject is refused', () => {
    const batch = structuredClone(subjectSchema(SUBJECTS['anchors-value'])) as unknown as { fields: { name: string }[] }
    const without = { ...batch, fields: batch.fields.filter((field) => field.name !== 'cid') } as unknown as AvroSchema
    expect(() => assertFullTransitive('anchors-value', historyOf('anchors-value'), without)).toThrow(
      'Anchor.cid: FIELD_WITHOUT_DEFAULT',
    )
  })
})
