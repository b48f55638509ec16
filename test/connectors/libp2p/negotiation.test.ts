import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Negotiation } from '../../../connectors/libp2p/negotiation.ts'

/** As multistream-select has it. */
function proposal(name: string): Buffer {
  const text = Buffer.from(`${name}\n`)
  const length = text.length < 128 ? [text.length] : [(text.length & 0x7f) | 0x80, text.length >> 7]
  return Buffer.concat([Buffer.from(length), text])
}

const GREETING = proposal('/multistream/1.0.0')
const MESSAGES_MAX = 16
const create = () => new Negotiation(() => ['/noise', '/tls/1.0.0'], MESSAGES_MAX)

test('default: it ends behind the first protocol that is taken, however the bytes are cut', () => {
  const names = fc.array(fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 300 }), { maxLength: 12 })
  fc.assert(
    fc.property(names, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (some, cuts) => {
      const refused = some.map((name) => `/${name.trim()}`).filter((name) => name !== '/noise')
      const before = Buffer.concat([GREETING, ...refused.map(proposal), proposal('/noise')])
      const bytes = Buffer.concat([before, Buffer.from('what follows is of another kind')])
      const negotiation = create()
      let read = 0
      for (let at = 0, cut = 0; at < bytes.length && negotiation.agreed === undefined; cut++) {
        const end = at + cuts[cut % cuts.length]!
        read += negotiation.read(bytes.subarray(at, end))!
        at = end
      }
      expect(negotiation.agreed).toBe('/noise')
      expect(negotiation.messages).toBe(refused.length + 2)
      expect(read).toBe(before.length)
      expect(negotiation.read(Buffer.from('more'))).toBe(0)
    }),
  )
})

test.each([
  ['a length that never ends', Buffer.of(0x80, 0x80)],
  ['a length above the longest', Buffer.of(0xff, 0x7f)],
  ['a length of nothing', Buffer.of(0)],
  ['a message without its end', Buffer.from('\x02ab')],
  ['more messages than there may be', Buffer.concat([GREETING, ...Array.from({ length: 16 }, () => proposal('/a'))])],
])('error: %s is refused', (_, bytes) => {
  expect(create().read(bytes)).toBeUndefined()
})

test('args: as many messages as there may be, the last of them taken', () => {
  const negotiation = create()
  const refused = Array.from({ length: MESSAGES_MAX - 2 }, () => proposal('/a'))
  negotiation.read(Buffer.concat([GREETING, ...refused, proposal('/tls/1.0.0')]))
  expect(negotiation.agreed).toBe('/tls/1.0.0')
})

test('args: the longest name', () => {
  const negotiation = create()
  expect(negotiation.read(proposal('x'.repeat(1_023)))).toBe(1_026)
  expect(negotiation.read(proposal('x'.repeat(1_024)))).toBeUndefined()
})
