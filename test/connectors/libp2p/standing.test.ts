/** Credit and faults of a peer, and who leaves when there is no place. */
import { describe, expect, test } from 'vitest'
import { Claims } from '../../../connectors/libp2p/claims.ts'
import { INTAKE_LIMITS } from '../../../connectors/libp2p/limits.ts'
import type { Guest, Host } from '../../../connectors/libp2p/peer.ts'
import { givingWay, greediest, leaving } from '../../../connectors/libp2p/places.ts'
import { Standing, Standings } from '../../../connectors/libp2p/standing.ts'

const LIMITS = { ...INTAKE_LIMITS, creditPerVote: 10, creditMax: 25, creditHalfLifeMs: 1_000, standingsMax: 2 }

describe('standing', () => {
  test('default: a vote makes up for some doubtful messages, to a bound, and for faults of before', () => {
    const standing = new Standing(LIMITS, 0, 'connection')
    for (let n = 0; n < 5; n++) standing.vote()
    expect(standing.credit).toBe(25)
    expect(Array.from({ length: 26 }, () => standing.doubt()).filter(Boolean)).toHaveLength(25)
    standing.faults = 12
    standing.vote()
    expect(standing.faults).toBe(2)
  })

  test('behavior: credit cannot be saved up', () => {
    const standing = new Standing(LIMITS, 0, 'connection')
    standing.vote()
    standing.fade(1_000)
    expect([standing.credit, standing.hasCredit]).toEqual([5, true])
    standing.fade(3_000)
    expect(standing.hasCredit).toBe(false)
  })

  test('behavior: connections of a peer share one; with credit it is remembered for some time, by few', () => {
    const standings = new Standings(LIMITS)
    const first = standings.enter('a', 'here', 0)
    expect(standings.enter('a', 'here', 0)).toBe(first)
    expect(standings.enter('a', 'there', 0)).not.toBe(first)
    first.vote()
    standings.leave('a', 'here')
    standings.leave('a', 'here')
    expect(standings.enter('a', 'here', 0)).toBe(first)
    standings.leave('a', 'here')
    for (const peer of ['b', 'c']) {
      standings.enter(peer, 'here', 0).vote()
      standings.leave(peer, 'here')
    }
    expect(standings.enter('a', 'here', 0)).not.toBe(first)
    const third = standings.enter('c', 'here', 0)
    expect(third.hasCredit).toBe(true)
    standings.leave('c', 'here')
    standings.fade(10_000)
    expect(standings.enter('c', 'here', 0)).not.toBe(third)
  })
})

describe('claims of voters', () => {
  const place = () => ({ voters: new Set<string>() })

  test('bound: a voter has a claim to few places, the newest', () => {
    const claims = new Claims<{ voters: Set<string> }>(2)
    const [first, second, third] = [place(), place(), place()]
    for (const one of [first, second, first, third]) claims.vote('1/a', one)
    claims.vote('2/b', second)
    expect([first, second, third].map(({ voters }) => [...voters])).toEqual([['1/a'], ['2/b'], ['1/a']])
  })

  test('behavior: nothing is left of a place that is gone', () => {
    const claims = new Claims<{ voters: Set<string> }>(2)
    const [gone, ...others] = [place(), place(), place()]
    for (const one of [gone, ...others.slice(0, 1)]) claims.vote('1/a', one!)
    claims.leave(gone!)
    claims.vote('1/a', others[1]!)
    expect([gone!, ...others].map(({ voters }) => voters.size)).toEqual([0, 1, 1])
  })
})

describe('who leaves', () => {
  const hostOf = (connections: number, handshakes = 0) =>
    ({ connections, handshakes, voters: new Set(), prefix: { name: '', hosts: 1, handshakes } }) as unknown as Host
  const guest = (host: Host, activeAt: number, of: { credit?: boolean; kept?: boolean; handshaking?: boolean } = {}) =>
    ({
      host,
      activeAt,
      voters: new Set((of.kept ?? of.credit) ? ['1/owner'] : []),
      handshaking: of.handshaking ?? false,
      peer: { standing: { hasCredit: of.credit ?? false } },
    }) as Guest
  const shaking = (host: Host, activeAt: number, turn: Guest['turn'] = 'waiting') =>
    ({ ...guest(host, activeAt, { handshaking: true }), turn }) as Guest
  const [few, many] = [hostOf(2, 2), hostOf(9, 9)]
  const limits = { ...INTAKE_LIMITS, shedIdleMs: 100, handshakeStallMs: 100, handshakesPerPrefixFair: 4 }

  test('default: one without credit, of the address with most connections, silent longest', () => {
    const guests = [guest(few, 1), guest(many, 0, { credit: true }), guest(many, 5), guest(many, 3), guest(many, 4)]
    expect(leaving(guests, hostOf(0), false, limits, 1_000)).toBe(guests[3])
    expect(leaving(guests, few, true, limits, 1_000)).toBe(guests[0])
    expect(leaving([guests[1]!], hostOf(8), false, limits, 1_000)).toBeUndefined()
  })

  test('behavior: one that is not silent leaves only for an address with fewer connections', () => {
    const guests = [guest(few, 990), guest(many, 990)]
    expect(leaving(guests, hostOf(0), false, limits, 1_000)).toBe(guests[1])
    expect(leaving(guests, hostOf(8), false, limits, 1_000)).toBeUndefined()
  })

  test('behavior: credit of the same peer on other connections keeps no place', () => {
    const guests = [guest(many, 990, { credit: true }), guest(many, 980, { credit: true, kept: false })]
    expect(leaving(guests, hostOf(0), false, limits, 1_000)).toBe(guests[1])
    expect(leaving(guests.slice(1), hostOf(9), false, limits, 1_500)).toBe(guests[1])
  })

  test('behavior: when votes keep all places, the address with most gives way to one with fewer', () => {
    const guests = [guest(few, 0, { credit: true }), guest(many, 5, { credit: true })]
    expect(leaving(guests, hostOf(0), false, limits, 1_000)).toBe(guests[1])
    expect(leaving(guests, hostOf(9), false, limits, 1_000)).toBeUndefined()
    expect(leaving([...guests, guest(few, 990)], hostOf(9), false, limits, 1_000)).toBeUndefined()
    expect(leaving([...guests, guest(hostOf(1), 990)], hostOf(0), false, limits, 1_000)).toBeUndefined()
  })

  test('behavior: of handshakes the oldest of the address with most; a young one only for an address with fewer', () => {
    const guests = [shaking(few, 0), shaking(many, 990), shaking(many, 950)]
    expect(givingWay(guests, hostOf(0), false, limits, 1_000)).toBe(guests[2])
    expect(givingWay(guests, hostOf(9, 9), false, limits, 1_000)).toBeUndefined()
    expect(givingWay(guests, few, true, limits, 1_000)).toBe(guests[0])
    expect(givingWay([shaking(few, 950)], few, true, limits, 1_000)).toBeUndefined()
    expect(givingWay([guest(few, 0)], few, true, limits, 1_000)).toBeUndefined()
  })

  test('behavior: of handshakes that mostly have named no encryption one of those comes first, for whomever', () => {
    const guests = [shaking(many, 0), shaking(few, 999, 'none'), shaking(few, 990, 'none')]
    expect(givingWay(guests, hostOf(9, 9), false, limits, 1_000)).toBe(guests[2])
    expect(givingWay(guests, few, true, limits, 1_000)).toBe(guests[2])
  })

  test('behavior: one that has just connected does not go while a prefix has more than its share', () => {
    const waiting = Array.from({ length: 9 }, () => shaking(many, 995))
    const newcomer = shaking(hostOf(1, 1), 999, 'none')
    expect(givingWay([newcomer, ...waiting], hostOf(0), false, limits, 1_000)).toBe(waiting[0])
    const stalled = [shaking(hostOf(1, 1), 800), shaking(hostOf(1, 1), 700)]
    expect(givingWay([newcomer, ...stalled], hostOf(0), false, limits, 1_000)).toBe(stalled[1])
    const late = shaking(hostOf(1, 1), 0, 'none')
    expect(givingWay([newcomer, ...waiting, late], hostOf(0), false, limits, 1_000)).toBe(late)
  })

  test('behavior: handshakes of an address with votes are ended for nobody, to a number for each slot', () => {
    const voting = (handshakes: number, voters: number, hasCredit = true) => {
      const names = Array.from({ length: voters }, (_, n) => `${n}/owner`)
      return Object.assign(hostOf(1, handshakes), { hasCredit, voters: new Set(names) })
    }
    const may = { ...limits, handshakesPerVoter: 2 }
    const ended = (of: Host) => givingWay([shaking(of, 0)], hostOf(0), false, may, 1_000) !== undefined
    expect([voting(2, 1), voting(3, 1), voting(4, 2), voting(5, 9), voting(1, 1, false)].map(ended)).toEqual(
      [false, true, false, true, true], // 5 > handshakesPerPrefixFair
    )
    const young = shaking(hostOf(1, 1), 990)
    expect(givingWay([young], voting(0, 1), false, may, 1_000)).toBe(young)
    expect(givingWay([young], voting(2, 1), false, may, 1_000)).toBeUndefined()
  })

  test('behavior: handshakes of a prefix with many are ended first, though each address of it has one', () => {
    const crowd = { hosts: 200, handshakes: 200, name: 'crowd' }
    const ones = [900, 890, 910].map((at) => shaking({ ...hostOf(1, 1), prefix: crowd } as Host, at))
    expect(givingWay([shaking(few, 901), ...ones], hostOf(1, 1), false, limits, 950)).toBe(ones[1])
    const silent = [900, 890].map((at) => shaking({ ...hostOf(1, 1), prefix: crowd } as Host, at, 'none'))
    expect(givingWay([shaking(few, 800, 'none'), ...silent], hostOf(1, 1), false, limits, 1_000)).toBe(silent[1])
    const neighbour = { ...hostOf(1, 1), prefix: crowd } as Host
    expect(givingWay(ones, neighbour, false, limits, 950)).toBeUndefined()
  })

  test('behavior: what one with credit holds counts for a tenth; the address that holds most pays', () => {
    const holding = (host: Host, streams: number, credit = false) => ({ ...guest(host, 0, { credit }), streams })
    const measure = ({ streams }: Guest) => streams
    const relay = holding(few, 100, true)
    const small = [holding(many, 9), holding(many, 8), { ...holding(many, 8), peer: undefined }]
    expect(greediest([relay, ...small], measure, limits)).toBe(small[0])
    expect(greediest([holding(hostOf(1), 20), ...small], measure, limits)).toBe(small[0])
    const greedy = holding(few, 1_000, true)
    expect(greediest([greedy, ...small], measure, limits)).toBe(greedy)
  })

  test('behavior: peers with votes behind one address do not pay for each other, nor for a neighbour', () => {
    const measure = ({ streams }: Guest) => streams
    const behind = (streams: number, kept: boolean, nat: Host) =>
      ({ ...guest(nat, 0, { credit: kept, kept }), streams }) as Guest
    const names = Array.from({ length: 15 }, (_, n) => `${n}/owner`)
    const nat = Object.assign(hostOf(30), { hasCredit: true, voters: new Set(names) })
    const pools = names.map(() => behind(100, true, nat))
    const crowd = Array.from({ length: 3 }, () => behind(50, false, hostOf(1)))
    expect(greediest([...pools, ...crowd], measure, limits)).toBe(crowd[0])
    const fresh = names.map(() => behind(100, false, nat))
    expect(greediest([...fresh, ...crowd], measure, limits)).toBe(crowd[0])
    const neighbour = behind(1_000, false, nat)
    expect(greediest([...pools, neighbour, ...crowd], measure, limits)).toBe(crowd[0])
    const neighbours = [neighbour, behind(999, false, nat)]
    expect(greediest([...pools, ...neighbours, ...crowd], measure, limits)).toBe(neighbour)
  })
})
