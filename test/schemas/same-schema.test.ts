import { expect, test } from 'vitest'
import type { AvroSchema } from '../../schemas/load.ts'
import { sameSchema } from '../../schemas/same-schema.ts'

const point = {
  type: 'record',
  name: 'Point',
  namespace: 'a.b',
  fields: [{ name: 'x', type: 'long', default: 0 }],
} as const
const line = (end: object): AvroSchema =>
  ({ type: 'record', name: 'Line', namespace: 'a.b', fields: [{ name: 'end', type: end }] }) as AvroSchema

test('default: order of attributes, words and where a namespace stands do not matter', () => {
  const { namespace: _, ...inherited } = point
  expect(sameSchema(line(point), line(inherited))).toBe(true)
  expect(sameSchema(point, { ...point, fields: [{ default: 0, doc: 'x', type: 'long', name: 'x' }] })).toBe(true)
})

test('behavior: names, types, defaults and the order of fields do', () => {
  const two = (names: string[]): AvroSchema => ({ ...point, fields: names.map((name) => ({ name, type: 'long' })) })
  expect(sameSchema(point, { ...point, name: 'Dot' })).toBe(false)
  expect(sameSchema(point, { ...point, fields: [{ name: 'x', type: 'long', default: 1 }] })).toBe(false)
  expect(sameSchema(two(['x', 'y']), two(['y', 'x']))).toBe(false)
})
