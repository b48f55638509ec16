import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LENGTH_MAX } from '../../../connectors/libp2p/wire.ts'
import { faultOfForm } from '../../../ops/check/audit/form.ts'
import { checkRules, MARKET_DEFAULTS, TEXT_BYTES_MAX } from '../../../topology/rules.ts'
import { excerpt, formFault } from '../../../topology/validate/form.ts'
import { closeEpoch, marketRules, openedWorld, rulesOf, type SubmissionFields, submissionOf } from '../world.ts'

const fits = { projectId: MARKET_DEFAULTS.projectIdBytesMax, snapshotCid: 128, nodeVersion: 64 } as const
const faultOf = (fields: SubmissionFields) => formFault(submissionOf({ signature: '00', ...fields }), marketRules())

/** The verdict goes by fixed tables; this says when the tables of Unicode that Node knows have moved on. */
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u

describe('length', () => {
  test.each(Object.entries(fits))('args: %s up to %i bytes of UTF-8', (name, bytes) => {
    for (const letter of ['a', 'é', '語', '\u{1f600}', 'e\u0301']) {
      const count = Math.floor(bytes / Buffer.byteLength(letter))
      const longest = letter.repeat(count).padEnd(count * letter.length + (bytes % Buffer.byteLength(letter)), '-')
      expect(Buffer.byteLength(longest)).toBe(bytes)
      expect(faultOf({ [name]: longest })).toBeUndefined()
      expect(faultOf({ [name]: `${longest}.` })).toMatchObject({
        reason: 'OVERSIZE',
        evidence: { rule: `${name} is not too long`, expected: `at most ${bytes} bytes` },
      })
    }
  })
  test('behavior: the intake takes what the widest rule takes', () => {
    for (const [name, bytes] of Object.entries(TEXT_BYTES_MAX))
      expect(LENGTH_MAX[name as keyof typeof LENGTH_MAX]).toBeGreaterThanOrEqual(bytes)
  })
  test.each(['projectId', 'snapshotCid', 'nodeVersion'] as const)('error: %sBytesMax beyond it', (name) => {
    for (const bytes of [0, 1.5, TEXT_BYTES_MAX[name] + 1])
      expect(() => checkRules(rulesOf({ [`${name}BytesMax`]: bytes }))).toThrow(`${name}BytesMax of 0x`)
  })
})

describe('characters', () => {
  test('behavior: every code point is judged as Unicode has it, in topology and audit alike', () => {
    const rules = marketRules()
    const submission = submissionOf({ signature: '00' })
    const wrong: string[] = []
    for (let code = 0; code <= 0x10ffff; code++) {
      const named = { ...submission, projectId: String.fromCodePoint(code) }
      const expected = hidden.test(named.projectId) ? 'MALFORMED' : undefined
      if (formFault(named, rules)?.reason !== expected || faultOfForm(named, rules) !== expected)
        wrong.push(code.toString(16))
    }
    expect(wrong).toEqual([])
  })
  test.each([
    ['projectId', ''],
    ['snapshotCid', ''],
    ['projectId', 'a\u0000'],
    ['snapshotCid', 'bafy\u001b]0;title\u0007'],
    ['nodeVersion', 'v1\u202e'],
    ['projectId', 'half \ud83d of a pair'],
    ['submissionId', 'no uuid'],
    ['submissionId', '00000001-0000-4000-8000-00000000000A'],
  ])('error: %s %j', (name, text) => {
    expect(faultOf({ [name]: text })).toMatchObject({ reason: 'MALFORMED' })
  })
  test('behavior: an absent or empty node version is one', () => {
    expect(faultOf({ nodeVersion: null })).toBeUndefined()
    expect(faultOf({ nodeVersion: '' })).toBeUndefined()
  })
})

describe('excerpt', () => {
  test.each([
    ['plain', 'plain'],
    ['a\u0000\u202e\ud800b', 'a\\u{0}\\u{202e}\\u{d800}b'],
    ['\u{1f600}'.repeat(64), '\u{1f600}'.repeat(64)],
    [`a${'\u{1f600}'.repeat(64)}`, `a${'\u{1f600}'.repeat(63)}… (257 bytes)`],
    ['\u001b'.repeat(4_096), `${'\\u{1b}'.repeat(64)}… (4096 bytes)`],
  ])('behavior: of %j', (text, shown) => expect(excerpt(text)).toBe(shown))
})

const strange = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)), maxLength: 20 }),
  fc.string({ unit: 'grapheme-composite', maxLength: 40 }),
  fc
    .tuple(fc.constantFrom('a', 'é', '語', '\u{1f600}', '\u0301'), fc.integer({ min: 0, max: 260 }))
    .map(([letter, n]) => letter.repeat(n)),
)
test('behavior: topology and audit agree on the form of the strangest texts, and evidence is short and printable', () => {
  fc.assert(
    fc.property(
      fc.record(
        { projectId: strange, snapshotCid: strange, nodeVersion: fc.option(strange), submissionId: strange },
        { requiredKeys: [] },
      ),
      (fields) => {
        const submission = submissionOf({ signature: '00', ...fields } as SubmissionFields)
        const fault = formFault(submission, marketRules())
        expect(faultOfForm(submission, marketRules())).toBe(fault?.reason)
        for (const text of Object.values(fault?.evidence ?? {})) {
          expect(text.length).toBeLessThan(700)
          expect(text).not.toMatch(hidden)
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('behavior: a text of wrong form is refused before the signature, and nothing of it is anchored', () => {
  const world = openedWorld()
  const empty = world.submit(submissionOf({ snapshotCid: '' }))
  const control = world.submit(submissionOf({ slotId: 2, projectId: 'a\u001b[2J', signature: 'zz' }))
  const long = world.submit(submissionOf({ slotId: 3, projectId: 'x'.repeat(257) }))
  const good = world.submit(submissionOf({ slotId: 4, projectId: 'x'.repeat(256) }))
  closeEpoch(world)
  expect([empty, control, long, good].map((one) => world.reasonOf(one))).toEqual([
    'MALFORMED',
    'MALFORMED',
    'OVERSIZE',
    'COUNTED',
  ])
  expect(world.verdictOn(control)).toMatchObject({
    stage: 'validate',
    rule: 'projectId is printable',
    actual: 'a\\u{1b}[2J',
  })
  expect(world.batches().flatMap(({ projectIds }) => projectIds)).toEqual([good.projectId])
})
