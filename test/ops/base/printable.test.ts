import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { printable, printableJson, printableLine, SHOWN_MAX } from '../../../ops/base/printable.ts'
import { OBEYED } from '../hostile.ts'

const vectors = JSON.parse(readFileSync(new URL('../../vectors/foreign-texts.json', import.meta.url), 'utf8')) as {
  readonly name: string
  readonly given: string
  readonly shown: string
}[]

/** Any UTF-16, also halves of pairs; short ones by far more often of what is hostile. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 400 }).map((units) => String.fromCharCode(...units)),
  fc.string({
    unit: fc.constantFrom('\\', 'u', '{', '}', '1', 'b', ' ', '\u001b', '\n', 'n', '…', '\u202e'),
    maxLength: 40,
  }),
)

describe('printable', () => {
  test.each(vectors)('default: $name', ({ given, shown }) => {
    expect(printable(given)).toBe(shown)
    expect(printableLine(shown)).toBe(shown)
  })

  test('behavior: whatever comes, nothing of it is obeyed, and its length is bounded', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(printable(text)).not.toMatch(OBEYED)
        expect(printableLine(text)).not.toMatch(OBEYED)
        expect(printable(text).length).toBeLessThanOrEqual(SHOWN_MAX + '… (1200 bytes)'.length)
      }),
    )
  })

  test('behavior: what was not cut can be read back, so no two texts are shown alike', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const shown = printable(text, 1_000_000)
        const read = shown.replace(/\\(?:u\{([0-9a-f]+)\}|(.))/gu, (_, code?: string, letter?: string) =>
          code === undefined
            ? ({ n: '\n', r: '\r', t: '\t' }[letter!] ?? letter!)
            : String.fromCodePoint(Number(`0x${code}`)),
        )
        expect(read).toBe(text)
      }),
    )
  })

  test('behavior: JSON means the same, and nothing of it is obeyed', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const json = printableJson(JSON.stringify({ [text]: text }))
        expect(json).not.toMatch(OBEYED)
        expect(JSON.parse(json)).toEqual({ [text]: text })
      }),
    )
  })
})
