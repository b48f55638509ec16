/** Who is read while memory is short: those that vote first, then one connection of each address in turn. */
import type { MessageStream } from '@libp2p/interface'
import { describe, expect, test } from 'vitest'
import { INTAKE_LIMITS } from '../../../connectors/libp2p/limits.ts'
import { type Pressed, Pressure } from '../../../connectors/libp2p/pressure.ts'

const MiB = 1024 * 1024

interface Guest extends Pressed {
  readonly name: string
  readonly host: string
  hasCredit: boolean
  isNewcomer: boolean
}

function room(...guests: readonly (readonly [name: string, host: string, hasCredit?: boolean])[]) {
  const resumed: string[] = []
  const all = guests.map(([name, host, hasCredit = false]): Guest => {
    const source = { readStatus: 'readable', pause: () => {}, resume: () => void resumed.push(name) }
    const state = { inflightBytes: 0, unprovenBytes: 0, paused: false, isNewcomer: false }
    return { name, host, hasCredit, source: source as unknown as MessageStream, ...state }
  })
  const pressure = new Pressure(INTAKE_LIMITS, new Set(all), {
    hasCredit: (one) => one.hasCredit,
    isNewcomer: (one) => one.isNewcomer,
    isProven: (lane) => lane === 'proven',
    hostOf: ({ host }) => host,
  })
  const of = (name: string): Guest => all.find((one) => one.name === name)!
  return { pressure, of, resumed, paused: () => all.filter(({ paused }) => paused).map(({ name }) => name) }
}
/** Pauses come at the end of a turn of the event loop, reading goes on in a later one. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 8; turn++) await new Promise(setImmediate)
}

describe('connections without credit', () => {
  test('default: have a share of memory, and those that vote are read on beside them', async () => {
    const { pressure, of, paused } = room(['flood', 'a'], ['other', 'b'], ['voter', 'c', true])
    for (let i = 0; i < 13; i++) pressure.take(of('flood'), MiB)
    await turns()
    expect(paused()).toEqual(['flood', 'other'])
    pressure.take(of('voter'), MiB)
    await turns()
    expect([paused(), pressure.stopped]).toEqual([['flood', 'other'], false])
    for (let i = 0; i < 12; i++) pressure.release(of('flood'), MiB)
    await turns()
    expect(paused()).toEqual([])
  })

  test('behavior: bytes that came before a connection had credit are counted off when it has', async () => {
    const { pressure, of, paused } = room(['early', 'a'], ['other', 'b'])
    for (let i = 0; i < 13; i++) pressure.take(of('early'), MiB)
    await turns()
    of('early').hasCredit = true
    for (let i = 0; i < 13; i++) pressure.release(of('early'), MiB)
    await turns()
    expect(paused()).toEqual([])
    expect(of('early').unprovenBytes).toBe(0)
    for (let i = 0; i < 3; i++) pressure.take(of('other'), MiB)
    await turns()
    expect(paused()).toEqual([])
  })
})

test('behavior: when all are paused, those that vote are read again first, then one of each address', async () => {
  const { pressure, of, resumed } = room(['a1', 'a'], ['a2', 'a'], ['a3', 'a'], ['b1', 'b'], ['voter', 'c', true])
  for (let i = 0; i < 25; i++) pressure.take(of('voter'), MiB)
  await turns()
  expect(pressure.stopped).toBe(true)
  for (let i = 0; i < 25; i++) pressure.release(of('voter'), MiB)
  await turns()
  expect(resumed).toEqual(['voter', 'a1', 'b1', 'a2', 'a3'])
})

test('behavior: one at least is read again however little room is left', async () => {
  const { pressure, of, paused } = room(['voter', 'a', true], ['stuck', 'b', true])
  for (let i = 0; i < 25; i++) pressure.take(of('stuck'), MiB)
  await turns()
  expect(paused()).toEqual(['voter', 'stuck'])
  for (let i = 0; i < 10; i++) pressure.release(of('stuck'), MiB)
  await turns()
  expect(paused()).toEqual(['stuck'])
})

test('behavior: a newcomer is read beside a flood that fills its share, up to a bound of its own', async () => {
  const { pressure, of, paused } = room(['flood', 'a'], ['newcomer', 'b'])
  of('newcomer').isNewcomer = true
  for (let i = 0; i < 13; i++) pressure.take(of('flood'), MiB, 'other')
  await turns()
  expect(paused()).toEqual(['flood'])
  for (let i = 0; i < 4; i++) pressure.take(of('newcomer'), MiB, 'new')
  await turns()
  expect([paused(), pressure.stopped]).toEqual([['flood', 'newcomer'], false])
  for (let i = 0; i < 4; i++) pressure.release(of('newcomer'), MiB)
  await turns()
  expect(paused()).toEqual(['flood'])
})

test('behavior: a flood behind votes is held to the share of those without, each connection within its own bound', async () => {
  const names = ['flood 1', 'flood 2', 'flood 3', 'flood 4', 'flood 5']
  const { pressure, of, paused } = room(...names.map((name) => [name, 'a', true] as const), ['voter', 'b', true])
  pressure.take(of('voter'), 1_000, 'other')
  for (const name of names) pressure.take(of(name), 3 * MiB, 'other')
  await turns()
  expect([paused(), pressure.stopped]).toEqual([names, false])
})
