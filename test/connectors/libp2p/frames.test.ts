import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameGate } from '../../../connectors/libp2p/frames.ts'
import { frame } from './frames.ts'

const WINDOW = 256 * 1024

describe('the frames of a connection', () => {
  const frames = fc.array(
    fc.record({ type: fc.constantFrom(0, 1, 2), opens: fc.boolean(), bytes: fc.integer({ min: 0, max: 50 }) }),
    { maxLength: 30 },
  )

  const isWhole = (bytes: Uint8Array): boolean => {
    const view = Buffer.from(bytes)
    let at = 0
    while (at + 12 <= view.length) at += 12 + (view[at + 1] === 0 ? view.readUInt32BE(at + 8) : 0)
    return at === view.length
  }

  test('default: they are counted alike however the bytes are cut, and given on whole', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sent, cuts) => {
        const gate = new FrameGate(WINDOW)
        const bytes = Buffer.concat(
          sent.map(({ type, opens, bytes: length }, i) =>
            frame(type, opens ? 1 : 0, i, length, Buffer.alloc(type === 0 ? length : 0)),
          ),
        )
        let counted = 0
        const given: Uint8Array[] = []
        for (let at = 0, cut = 0; at < bytes.length; cut++) {
          const end = at + cuts[cut % cuts.length]!
          counted += gate.read(bytes.subarray(at, end))!
          given.push(gate.whole)
          at = end
        }
        expect(given.every((whole) => isWhole(whole))).toBe(true)
        expect(Buffer.concat(given)).toEqual(bytes)
        expect(counted).toBe(sent.reduce((sum, { type, opens }) => sum + (opens ? (type === 2 ? 5 : 20) : 1), 0))
        expect(gate.pendingBytes).toBe(0)
      }),
    )
  })

  test('bound: a frame of a whole window is one, and pending until it is there', () => {
    const gate = new FrameGate(WINDOW)
    const bytes = frame(0, 0, 1, WINDOW, Buffer.alloc(WINDOW))
    expect([gate.read(bytes.subarray(0, 7)), gate.read(bytes.subarray(7, 1_000))]).toEqual([0, 1])
    expect(gate.whole).toHaveLength(0)
    expect(gate.pendingBytes).toBe(1_000)
    expect(gate.read(bytes.subarray(1_000))).toBe(0)
    expect(gate.whole).toEqual(bytes)
    expect(gate.pendingBytes).toBe(0)
  })

  test('error: a longer one is told by its head', () => {
    expect(new FrameGate(WINDOW).read(frame(0, 0, 1, WINDOW + 1))).toBeUndefined()
    expect(new FrameGate(WINDOW).read(frame(0, 0, 1, 0xffff_fff0))).toBeUndefined()
  })
})
