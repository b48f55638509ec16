import { describe, expect, test } from 'vitest'
import { prefixOf } from '../../../connectors/libp2p/address.ts'
import { HandshakeTurns } from '../../../connectors/libp2p/handshake-turns.ts'
import { Hosts } from '../../../connectors/libp2p/hosts.ts'
import { INTAKE_LIMITS, type IntakeLimits } from '../../../connectors/libp2p/limits.ts'
import type { Guest, Host } from '../../../connectors/libp2p/peer.ts'

const NONE = { burst: 0, perSecond: 0.001 }

/** Turns in simulated time, and what became of who asked. */
function world(change: Partial<IntakeLimits> = {}) {
  const limits: IntakeLimits = {
    ...INTAKE_LIMITS,
    startMs: 0,
    handshakesOfAll: { burst: 1, perSecond: 10 },
    handshakesOfVoters: NONE,
    handshakeWaitMs: 1_000,
    ...change,
  }
  let now = 1_000_000
  const turns = new HandshakeTurns(limits, () => now)
  const hosts = new Hosts(limits)
  const log: string[] = []
  const host = (name: string): Host => hosts.named(name, now)
  const ask = (name: string): Guest => {
    const guest = { host: host(name) } as Guest
    void turns.of(guest).then((refusal) => log.push(refusal === undefined ? name : `${name} ${refusal}`))
    return guest
  }
  /** Answers what was decided in that time. */
  const pass = async (ms: number): Promise<string[]> => {
    const end = now + ms
    turns.look()
    for (; now < end; turns.look()) now = Math.min(end, now + 10)
    await new Promise(setImmediate)
    return log.splice(0)
  }
  const vote = (name: string, voter: string): void => {
    host(name).vote()
    hosts.voted(host(name), voter)
  }
  return { turns, ask, vote, pass }
}

describe('turns of handshakes', () => {
  test('default: who comes first has a turn at once, and the others at the rate of all', async () => {
    const { ask, pass } = world()
    for (let n = 1; n <= 4; n++) ask(`10.0.${n}.1`)
    expect(await pass(0)).toEqual(['10.0.1.1'])
    expect(await pass(250)).toEqual(['10.0.2.1', '10.0.3.1'])
  })

  test('behavior: a crowd of one address, or of one prefix, keeps nobody of another prefix waiting', async () => {
    const { ask, pass } = world()
    for (let n = 0; n < 20; n++) ask('10.0.1.1')
    for (let n = 0; n < 20; n++) ask(`10.0.2.${n}`)
    for (let n = 0; n < 20; n++) ask(`2001:db8:7:${n}::/64`)
    ask('10.0.3.1')
    expect(await pass(400)).toContain('10.0.3.1')
    const served = await pass(590)
    for (const prefix of ['10.0.1.', '10.0.2.', '2001:db8:7:'])
      expect(served.filter((name) => name.startsWith(prefix)).length, prefix).toBeGreaterThan(0)
    expect(new Set(served.filter((name) => name.startsWith('10.0.2.'))).size).toBeGreaterThan(1)
  })

  test('behavior: an address that has had none for longest comes first, however many prefixes ask', async () => {
    const { ask, pass } = world({ handshakeWaitMs: 60_000 })
    for (let n = 0; n < 30; n++) ask(`10.1.${n}.1`)
    expect(await pass(3_500)).toHaveLength(30)
    for (let n = 0; n < 30; n++) ask(`10.1.${n}.1`)
    ask('10.0.3.1')
    expect(await pass(200)).toContain('10.0.3.1')
  })

  test('behavior: within a prefix a crowd of one address keeps no other address waiting', async () => {
    const { ask, pass } = world()
    for (let n = 0; n < 20; n++) ask('10.0.1.1')
    ask('10.0.1.2')
    expect(await pass(150)).toEqual(['10.0.1.1', '10.0.1.2'])
  })

  test('bound: turns of long ago are forgotten', async () => {
    const { ask, pass } = world({ handshakeTurnsMax: 2 })
    for (const name of ['10.0.1.1', '10.0.2.1', '10.0.1.1', '10.0.3.1']) ask(name)
    expect(await pass(350)).toEqual(['10.0.1.1', '10.0.2.1', '10.0.1.1', '10.0.3.1'])
  })

  test('behavior: an address with votes has the reserve, and none other has it', async () => {
    const { ask, vote, pass } = world({ handshakesOfVoters: { burst: 2, perSecond: 0.001 }, handshakesOfAll: NONE })
    vote('10.0.9.1', '1/a')
    for (let n = 0; n < 20; n++) ask('10.0.1.1')
    for (let n = 0; n < 3; n++) ask('10.0.9.1')
    expect(await pass(20)).toEqual(['10.0.9.1', '10.0.9.1'])
  })

  test('behavior: turns of the reserve go by the voters of an address, however many prefixes have the same', async () => {
    const { ask, vote, pass } = world({ handshakesOfVoters: { burst: 1, perSecond: 10 }, handshakesOfAll: NONE })
    for (let n = 0; n < 10; n++) vote(`10.1.${n}.1`, `${n % 5}/a`)
    for (const slot of [11, 12, 13, 14]) vote('10.0.9.1', `${slot}/b`)
    for (let n = 0; n < 10; n++) for (let k = 0; k < 3; k++) ask(`10.1.${n}.1`)
    for (let k = 0; k < 9; k++) ask('10.0.9.1')
    const served = await pass(900)
    expect([served.length, served.filter((name) => name === '10.0.9.1').length]).toEqual([9, 4])
  })

  test('bound: a voter speaks for few addresses, the newest', async () => {
    const { ask, vote, pass } = world({
      ...{ handshakesOfVoters: { burst: 9, perSecond: 9 }, handshakesOfAll: NONE, hostsPerVoter: 2 },
      arrivalsPerHost: { burst: 0, perSecond: 0.001 },
    })
    const names = [1, 2, 3].map((n) => `10.0.${n}.1`)
    for (const name of names) vote(name, '1/a')
    for (const name of names) ask(name)
    expect(await pass(0)).toEqual(['10.0.1.1 host-rate', '10.0.2.1', '10.0.3.1'])
  })

  test('bound: without a turn in time it is refused, by the reason: the rate of all or of its address', async () => {
    const { ask, pass } = world({ handshakesOfAll: NONE })
    ask('10.0.1.1')
    expect(await pass(990)).toEqual([])
    expect(await pass(10)).toEqual(['10.0.1.1 handshake-rate'])
    const own = world({ arrivalsPerHost: { burst: 1, perSecond: 1 }, handshakesOfAll: { burst: 9, perSecond: 9 } })
    for (let n = 0; n < 3; n++) own.ask('10.0.1.1')
    expect(await own.pass(0)).toEqual(['10.0.1.1', '10.0.1.1 host-rate'])
    expect(await own.pass(1_000)).toEqual(['10.0.1.1'])
  })

  test('bound: the rate of an address is asked neither where votes came from, nor after the start', async () => {
    const limits = { arrivalsPerHost: { burst: 1, perSecond: 0.001 }, handshakesOfAll: { burst: 9, perSecond: 9 } }
    const { ask, vote, pass } = world(limits)
    vote('10.0.9.1', '1/a')
    for (let n = 0; n < 3; n++) ask('10.0.9.1')
    expect(await pass(0)).toEqual(['10.0.9.1', '10.0.9.1', '10.0.9.1'])
    const started = world({ ...limits, startMs: 100 })
    for (let n = 0; n < 3; n++) started.ask('10.0.1.1')
    expect(await started.pass(100)).toHaveLength(3)
    for (let n = 0; n < 3; n++) started.ask('10.0.1.1')
    expect(await started.pass(0)).toEqual(['10.0.1.1', '10.0.1.1 host-rate', '10.0.1.1 host-rate'])
  })

  test('behavior: who is gone takes no turn; none is given after the end', async () => {
    const { turns, ask, pass } = world()
    ask('10.0.1.1')
    turns.leave(ask('10.0.2.1'))
    ask('10.0.3.1')
    expect(await pass(120)).toEqual(['10.0.1.1', '10.0.2.1 gone', '10.0.3.1'])
    ask('10.0.4.1')
    turns.close()
    ask('10.0.5.1')
    expect(await pass(1_000)).toEqual(['10.0.4.1 stopping', '10.0.5.1 stopping'])
  })
})

describe('prefix of an address', () => {
  for (const [host, prefix] of Object.entries({
    '10.1.2.3': '10.1.2.0/24',
    '2001:db8:1:2::/64': '2001:db8:1::/48',
    '2001:db8:0:0::/64': '2001:db8:0::/48',
  }))
    test(`args: ${host}`, () => expect(prefixOf(host)).toBe(prefix))
})
