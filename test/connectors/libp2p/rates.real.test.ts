import { connect } from 'node:net'
import type { Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { messages, open, type Running, Stage, until, write } from './harness.ts'
import { bytesOf, guide, many, OPEN_EPOCH, ownerOf, signed } from './signed.ts'

/** Nothing is refilled during a test. */
const ONCE = (burst: number) => ({ burst, perSecond: 0.001 })
const idsOf = ({ log }: Running): Set<string> => new Set(log.submissions.map(({ submissionId }) => submissionId))
const messagesOf = ({ intake }: Running): number => intake.stats().messages
const taken = (running: Running, messages: readonly { id: string }[]): number =>
  messages.filter(({ id }) => idsOf(running).has(id)).length

/** Everything that was read is in the log or refused. */
const judged = (running: Running, messages: number) =>
  until(() => {
    const { taken: all, appended, refused, malformed, oversize } = running.intake.stats()
    const no = Object.values(refused).reduce((sum, count) => sum + count, malformed + oversize)
    return all + no >= messages && appended >= all
  }, `${messages} judged`)

describe('what may go into the log', () => {
  test('behavior: 2,000 bad signatures for a slot are mostly refused; its owner is taken, and their sender banned', async () => {
    await using stage = new Stage()
    const limits = { doubtfulPerConnection: ONCE(200), pacePerSuspect: { burst: 1_000, perSecond: 1_000 } }
    const running = await stage.intake({ guide: guide(), limits })
    const [attacker, owner] = [await stage.client(), await stage.client('tls')]
    const bad = many(2_000, { bad: true })
    const attack = write(await open(attacker, running), bytesOf(bad), 50_000).catch(() => {}) // thrown out in the midst
    const good = many(8)
    const stream = await open(owner, running)
    for (const { bytes } of good) await write(stream, bytes)
    await attack
    await until(() => attacker.getConnections().length === 0, 'banned')
    await until(() => taken(running, good) === good.length, 'the owner is taken')
    expect(taken(running, bad)).toBe(200)
    expect(running.intake.stats().refused['bad-signature']).toBeGreaterThan(40)
    expect(running.intake.stats().bans).toBe(1)
    expect(running.log.letters[0]!.headers).toMatchObject({
      reason: 'REFUSED',
      message: 'bad-signature, beyond the rate',
    })
    expect(running.log.letters.length).toBeLessThanOrEqual(20)
    await expect(open(attacker, running)).rejects.toThrow()
    expect(stream.status).toBe('open')
  })

  test('behavior: an honest mistake has its verdict: a few bad signatures go on to be judged', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: guide() })
    const bad = many(20, { bad: true })
    await write(await open(await stage.client(), running), bytesOf(bad))
    await until(() => taken(running, bad) === 20, 'taken')
  })

  test.each([
    ['no-epoch', { epochId: 0 }],
    ['no-epoch', { epochId: 1_000_000 }],
    ['unknown-slot', { slotId: 900_000 }],
    ['over-quota', {}],
  ] as const)('behavior: beyond the rate of their bearer, messages with %s %j are refused', async (doubt, wanted) => {
    await using stage = new Stage()
    const limits = { doubtfulPerConnection: ONCE(30), extrasPerSlotMax: 1_000 }
    const running = await stage.intake({ guide: guide(), limits })
    await write(await open(await stage.client(), running), bytesOf(many(100, wanted)))
    await judged(running, 100)
    const votes = doubt === 'over-quota' ? 8 : 0
    expect(running.log.submissions).toHaveLength(30 + votes)
    expect(running.intake.stats().refused[doubt]).toBe(70 - votes)
  })

  test('behavior: an owner may vote for some epochs that are not released yet, whatever their ids; one more is doubtful', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: guide(), limits: { doubtfulPerConnection: ONCE(1) } })
    const votesFor = (...epochIds: number[]) => epochIds.map((epochId) => signed({ epochId }))
    // the market passes over ninety ids, which says nothing of time
    const [skipped, more, open_, other] = [
      [...votesFor(OPEN_EPOCH + 1, OPEN_EPOCH + 100), ...many(7, { epochId: OPEN_EPOCH + 100 })],
      votesFor(OPEN_EPOCH + 2, OPEN_EPOCH + 3),
      votesFor(OPEN_EPOCH),
      [signed({ epochId: OPEN_EPOCH + 2, slotId: 2 })],
    ]
    const all = [...skipped, ...more, ...open_, ...other]
    await write(await open(await stage.client(), running), bytesOf(all))
    await judged(running, all.length)
    expect([skipped, more, open_, other].map((some) => taken(running, some))).toEqual([9, 1, 1, 1])
    expect(running.intake.stats().refused['no-epoch']).toBe(1)
  })

  test('behavior: copies are charged to who brings them, whatever their ids; never to the slot', async () => {
    await using stage = new Stage()
    const limits = { doubtfulPerConnection: ONCE(30), extrasPerSlotMax: 1_000 }
    const running = await stage.intake({ guide: guide(), limits })
    const first = signed()
    const owner = await open(await stage.client(), running)
    await write(owner, first.bytes)
    await judged(running, 1)
    const copies = many(100).map(({ id }) => ({
      id,
      bytes: Buffer.concat([Buffer.from(id), first.bytes.subarray(36)]),
    }))
    await write(await open(await stage.client(), running), bytesOf(copies))
    await judged(running, 101)
    expect(taken(running, copies)).toBe(30)
    const others = many(7)
    await write(owner, bytesOf(others))
    await until(() => taken(running, others) === 7, 'the quota of the slot is its own')
  })

  test('behavior: who sold a slot has a budget of its own, and no credit for what it signs', async () => {
    await using stage = new Stage()
    const limits = { doubtfulPerConnection: ONCE(1_000), doubtfulPerHost: ONCE(10) }
    const running = await stage.intake({ guide: guide({ ownersOf: () => [ownerOf(2), ownerOf(1)] }), limits })
    const [sold, bad] = [many(20, { by: 2 }), many(20, { bad: true })]
    await write(await open(await stage.client(), running), bytesOf([...sold, ...bad]))
    await judged(running, 40)
    expect([taken(running, sold), taken(running, bad)]).toEqual([8 + 10, 0])
    const good = many(8)
    await write(await open(await stage.client(), running), bytesOf(good))
    await until(() => taken(running, good) === 8, 'the owner is taken')
  })

  test('behavior: over all connections a slot has few excesses and copies in the log, and other slots lose nothing', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: guide(), limits: { extrasPerSlotMax: 5 } })
    const all = [many(20), many(20), many(20)]
    const copies = all[0]!.slice(0, 3).map(({ bytes }) => ({ bytes }))
    for (const some of [...all, copies]) await write(await open(await stage.client(), running), bytesOf(some))
    await judged(running, 63)
    expect(running.log.submissions).toHaveLength(8 + 5)
    const other = many(9, { slotId: 2 })
    await write(await open(await stage.client(), running), bytesOf(other))
    await until(() => taken(running, other) === 9, 'another slot')
  })

  test('behavior: a slot that is inactive has no budget', async () => {
    await using stage = new Stage()
    const limits = { doubtfulPerConnection: ONCE(3) }
    const running = await stage.intake({ guide: guide({ ownersOf: () => [''] }), limits })
    await write(await open(await stage.client(), running), bytesOf(many(10)))
    await judged(running, 10)
    expect(running.intake.stats().refused['over-quota']).toBe(7)
  })

  test('behavior: many connections of one address share its budget, but who brings votes has one of its own', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: guide(), limits: { doubtfulPerHost: ONCE(50) } })
    const bad: ReturnType<typeof many>[] = []
    for (let n = 0; n < 4; n++) {
      const some = many(40, { bad: true })
      await write(await open(await stage.client(), running), bytesOf(some))
      bad.push(some)
    }
    await judged(running, 160)
    expect(bad.reduce((sum, some) => sum + taken(running, some), 0)).toBe(50)
    const [votes, late] = [many(8, { slotId: 3 }), many(5, { slotId: 4, epochId: 2 })]
    await write(await open(await stage.client(), running), bytesOf([...votes, ...late]))
    await until(() => taken(running, [...votes, ...late]) === 13, 'the honest are taken')
  })

  test('behavior: a relay whose slots vote is not banned for the bad signatures of one of them', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: guide({ votesMax: () => 1_000 }), limits: { banFaults: 20 } })
    const relay = await stage.client()
    const stream = await open(relay, running)
    for (let n = 0; n < 40; n++) await write(stream, bytesOf([signed({ slotId: 2 }), signed({ slotId: 1, bad: true })]))
    await judged(running, 80)
    expect(stream.status).toBe('open')
    expect(running.intake.stats().bans).toBe(0)
  })

  test('behavior: without word of the slots nothing is doubtful', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: guide({ ownersOf: () => 'no-word' }) })
    await write(await open(await stage.client(), running), bytesOf(many(300, { bad: true })))
    await until(() => running.log.submissions.length === 300, 'all taken')
  })

  test('behavior: when signatures cannot be recovered nothing is lost', async () => {
    await using stage = new Stage()
    const recover = () => Promise.reject(new Error('a worker ended'))
    const running = await stage.intake({ guide: guide({ recover }) })
    await write(await open(await stage.client(), running), bytesOf(many(10)))
    await until(() => running.log.submissions.length === 10, 'all taken')
  })
})

describe('how fast it is read', () => {
  test('behavior: a connection beyond its rate is read more slowly, loses nothing, and keeps nobody up', async () => {
    await using stage = new Stage()
    const pacePerConnection = { burst: 100, perSecond: 400 }
    const running = await stage.intake({ limits: { pacePerConnection } })
    const all = messages(600)
    const began = performance.now()
    const sending = write(await open(await stage.client(), running), bytesOf(all), 5_000)
    const other = messages(3)
    await write(await open(await stage.client(), running), bytesOf(other))
    await until(() => taken(running, other) === 3, 'the other is taken')
    await sending
    await until(() => taken(running, all) === 600, 'all are taken')
    expect(performance.now() - began).toBeGreaterThan(500)
    expect(running.intake.stats().holds).toBeGreaterThan(0)
  })

  test('behavior: so are all connections of an address together', async () => {
    await using stage = new Stage()
    const pacePerHost = { burst: 100, perSecond: 100 }
    const running = await stage.intake({ limits: { pacePerHost } })
    const all = messages(400)
    for (let n = 0; n < 4; n++)
      await write(await open(await stage.client(), running), bytesOf(all.slice(100 * n, 100 * n + 100)))
    await until(() => taken(running, all) === 400, 'all are taken')
    expect(running.intake.stats().holds).toBeGreaterThan(0)
  })

  test('behavior: one with bad signatures is read slowly', async () => {
    await using stage = new Stage()
    const limits = { slowFaults: 5, pacePerSuspect: { burst: 1, perSecond: 100 }, banFaults: 10_000 }
    const running = await stage.intake({ guide: guide(), limits })
    const stream = await open(await stage.client(), running)
    await write(stream, bytesOf(many(30, { bad: true })))
    await judged(running, 30)
    expect(running.intake.stats().holds).toBe(0)
    await write(stream, bytesOf(many(30, { bad: true })))
    await judged(running, 60)
    expect(running.intake.stats().holds).toBeGreaterThan(0)
  })
})

describe('while validate lags', () => {
  test('behavior: of a flood only votes reach the log; who brings them is read as ever, others in turns', async () => {
    await using stage = new Stage()
    const lag = async () => 60_000
    const limits = { lagAskMs: 10, paceWhileLagging: { burst: 1, perSecond: 200 }, banFaults: 100_000 }
    const running = await stage.intake({ guide: guide(), lag, limits })
    await until(() => running.intake.stats().behind === 60_000, 'the lag is known')
    const honest = await open(await stage.client(), running)
    const flood: ReturnType<typeof many>[] = []
    const attacks: Promise<void>[] = []
    for (let n = 0; n < 4; n++) {
      const some = many(150, { slotId: n + 1, bad: true })
      flood.push(some)
      attacks.push(write(await open(await stage.client(), running), bytesOf(some), 2_000))
    }
    const votes = [...many(8, { slotId: 5 }), ...many(8, { slotId: 6 })]
    for (const { bytes } of votes) await write(honest, bytes)
    await until(() => taken(running, votes) === votes.length, 'the honest are taken')
    await Promise.all(attacks)
    await judged(running, 600 + votes.length)
    expect(running.log.submissions).toHaveLength(votes.length)
    expect(running.intake.stats().holds).toBeGreaterThan(0)
    const newcomer = many(4, { slotId: 7 })
    await write(await open(await stage.client(), running), bytesOf(newcomer))
    await until(() => taken(running, newcomer) === 4, 'so is a newcomer')
  })

  test('behavior: beyond the second bound everybody is read in turns, and nobody is left out', async () => {
    await using stage = new Stage()
    const limits = { lagAskMs: 10, paceWhileLagging: { burst: 1, perSecond: 20 } }
    const running = await stage.intake({ guide: guide(), lag: async () => 2_000_000, limits })
    await until(() => running.intake.stats().behind !== undefined, 'the lag is known')
    const votes = [1, 2, 3, 4].map((slotId) => many(8, { slotId }))
    for (const some of votes) await write(await open(await stage.client(), running), bytesOf(some))
    await until(() => votes.every((some) => taken(running, some) === 8), 'all are taken')
    expect(running.intake.stats().holds).toBeGreaterThan(0)
  })

  test('behavior: without any lag, connections that bring no votes are read in turns, and who votes is read on', async () => {
    await using stage = new Stage()
    const limits = { paceWithoutCredit: { burst: 100, perSecond: 200 }, newcomerMessages: 10, holdMsMax: 2_000 }
    const running = await stage.intake({ guide: guide(), limits })
    const voter = await open(await stage.client(), running)
    const first = many(8, { slotId: 3 })
    await write(voter, bytesOf(first))
    await until(() => taken(running, first) === 8, 'the voter has credit')
    const copies = Array.from({ length: 400 }, () => first[0]!)
    const floods = [await open(await stage.client(), running), await open(await stage.client(), running)]
    const flooding = floods.map((stream) => write(stream, bytesOf(copies)).catch(() => {}))
    await until(() => running.intake.stats().holds > 0, 'the flood is held')
    const votes = many(8, { slotId: 4 })
    await write(voter, bytesOf(votes))
    await until(() => taken(running, votes) === 8, 'the voter is taken beside it')
    await Promise.all(flooding)
    await judged(running, 816)
    expect(floods.map(({ status }) => status)).toEqual(['open', 'open'])
  })

  test('behavior: while nothing is known of slots, nobody is held for that', async () => {
    await using stage = new Stage()
    const limits = { paceWithoutCredit: { burst: 1, perSecond: 1 }, newcomerMessages: 1 }
    const running = await stage.intake({ limits })
    await write(await open(await stage.client(), running), bytesOf(many(100)))
    await judged(running, 100)
    expect(running.intake.stats().holds).toBe(0)
  })

  test('behavior: no word of the lag holds nothing back', async () => {
    await using stage = new Stage()
    let word: number | undefined = 60_000
    const running = await stage.intake({ guide: guide(), lag: async () => word, limits: { lagAskMs: 10 } })
    await until(() => running.intake.stats().behind === 60_000, 'the lag is known')
    word = undefined
    await until(() => running.intake.stats().behind === undefined, 'it is not known any more')
    const bad = many(20, { bad: true })
    await write(await open(await stage.client(), running), bytesOf(bad))
    await until(() => taken(running, bad) === 20, 'all taken')
  })
})

describe('who may connect', () => {
  const reach = (client: Libp2p, running: Running) => client.dial(multiaddr(running.intake.multiaddrs[0]!))

  test('behavior: a ban closes the connections of a peer and keeps it out, until it is lifted or over', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: guide() })
    const [banned, other] = [await stage.client(), await stage.client()]
    const [stream, kept] = [await open(banned, running), await open(other, running)]
    const subject = banned.peerId.toString()
    running.intake.orderBans([{ subject, untilMs: Date.now() + 60_000, reason: 'a test' }])
    await until(() => banned.getConnections().length === 0, 'closed')
    await expect(open(banned, running)).rejects.toThrow()
    expect([stream.status === 'open', kept.status]).toEqual([false, 'open'])
    expect(running.intake.stats().shed.banned).toBeGreaterThan(1)
    running.intake.orderBans([{ subject, untilMs: Date.now() - 1, reason: 'over' }])
    await reach(banned, running)
    running.intake.orderBans([])
  })

  test.each(['127.0.0.1', '127.0.0.0/8'])('behavior: %s is banned by the settings', async (subject) => {
    await using stage = new Stage()
    const running = await stage.intake({ banned: [subject] })
    await expect(reach(await stage.client(), running)).rejects.toThrow()
    expect(running.intake.stats().shed.banned).toBeGreaterThan(0)
  })

  test('behavior: an address that brings nothing but bad signatures is banned, one that also votes is not', async () => {
    await using stage = new Stage()
    const limits = { hostBanFaults: 30, banFaults: 10_000 }
    const running = await stage.intake({ guide: guide(), limits })
    const voter = await open(await stage.client(), running)
    const votes = many(8, { slotId: 3 })
    await write(voter, bytesOf(votes))
    await until(() => taken(running, votes) === 8, 'votes')
    const attacker = await stage.client()
    await write(await open(attacker, running), bytesOf(many(100, { bad: true })))
    await judged(running, 108)
    expect([running.intake.stats().bans, voter.status]).toEqual([0, 'open'])
    await voter.close()
    voter.abort(new Error('gone'))
    const alone = await stage.intake({ guide: guide(), limits })
    const stream = await open(attacker, alone)
    await write(stream, bytesOf(many(100, { bad: true })))
    await until(() => alone.intake.stats().bans === 1, 'banned')
    await expect(reach(await stage.client(), alone)).rejects.toThrow()
    await judged(alone, alone.intake.stats().messages)
    alone.intake.liftBan('127.0.0.1')
    await reach(await stage.client(), alone)
  })

  test('behavior: a silent connection makes room for a newcomer; one that votes does not', async () => {
    await using stage = new Stage()
    const limits = { connectionsPerHostMax: 3, shedIdleMs: 50 }
    const running = await stage.intake({ guide: guide(), limits })
    const voter = await stage.client()
    await write(await open(voter, running), signed().bytes)
    await judged(running, 1)
    const silent = [await stage.client(), await stage.client()]
    for (const client of silent) await reach(client, running)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const newcomer = signed({ slotId: 2 })
    await write(await open(await stage.client(), running), newcomer.bytes)
    await until(() => taken(running, [newcomer]) === 1, 'the newcomer is taken')
    expect(voter.getConnections()).toHaveLength(1)
    expect(silent.reduce((sum, client) => sum + client.getConnections().length, 0)).toBe(1)
    expect(running.intake.stats().shed.idle).toBe(1)
  })

  test('behavior: so it is with all connections', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: guide(), limits: { connectionsMax: 2, shedIdleMs: 50 } })
    const silent = [await stage.client(), await stage.client()]
    for (const client of silent) await reach(client, running)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const newcomer = signed()
    await write(await open(await stage.client(), running), newcomer.bytes)
    await until(() => taken(running, [newcomer]) === 1, 'the newcomer is taken')
    const second = signed({ slotId: 2 })
    await write(await open(await stage.client(), running), second.bytes)
    await until(() => taken(running, [second]) === 1, 'and a second one')
    expect(running.intake.stats().shed).toMatchObject({ idle: 2, connections: 0 })
  })

  test('behavior: where none is silent the newcomer is refused', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { connectionsMax: 1, shedIdleMs: 60_000 } })
    await reach(await stage.client(), running)
    const newcomer = await stage.client()
    await until(() => running.intake.stats().connections === 1, 'connected')
    await newcomer.dialProtocol(multiaddr(running.intake.multiaddrs[0]!), '/collect').catch(() => {})
    expect(newcomer.getConnections()).toHaveLength(0)
    expect(running.intake.stats().shed.connections).toBe(1)
  })

  test('behavior: a connection without messages is closed after a time', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { connectionIdleMs: 200, sweepMs: 20 } })
    const client = await stage.client()
    await reach(client, running)
    await until(() => client.getConnections().length === 0, 'closed')
    const port = Number(/tcp\/(\d+)/.exec(running.intake.multiaddrs[0]!)![1])
    const raw = connect(port, '127.0.0.1')
    await until(() => raw.readyState === 'open', 'still listens')
    raw.destroy()
  })
})

test('behavior: the biggest talkers are told, with what was refused of them', async () => {
  await using stage = new Stage()
  const running = await stage.intake({ guide: guide(), limits: { doubtfulPerConnection: ONCE(5) } })
  const [bad, good] = [await stage.client(), await stage.client()]
  await write(await open(bad, running), bytesOf(many(20, { bad: true })))
  await write(await open(good, running), bytesOf(many(8, { slotId: 3 })))
  await judged(running, 28)
  const [first, second] = running.intake.stats().talkers
  expect(first).toMatchObject({
    peerId: bad.peerId.toString(),
    host: '127.0.0.1',
    refused: 15,
    badSignatures: 20,
    votes: 0,
  })
  expect(first!.bannedUntil).toBeNull()
  expect(second).toMatchObject({ peerId: good.peerId.toString(), messages: 8, refused: 0, votes: 8 })
  running.intake.orderBans([{ subject: '127.0.0.0/8', untilMs: Number.POSITIVE_INFINITY, reason: '' }])
  expect(running.intake.stats().talkers.map(({ bannedUntil }) => bannedUntil)).toEqual([0, 0])
  expect(messagesOf(running)).toBe(28)
})

test('bound: a submission that no record can hold ends neither the intake nor the votes of others', async () => {
  await using stage = new Stage()
  const absurd = guide({ stamp: (now) => (isAbsurd ? Number.MAX_SAFE_INTEGER * 2 : now) })
  let isAbsurd = true
  const running = await stage.intake({ guide: absurd })
  const stream = await open(await stage.client('noise'), running)
  await write(stream, signed().bytes)
  await until(() => running.intake.stats().malformed === 1, 'told')
  isAbsurd = false
  const vote = signed()
  await write(stream, vote.bytes)
  await until(() => running.log.submissions.length === 1, 'appended')
  expect(running.log.submissions[0]!.submissionId).toBe(vote.id)
  expect(running.log.letters[0]!.headers.message).toContain('not to be written')
})
