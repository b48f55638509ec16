import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { endOf, keyOf, partsOf, prefixOf } from '../../../ops/api/view/keys.ts'

/** Any UTF-16 text, the separator and the escape often, halves of characters too. */
const part = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('\u0000', '\u0001', '\u0002', '\u0003', '\u0004', 'a', 'd800', '\ud800', '\udc00'),
  }),
)
const list = fc.array(part, { minLength: 1, maxLength: 4 })
const bytesOf = (text: string): Buffer => Buffer.from(text)

describe('keys of the view', () => {
  test('property: give back what they were made of, so no two lists have one key; also as UTF-8', () => {
    fc.assert(
      fc.property(list, (parts) => {
        const key = keyOf(...parts)
        expect(partsOf(key)).toEqual(parts)
        expect(bytesOf(key).toString()).toBe(key)
      }),
      { numRuns: 5_000 },
    )
  })
  test('property: a prefix begins exactly the keys with its parts before others', () => {
    fc.assert(
      fc.property(list, list, (parts, others) => {
        const [prefix, key] = [prefixOf(...parts), keyOf(...others)]
        const isWithin = bytesOf(key).compare(bytesOf(prefix)) >= 0 && bytesOf(key).compare(bytesOf(endOf(prefix))) < 0
        const begins = others.length > parts.length && parts.every((one, i) => one === others[i])
        expect(isWithin).toBe(begins)
        expect(key.startsWith(prefix)).toBe(begins)
      }),
      { numRuns: 5_000 },
    )
  })
  test('property: the order of keys is that of the parts', () => {
    const whole = part.filter((text) => bytesOf(text).toString() === text)
    fc.assert(
      fc.property(
        fc.array(whole, { minLength: 2, maxLength: 2 }),
        fc.array(whole, { minLength: 2, maxLength: 2 }),
        (a, b) => {
          const at = a.findIndex((one, i) => one !== b[i])
          const expected = at < 0 ? 0 : bytesOf(a[at]!).compare(bytesOf(b[at]!))
          expect(bytesOf(keyOf(...a)).compare(bytesOf(keyOf(...b)))).toBe(expected)
        },
      ),
      { numRuns: 5_000 },
    )
  })
})
