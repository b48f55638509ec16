/** The two implementations of whose turn a data source is. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isItsTurn } from '../../../../ops/check/audit/turns.ts'
import { wrongSource } from '../../../../topology/validate/data-source.ts'
import { submissionOf } from '../../../topology/world.ts'

const number = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom(721, 2 ** 31, Number.MAX_SAFE_INTEGER))
const signer = fc
  .array(fc.constantFrom(...'0123456789abcdef'), { minLength: 40, maxLength: 40 })
  .map((digits) => `0x${digits.join('')}`)
const parts = fc.array(fc.constantFrom('a', 'B', 'b', 'c', 'x', ''), { minLength: 1, maxLength: 4 })

test('behavior: both say the same of every submission', () => {
  const lists = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 7 })
  fc.assert(
    fc.property(
      number,
      number,
      fc.oneof(fc.constant(0), number),
      signer,
      parts,
      lists,
      (epochId, slotId, day, by, names, dataSources) => {
        const submission = { ...submissionOf(), epochId, slotId, projectId: names.join(':') }
        const rules = { dataSources, fullNodes: [] }
        expect(isItsTurn({ submission, signer: by }, day, rules)).toBe(!wrongSource(submission, by, day, dataSources))
      },
    ),
    { numRuns: 1_000 },
  )
})

test('args: without a list, and for full nodes, it is always their turn', () => {
  const entry = { submission: submissionOf({ projectId: 'p' }), signer: `0x${'1'.repeat(40)}` }
  expect(isItsTurn(entry, 1, { dataSources: [], fullNodes: [] })).toBe(true)
  expect(isItsTurn(entry, 1, { dataSources: ['a'], fullNodes: [entry.signer] })).toBe(true)
  expect(isItsTurn(entry, 1, { dataSources: ['a'], fullNodes: [] })).toBe(false)
})
