/** In which order messages are judged: a flood waits behind itself. */
import { describe, expect, test } from 'vitest'
import { Hosts } from '../../../connectors/libp2p/hosts.ts'
import { Judging } from '../../../connectors/libp2p/judging.ts'
import { INTAKE_LIMITS } from '../../../connectors/libp2p/limits.ts'
import type { Peer } from '../../../connectors/libp2p/peer.ts'
import type { Lane } from '../../../connectors/libp2p/pressure.ts'
import { Standing } from '../../../connectors/libp2p/standing.ts'

interface One {
  readonly peer: Peer
  readonly lane: Lane
}

function world() {
  const hosts = new Hosts(INTAKE_LIMITS)
  const judging = new Judging<One>(64)
  const peer = (address: string): Peer => {
    const standing = new Standing(INTAKE_LIMITS, 0, 'connection')
    return { host: hosts.named(address, 0), standing, messages: 0 } as Peer
  }
  const send = (from: Peer, count: number): void => {
    for (let n = 0; n < count; n++) {
      from.messages++
      judging.add({ peer: from, lane: judging.laneOf(from) })
    }
  }
  /** Judges until all of a peer is judged; answers how many messages were before. */
  const judgedBefore = (whose: Peer, count = 1): number => {
    let [others, own] = [0, 0]
    while (own < count && judging.size > 0)
      for (const one of judging.take()) {
        judging.done(one)
        if (one.peer === whose) own++
        else others++
      }
    return own === count ? others : Number.POSITIVE_INFINITY
  }
  return { judging, peer, send, judgedBefore }
}
const crowd = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

describe('a newcomer', () => {
  test('behavior: does not wait behind a flood of connections that are none any more', () => {
    const { peer, send, judgedBefore } = world()
    for (const one of crowd(150, (n) => peer(`10.0.${n}.1`))) send({ ...one, messages: 64 } as Peer, 200)
    const newcomer = peer('10.1.0.1')
    send(newcomer, 1)
    expect(judgedBefore(newcomer)).toBeLessThan(64)
  })

  test('behavior: waits for one message of each address that floods with newcomers', () => {
    const { peer, send, judgedBefore } = world()
    for (const one of crowd(500, (n) => peer(`10.0.${n % 20}.1`))) send(one, 64)
    const newcomer = peer('10.1.0.1')
    send(newcomer, 1)
    expect(judgedBefore(newcomer)).toBeLessThan(2 * 64)
  })

  test('behavior: of an address with votes of late does not wait for those', () => {
    const { peer, send, judgedBefore } = world()
    for (const one of crowd(500, (n) => peer(`10.0.${n}.1`))) send(one, 64)
    const newcomer = peer('10.1.0.1')
    newcomer.host.vote()
    send(newcomer, 1)
    expect(judgedBefore(newcomer)).toBeLessThan(64)
  })
})

describe('a flood behind a vote', () => {
  test('behavior: has no more before others than its credit stands for', () => {
    const { peer, send, judgedBefore } = world()
    const flood = crowd(8, (n) => peer(`10.0.${n}.1`))
    for (const one of flood) {
      one.standing.vote()
      one.messages = 64
      send(one, 3_000)
    }
    const voter = peer('10.1.0.1')
    voter.standing.vote()
    send(voter, 8)
    expect(judgedBefore(voter, 8)).toBeLessThan(2 * 64)
  })

  test('behavior: credit is reserved until a message is judged, over all connections of a peer', () => {
    const { judging, peer } = world()
    const [one, other] = [peer('10.0.0.1'), peer('10.0.0.1')]
    Object.assign(other, { standing: one.standing })
    one.standing.vote()
    const lanes = crowd(12, (n) => judging.laneOf(n % 2 === 0 ? one : other))
    expect(lanes.filter((lane) => lane === 'proven')).toHaveLength(10)
    judging.done({ peer: one, lane: 'proven' })
    judging.done({ peer: one, lane: 'new' })
    expect([judging.laneOf(other), judging.laneOf(other)]).toEqual(['proven', 'new'])
  })
})

test('behavior: messages of a connection are judged in the order in which they came', () => {
  const { judging, peer, send } = world()
  const [one, other] = [peer('10.0.0.1'), peer('10.0.0.1')]
  one.standing.vote()
  send(other, 200)
  const own = crowd(200, (n) => {
    one.messages++
    if (n === 150) one.standing.vote()
    return { peer: one, lane: judging.laneOf(one) }
  })
  for (const message of own) judging.add(message)
  expect(new Set(own.map(({ lane }) => lane)).size).toBe(3)
  const judged: One[] = []
  while (judging.size > 0) judged.push(...judging.take())
  expect(judged.filter((message) => message.peer === one)).toEqual(own)
})

test('behavior: each kind has its places, and those that another leaves', () => {
  const { judging, peer, send } = world()
  const [voter, flood] = [peer('10.0.0.1'), peer('10.0.1.1')]
  Object.assign(voter.standing, { credit: 1_000 })
  flood.messages = 64
  send(voter, 500)
  send(flood, 500)
  const first = judging.take()
  expect([first.length, first.filter(({ lane }) => lane === 'other').length]).toEqual([64, 12])
  const judged = [...first]
  while (judging.size > 0) judged.push(...judging.take())
  expect([judged.length, judging.take()]).toEqual([1_000, []])
})
