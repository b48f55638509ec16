import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { INTAKE_LIMITS } from '../../../connectors/libp2p/limits.ts'
import { Records } from '../../../connectors/libp2p/records.ts'
import { SocketGate } from '../../../connectors/libp2p/socket-gate.ts'

const noise = (length: number): Buffer => {
  const record = Buffer.alloc(2 + length, 7)
  record.writeUInt16BE(length)
  return record
}
const tls = (length: number): Buffer => {
  const record = Buffer.alloc(5 + length, 23)
  record.writeUInt16BE(length, 3)
  return record
}

test.each([
  ['/noise', noise],
  ['/tls/1.0.0', tls],
])('default: records of %s are counted alike however the bytes are cut, and given on whole', (protocol, record) => {
  const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 })
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1 }), cuts, (lengths, chunks) => {
      const bytes = Buffer.concat(lengths.map(record))
      expect(new Records(protocol).read(bytes)).toBe(lengths.length)
      const records = new Records(protocol)
      const ends = new Set(lengths.map((_, at) => Buffer.concat(lengths.slice(0, at + 1).map(record)).length))
      const given: Uint8Array[] = []
      let counted = 0
      let pieces = 0
      for (let at = 0; at < bytes.length; pieces++) {
        const end = at + chunks[pieces % chunks.length]!
        counted += records.read(bytes.subarray(at, end))
        given.push(Buffer.from(records.whole))
        const length = given.reduce((sum, one) => sum + one.length, 0)
        expect(length === 0 || ends.has(length)).toBe(true)
        expect(records.pendingBytes).toBe(Math.min(end, bytes.length) - length)
        at = end
      }
      expect(Buffer.concat(given)).toEqual(bytes)
      expect(counted).toBeGreaterThanOrEqual(lengths.length)
      expect(counted).toBeLessThanOrEqual(lengths.length + pieces) // a chunk without the end of a head counts as one
    }),
  )
})

test('args: chunks of an encryption that is not known count as one each, and go on as they come', () => {
  const records = new Records('/another')
  expect(records.read(Buffer.alloc(1_000))).toBe(1)
  expect([records.whole.length, records.pendingBytes]).toEqual([1_000, 0])
})

test('args: a long record counts as several', () => {
  expect(new Records('/noise').read(noise(65_000))).toBe(16)
})

describe('bytes of a socket', () => {
  const AGREED = Buffer.from('\x13/multistream/1.0.0\n\x07/noise\n')

  function world(limits: Partial<typeof INTAKE_LIMITS> = {}) {
    const passed: Buffer[] = []
    const told: string[] = []
    const socket = {
      status: 'open',
      onData: (data: Uint8Array) => void passed.push(Buffer.from(data)),
      pause: () => void told.push('paused'),
      resume: () => void told.push('resumed'),
    }
    const gate = new SocketGate(
      socket as never,
      () => ['/noise'],
      { ...INTAKE_LIMITS, ...limits },
      {
        fault: (reason) => void told.push(reason),
        records: (count) => void told.push(`${count} records`),
        pending: () => {},
      },
    )
    const receive = (data: Uint8Array) => socket.onData(data)
    return { receive, passed: () => Buffer.concat(passed), pieces: () => passed.length, told, gate }
  }

  test('default: all of them go on, the handshake first, then what came behind it, in order', () => {
    const { receive, passed, told, gate } = world()
    const handshake = noise(3_000)
    const behind = Buffer.concat([noise(60_000), noise(1)])
    receive(Buffer.concat([AGREED, handshake, behind]))
    expect(told).toEqual(['2 records', 'paused'])
    expect(passed()).toEqual(Buffer.concat([AGREED, handshake])) // of the next record only a part has come
    expect(gate.pendingBytes).toBe(behind.length)
    gate.secured()
    expect(told.at(-1)).toBe('resumed')
    expect(gate.pendingBytes).toBe(0)
    const more = noise(65_000)
    receive(more)
    expect(passed()).toEqual(Buffer.concat([AGREED, handshake, behind, more]))
  })

  test('bound: a record that is dribbled is one piece for the library, before the handshake is over and after', () => {
    const { receive, passed, pieces, gate } = world()
    receive(AGREED)
    const first = noise(3_000)
    for (const byte of first) receive(Buffer.of(byte))
    expect(pieces()).toBe(2)
    gate.secured()
    const second = noise(65_535)
    for (const byte of second.subarray(0, -1)) receive(Buffer.of(byte))
    expect(gate.pendingBytes).toBe(second.length - 1)
    receive(second.subarray(-1))
    expect(pieces()).toBe(3)
    expect(passed()).toEqual(Buffer.concat([AGREED, first, second]))
  })

  test('bound: a handshake has no more bytes than it may, and what is held back has a bound too', () => {
    const { receive, passed, told } = world({ handshakeBytesMax: 100, unreadBytesMax: 1_000 } as never)
    receive(Buffer.concat([AGREED, noise(88), noise(898)]))
    expect(passed()).toHaveLength(AGREED.length + 90)
    receive(Buffer.alloc(110, 7))
    expect(told).not.toContain('half-open')
    receive(Buffer.alloc(1, 7))
    expect(told.at(-1)).toBe('half-open')
    expect(passed()).toHaveLength(AGREED.length + 90)
  })

  test('error: bytes that are no negotiation go nowhere', () => {
    const { receive, passed, told } = world()
    receive(Buffer.from('\x13/multistream/1.0.0\n'))
    receive(Buffer.alloc(1_000, 0x80))
    expect(told).toEqual(['negotiation'])
    expect(passed().toString()).toBe('\x13/multistream/1.0.0\n')
  })
})
