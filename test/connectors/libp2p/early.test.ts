import { expect, test } from 'vitest'
import { EarlyStream, takeOver } from '../../../connectors/libp2p/early.ts'
import { Negotiation } from '../../../connectors/libp2p/negotiation.ts'

const GREETING = Buffer.from('\x13/multistream/1.0.0\n\x09/collect\n')
const BYTES_MAX = 400_000

/** A stream whose peer takes nothing, and all that is told of it. */
function world() {
  const listeners: (() => void)[] = []
  const had: Uint8Array[] = []
  const told: { waiting: number; messages: number; faults: number; lost: string[] } = {
    waiting: 0,
    messages: 0,
    faults: 0,
    lost: [],
  }
  const close = () => listeners.map((one) => one())
  const stream = {
    status: 'open',
    onData: (data: Uint8Array) => void had.push(data),
    send: (_: Uint8Array) => false,
    addEventListener: (_: string, one: () => void) => listeners.push(one),
    abort: () => {
      stream.status = 'aborted'
      close()
    },
  }
  new EarlyStream(stream as never, new Negotiation(() => ['/collect'], 16), BYTES_MAX, {
    negotiated: (messages) => {
      if (messages === undefined) told.faults++
      else told.messages += messages
    },
    waiting: (bytes) => {
      told.waiting = bytes
    },
    lost: (bytes) => told.lost.push(bytes.toString()),
  })
  return { stream, close, had, told }
}

test('default: the library has the negotiation, and who takes the stream over the rest, in order', () => {
  const { stream, close, had, told } = world()
  for (const byte of Buffer.concat([GREETING, Buffer.from('first')])) stream.onData(Buffer.of(byte))
  stream.onData(Buffer.from(' and second'))
  expect(Buffer.concat(had)).toEqual(GREETING)
  expect(told).toEqual({ waiting: 16, messages: 2, faults: 0, lost: [] })
  expect(takeOver(stream as never).toString()).toBe('first and second')
  stream.onData(Buffer.from('third'))
  expect(Buffer.from(had.at(-1)!).toString()).toBe('third')
  close()
  expect(told).toMatchObject({ waiting: 0, lost: [] })
})

test('behavior: the negotiation waits for no peer that does not read; who has taken the stream over may', () => {
  const { stream } = world()
  expect(stream.send(GREETING)).toBe(true)
  takeOver(stream as never)
  expect(stream.send(GREETING)).toBe(false)
})

test('bound: what waits is one piece however many chunks it came in, and let go when the stream closes', () => {
  const { stream, close, told } = world()
  for (let i = 0; i < 300_000; i++) stream.onData(Buffer.alloc(0))
  for (const byte of Buffer.concat([GREETING, Buffer.from('first')])) stream.onData(Buffer.of(byte))
  for (let i = 0; i < 300_000; i++) stream.onData(Buffer.of(65))
  expect(told.waiting).toBe(300_005)
  close()
  expect(told).toMatchObject({ waiting: 0, lost: [`first${'A'.repeat(300_000)}`] })
})

test('bound: one byte more than may wait resets the stream', () => {
  const { stream, told } = world()
  stream.onData(GREETING)
  stream.onData(Buffer.alloc(BYTES_MAX))
  expect([stream.status, told.waiting]).toEqual(['open', BYTES_MAX])
  stream.onData(Buffer.alloc(1))
  expect([stream.status, told.waiting]).toEqual(['aborted', 0])
})

test('bound: of a record with one byte of a negotiation the library keeps that byte', () => {
  const { stream, had } = world()
  stream.onData(Buffer.concat([GREETING.subarray(0, 1), Buffer.alloc(60_000)]).subarray(0, 1))
  expect(had[0]!.buffer.byteLength).toBe(1)
})

test('error: what is no negotiation is told, and goes nowhere', () => {
  const { stream, had, told } = world()
  stream.onData(Buffer.alloc(1_000, 0x80))
  expect([had.length, told.faults, told.waiting]).toEqual([0, 1, 0])
})
