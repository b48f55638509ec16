/** Who is read while a rate that many share is used up: one address after the other, and who sends little first. In simulated time. */
import type { MessageStream } from '@libp2p/interface'
import { describe, expect, test } from 'vitest'
import { NO_GUIDE } from '../../../connectors/libp2p/admission.ts'
import { Counts } from '../../../connectors/libp2p/counts.ts'
import { Hosts } from '../../../connectors/libp2p/hosts.ts'
import { INTAKE_LIMITS, type IntakeLimits, TokenBucket } from '../../../connectors/libp2p/limits.ts'
import { Pace, ranksOf } from '../../../connectors/libp2p/pace.ts'
import type { Guest, Peer } from '../../../connectors/libp2p/peer.ts'
import { Pressure } from '../../../connectors/libp2p/pressure.ts'
import { Standing } from '../../../connectors/libp2p/standing.ts'

const STEP_MS = 25

function world(change: Partial<IntakeLimits> = {}) {
  const limits: IntakeLimits = { ...INTAKE_LIMITS, ...change }
  let now = 1_000_000
  const hosts = new Hosts(limits)
  const peers = new Set<Peer>()
  const pressure = new Pressure(limits, peers, ranksOf({ ...NO_GUIDE, ownersOf: () => [] }, limits))
  const pace = new Pace(limits, new Counts(), pressure, now)
  const connect = (address: string): Peer => {
    const host = hosts.named(address, now)
    const source = { readStatus: 'readable', pause: () => {}, resume: () => {} } as unknown as MessageStream
    const guest = { host, framePace: new TokenBucket(limits.framesPerConnection, now) } as Guest
    const standing = new Standing(limits, now, 'connection')
    const numbers = { inflightBytes: 0, unprovenBytes: 0, partialBytes: 0, messages: 0, heldUntil: 0 }
    const talker = { messages: 0 } as Peer['talker']
    const peer = { host, guest, standing, source, talker, paused: false, ...numbers } as Peer
    guest.peer = peer
    peers.add(peer)
    return peer
  }
  const pauses = () => Promise.resolve()
  return {
    pace,
    connect,
    disconnect: (some: readonly Peer[]) => {
      for (const one of some) peers.delete(one)
    },
    frames: async ({ guest }: Peer, count: number) => {
      pace.spendFrames(guest!, count, now)
      await pauses()
    },
    messages: async (peer: Peer, count: number) => {
      peer.messages += count
      pace.spend(peer, count, now)
      await pauses()
    },
    /** Time goes on; each that is read then sends so. */
    pass: async (ms: number, send: () => void = () => {}) => {
      for (const end = now + ms; now < end; ) {
        now += STEP_MS
        pace.wake(now)
        await new Promise(setImmediate)
        send()
        await pauses()
      }
    },
    /** Answers after how long the connection is read, ms. */
    readAfter: async (peer: Peer, send: () => void = () => {}): Promise<number> => {
      const began = now
      while (peer.paused && now - began < 60_000) {
        now += STEP_MS
        pace.wake(now)
        await new Promise(setImmediate)
        send()
        await pauses()
      }
      return now - began
    },
    at: () => now,
  }
}
const crowd = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

describe('the rate of an address', () => {
  test.each([
    ['pings', 40_000, (pace: Pace, peer: Peer, now: number) => pace.spendFrames(peer.guest!, 27_000, now)],
    ['messages', 20_000, (pace: Pace, peer: Peer, now: number) => pace.spend(peer, 27_000, now)],
  ])(
    'behavior: neighbours with a flood of %s keep nobody waiting for long, and are kept to it',
    async (_, rate, charge) => {
      const { pace, connect, frames, messages, pass, readAfter, at } = world({ newcomerMessages: 1e9 })
      const flood = crowd(30, () => connect('10.0.0.1'))
      const voter = connect('10.0.0.1')
      let spent = 0
      const send = () => {
        for (const one of flood) {
          if (one.paused) continue
          charge(pace, one, at())
          spent += 27_000
        }
      }
      await pass(30_000, send)
      for (let vote = 0; vote < 5; vote++) {
        await frames(voter, 3)
        await messages(voter, 1)
        expect(await readAfter(voter, send)).toBeLessThanOrEqual(3_000)
      }
      const before = spent
      await pass(60_000, send)
      expect(spent - before).toBeLessThan(66 * rate)
    },
  )

  test('behavior: its debt ends soon after the flood', async () => {
    const { pace, connect, frames, pass, readAfter, disconnect, at } = world()
    const flood = crowd(30, () => connect('10.0.0.1'))
    await pass(10_000, () => {
      for (const one of flood) if (!one.paused) pace.spendFrames(one.guest!, 27_000, at())
    })
    disconnect(flood)
    const voter = connect('10.0.0.1')
    await frames(voter, 30)
    expect(await readAfter(voter)).toBeLessThanOrEqual(2_025)
  })
})

describe('the rate of connections without credit', () => {
  /** 400 connections at 40 addresses, each of which sends whatever it may. */
  async function flooded() {
    const all = world()
    const { pace, connect, pass, at } = all
    const flood = crowd(400, (n) => connect(`10.0.${n % 40}.1`))
    let spent = 0
    const send = () => {
      for (const one of flood) {
        if (one.paused) continue
        one.messages += 1_700
        pace.spend(one, 1_700, at())
        spent += 1_700
      }
    }
    await pass(15_000, send)
    return { ...all, flood, send, spent: () => spent }
  }

  test('behavior: many connections are kept to it, and each address has its turns', async () => {
    const { flood, send, spent, pass } = await flooded()
    const [before, messages] = [spent(), flood.map((one) => one.messages)]
    await pass(60_000, send)
    expect(spent() - before).toBeLessThan(61 * INTAKE_LIMITS.paceWithoutCredit.perSecond)
    const byAddress = crowd(40, (address) =>
      flood.reduce((sum, one, n) => sum + (n % 40 === address ? one.messages - messages[n]! : 0), 0),
    )
    expect(Math.max(...byAddress) - Math.min(...byAddress)).toBeLessThanOrEqual(1_700)
    expect(Math.min(...byAddress)).toBeGreaterThan(0)
  })

  test('behavior: a hold ends with the first credit', async () => {
    const { connect, messages, readAfter, send } = await flooded()
    const relay = connect('10.1.0.1')
    await messages(relay, 80)
    expect(relay.paused).toBe(true)
    relay.standing.vote()
    expect(await readAfter(relay, send)).toBe(STEP_MS)
  })

  test('behavior: its debt is paid soon after the flood', async () => {
    const { connect, messages, readAfter, disconnect, flood } = await flooded()
    disconnect(flood)
    const relay = connect('10.1.0.1')
    await messages(relay, 80)
    expect(await readAfter(relay)).toBeLessThanOrEqual(INTAKE_LIMITS.holdMsMax + STEP_MS)
  })
})

test('behavior: a connection pays for its own excess with time, at most the longest hold', async () => {
  const { connect, messages, readAfter } = world()
  const greedy = connect('10.0.0.1')
  greedy.standing.vote()
  await messages(greedy, 22_000)
  expect(await readAfter(greedy)).toBe(1_000)
  await messages(greedy, 90_000)
  expect(await readAfter(greedy)).toBe(INTAKE_LIMITS.holdMsMax)
})

test('behavior: at the end nobody is held any more', async () => {
  const { pace, connect, frames } = world()
  const [one, other] = [connect('10.0.0.1'), connect('10.0.0.1')]
  await frames(one, 60_000)
  expect(one.paused).toBe(true)
  pace.end()
  await new Promise(setImmediate)
  await frames(other, 60_000)
  expect([one.paused, other.paused]).toEqual([false, false])
})
