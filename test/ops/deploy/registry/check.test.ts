import { expect, test } from 'vitest'
import { textOf } from '../../../../ops/base/output.ts'
import { checkHistory } from '../../../../ops/deploy/registry/check.ts'
import { desiredSchemas } from '../../../../ops/deploy/registry/desired.ts'
import { diffHistory } from '../../../../ops/deploy/registry/diff.ts'
import { differences } from '../../../../ops/deploy/registry/differences.ts'
import { renderCheck, renderDiff } from '../../../../ops/deploy/registry/render.ts'
import type { AvroSchema } from '../../../../schemas/load.ts'
import { SUBJECTS } from '../../../../schemas/subjects.ts'
import { changedSchemas, compatible, incompatible } from './changed.ts'

const count = Object.keys(SUBJECTS).length

test('default: the schemas of this program are those of the history', () => {
  expect(textOf(renderCheck(checkHistory(desiredSchemas())))).toBe(
    [
      `${count} subjects against the history`,
      `   ${count} unchanged`,
      'Every version reads every other (FULL_TRANSITIVE).',
      '',
    ].join('\n'),
  )
  expect(textOf(renderDiff(diffHistory(desiredSchemas())))).toBe(`${count} subjects are as in the history.\n`)
})

test('behavior: a compatible change passes and is named', () => {
  const report = checkHistory(desiredSchemas(changedSchemas(compatible)))
  expect(report.ok).toBe(true)
  expect(textOf(renderCheck(report))).toBe(
    [
      `${count} subjects against the history`,
      `   ${count - 1} unchanged`,
      '    1 with a compatible change',
      '      slots-key',
      'Every version reads every other (FULL_TRANSITIVE).',
      '',
    ].join('\n'),
  )
})

test('error: a breaking change is refused with subject, field and rule', () => {
  const report = checkHistory(desiredSchemas(changedSchemas({ ...compatible, ...incompatible })))
  expect(report.ok).toBe(false)
  expect(textOf(renderCheck(report))).toBe(
    [
      `${count} subjects against the history`,
      `   ${count - 2} unchanged`,
      '    1 with a compatible change',
      '      slots-key',
      '    1 REFUSED',
      '      verdicts-value',
      'verdicts-value: Verdict.score: FIELD_WITHOUT_DEFAULT: a field that one version lacks must have a default in the other',
      'Not FULL_TRANSITIVE: give the field a default, or make a new topic.',
      '',
    ].join('\n'),
  )
})

test('behavior: diff names each field that came, went or changed', () => {
  const changed = changedSchemas({ ...compatible, ...incompatible })
  expect(textOf(renderDiff(diffHistory(desiredSchemas(changed))))).toBe(
    [
      'slots-key, to version 1:',
      '  + SlotKey.region: string = "eu"',
      'verdicts-value, to version 2:',
      '  + Verdict.score: long',
      '',
    ].join('\n'),
  )
})

test('behavior: diff sees words, defaults, symbols, branches and nested types', () => {
  const thing = (fields: object[], doc?: string): AvroSchema =>
    ({ type: 'record', name: 'T', namespace: 'n', ...(doc && { doc }), fields }) as AvroSchema
  const kind = (symbols: string[], fallback: string) => ({ type: 'enum', name: 'K', symbols, default: fallback })
  const before = [
    thing([
      { name: 'gone', type: 'long' },
      { name: 'kind', type: kind(['A', 'B'], 'A') },
      {
        name: 'list',
        type: { type: 'array', items: { type: 'record', name: 'I', fields: [{ name: 'x', type: 'long' }] } },
      },
    ]),
  ]
  const after = [
    thing(
      [
        { name: 'kind', type: kind(['A', 'B'], 'B'), doc: 'which' },
        {
          name: 'list',
          type: { type: 'array', items: { type: 'record', name: 'I', fields: [{ name: 'x', type: 'int' }] } },
        },
        { name: 'more', type: ['null', 'n.K'], default: null },
      ],
      'a thing',
    ),
    { type: 'record', name: 'U', fields: [] } as AvroSchema,
  ]
  expect(differences(before, after)).toEqual([
    { where: '(branches)', before: 'T', after: 'T, U' },
    { where: 'T (words)', after: 'a thing' },
    { where: 'T.kind (words)', after: 'which' },
    { where: 'T.kind (symbols)', before: 'A, B = "A"', after: 'A, B = "B"' },
    { where: 'T.list[].x', before: 'long', after: 'int' },
    { where: 'T.more', after: 'null | K = null' },
    { where: 'T.gone', before: 'long' },
  ])
})

test('args: the same schema with its names in another form does not differ', () => {
  const apart = { type: 'record', name: 'T', namespace: 'n', fields: [] } as AvroSchema
  expect(differences(apart, { type: 'record', name: 'n.T', fields: [] } as AvroSchema)).toEqual([])
})
