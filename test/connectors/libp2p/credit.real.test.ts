/** What votes are worth to who brings them, while others of the same relay or address misbehave, or take all places. */
import { connect, type Socket } from 'node:net'
import type { Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { hostAt } from '../../siege/lines.ts'
import { open, type Running, Stage, until, write } from './harness.ts'
import { bytesOf, guide, many, signed } from './signed.ts'

const taken = ({ log }: Running, messages: readonly { id: string }[]): number => {
  const ids = new Set(log.submissions.map(({ submissionId }) => submissionId))
  return messages.filter(({ id }) => ids.has(id)).length
}
const talker = (running: Running, client: Libp2p) =>
  running.intake.stats().talkers.find(({ peerId }) => peerId === client.peerId.toString())
/** Sends bad signatures, and waits until they are judged. */
async function misbehave(running: Running, client: Libp2p, count: number): Promise<void> {
  const before = talker(running, client)?.badSignatures ?? 0
  await write(await open(client, running), bytesOf(many(count, { bad: true })))
  await until(() => (talker(running, client)?.badSignatures ?? 0) >= before + count, `${count} bad ones judged`)
}
async function vote(running: Running, client: Libp2p, count = 1): Promise<void> {
  const votes = many(count)
  await write(await open(client, running), bytesOf(votes))
  await until(() => taken(running, votes) === count, 'votes')
}
const generous = guide({ votesMax: () => 10_000 })
const port = ({ intake }: Running) => Number(/tcp\/(\d+)/.exec(intake.multiaddrs[0]!)![1])
const reach = (client: Libp2p, { intake }: Running) => client.dial(multiaddr(intake.multiaddrs[0]!))
/** A client from an address of loopback that the others do not have. */
async function clientAt(stage: Stage, address: string): Promise<Libp2p> {
  const client = await hostAt(address)
  stage.onEnd(async () => client.stop())
  return client
}

describe('a relay', () => {
  test('behavior: a burst of bad signatures of one user neither bans nor slows it', async () => {
    await using stage = new Stage()
    const limits = { slowFaults: 20, banFaults: 50, hostSlowFaults: 20, hostBanFaults: 50 }
    const running = await stage.intake({ guide: generous, limits })
    const relay = await stage.client()
    await vote(running, relay, 40)
    await misbehave(running, relay, 300)
    await vote(running, relay, 200)
    expect(running.intake.stats()).toMatchObject({ bans: 0, holds: 0 })
  })

  test('behavior: what its votes do not make up for bans it', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: generous, limits: { banFaults: 50 } })
    const relay = await stage.client()
    await vote(running, relay, 2)
    await write(await open(relay, running), bytesOf(many(100, { bad: true })))
    await until(() => relay.getConnections().length === 0, 'banned')
    expect(running.intake.stats().bans).toBe(1)
  })

  test('behavior: it has its credit again after a reconnect', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: generous, limits: { banFaults: 50 } })
    const relay = await stage.client()
    await vote(running, relay, 40)
    for (const connection of relay.getConnections()) await connection.close()
    await until(() => running.intake.stats().connections === 0, 'gone')
    await misbehave(running, relay, 200)
    expect(running.intake.stats().bans).toBe(0)
  })
})

describe('an address', () => {
  const limits = { hostBanFaults: 50, banFaults: 10_000, sweepMs: 20 }

  test('behavior: is not banned when somebody there has voted recently, connected or not', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: generous, limits })
    const honest = await stage.client()
    await vote(running, honest)
    for (const connection of honest.getConnections()) await connection.close()
    await until(() => running.intake.stats().connections === 0, 'gone')
    await misbehave(running, await stage.client(), 100)
    await vote(running, honest)
    expect(running.intake.stats().bans).toBe(0)
  })

  test('behavior: a ban of it closes no connection without faults, and the first vote from there ends it', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: generous, limits })
    const [honest, attacker] = [await stage.client(), await stage.client()]
    const stream = await open(honest, running)
    await until(() => running.intake.stats().streams === 1, 'the honest one is there')
    await write(await open(attacker, running), bytesOf(many(100, { bad: true })))
    await until(() => attacker.getConnections().length === 0, 'banned')
    await expect(reach(await stage.client(), running)).rejects.toThrow()
    const first = signed()
    await write(stream, first.bytes)
    await until(() => taken(running, [first]) === 1, 'the vote is taken')
    await expect
      .poll(() =>
        reach(attacker, running).then(
          () => 'in',
          () => 'out',
        ),
      )
      .toBe('in')
  })

  test('behavior: with bad signatures who has no credit there is read slowly, who votes is not', async () => {
    await using stage = new Stage()
    const slow = { hostSlowFaults: 50, hostBanFaults: 0, banFaults: 10_000, slowFaults: 10_000 }
    const pacePerSuspect = { burst: 10, perSecond: 100 }
    const running = await stage.intake({ guide: generous, limits: { ...slow, pacePerSuspect } })
    const [voter, attacker] = [await stage.client(), await stage.client()]
    await vote(running, voter)
    await misbehave(running, attacker, 100)
    await vote(running, voter, 200)
    expect(running.intake.stats().holds).toBe(0)
    await misbehave(running, attacker, 50)
    expect(running.intake.stats().holds).toBeGreaterThan(0)
  })
})

describe('when all places are taken', () => {
  test('behavior: messages that cannot count keep no place; votes do', async () => {
    await using stage = new Stage()
    const limits = { connectionsMax: 5, shedIdleMs: 100 }
    const running = await stage.intake({ guide: generous, limits })
    const early = await stage.client()
    await vote(running, early)
    const attackers = await Promise.all([2, 2, 2, 2].map((n) => clientAt(stage, `127.0.0.${n}`)))
    const streams = []
    for (const attacker of attackers) streams.push(await open(attacker, running))
    await new Promise((resolve) => setTimeout(resolve, 150))
    for (const stream of streams) await write(stream, signed({ epochId: 0 }).bytes)
    await until(() => running.intake.stats().messages === 5, 'read')
    const newcomers = await Promise.all([3, 3].map((n) => clientAt(stage, `127.0.0.${n}`)))
    for (const newcomer of newcomers) await vote(running, newcomer)
    expect(early.getConnections()).toHaveLength(1)
    expect(running.intake.stats().shed).toMatchObject({ idle: 2, connections: 0 })
  })

  test('behavior: an address with fewer connections has a place at once, one with as many has none', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: generous, limits: { connectionsMax: 4, shedIdleMs: 60_000 } })
    for (let n = 0; n < 4; n++) await open(await clientAt(stage, '127.0.0.2'), running)
    await vote(running, await clientAt(stage, '127.0.0.3'))
    await until(() => running.intake.stats().shed.idle === 1, 'one of the four is gone')
    await expect(open(await clientAt(stage, '127.0.0.2'), running)).rejects.toThrow()
    expect(running.intake.stats().shed.connections).toBe(1)
  })

  test('behavior: one vote of a peer keeps the place of its connection, and of none beside it', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: generous, limits: { connectionsMax: 4, shedIdleMs: 60_000 } })
    const greedy = await clientAt(stage, '127.0.0.2')
    await vote(running, greedy)
    const [first] = greedy.getConnections()
    for (let n = 0; n < 3; n++) await greedy.dial(multiaddr(running.intake.multiaddrs[0]!), { force: true })
    await until(() => running.intake.stats().connections === 4, 'all places are taken')
    for (const n of [3, 4]) await vote(running, await clientAt(stage, `127.0.${n}.1`))
    await until(() => greedy.getConnections().length === 2, 'two gave way')
    expect(first!.status).toBe('open')
    expect(running.intake.stats().shed).toMatchObject({ idle: 2, connections: 0 })
  })

  test('behavior: a connection with credit is closed for none', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ guide: generous, limits: { connectionsMax: 1, shedIdleMs: 1 } })
    const voter = await stage.client()
    await vote(running, voter)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await expect(open(await clientAt(stage, '127.0.0.2'), running)).rejects.toThrow()
    expect(voter.getConnections()).toHaveLength(1)
  })

  test('behavior: stalled handshakes of many addresses keep nobody out', async () => {
    await using stage = new Stage()
    const limits = { handshakesMax: 32, handshakesPerHostMax: 8, upgradeTimeoutMs: 60_000 }
    const running = await stage.intake({ guide: generous, limits })
    const sockets: Socket[] = []
    for (let n = 2; n < 8; n++)
      for (let i = 0; i < 8; i++) {
        const socket = connect({ port: port(running), host: '127.0.0.1', localAddress: `127.0.0.${n}` })
        sockets.push(socket.on('error', () => {}))
      }
    stage.onEnd(async () => {
      for (const socket of sockets) socket.destroy()
    })
    await until(() => running.intake.stats().shed.handshakes >= 16, 'there are too many')
    await vote(running, await stage.client())
  })

  test('behavior: those of one address keep out nobody else behind it', async () => {
    await using stage = new Stage()
    const limits = { handshakesPerHostMax: 4, handshakeStallMs: 50, upgradeTimeoutMs: 60_000 }
    const running = await stage.intake({ guide: generous, limits })
    const sockets = Array.from({ length: 4 }, () => connect(port(running), '127.0.0.1').on('error', () => {}))
    await until(() => sockets.every(({ readyState }) => readyState === 'open'), 'connected')
    await new Promise((resolve) => setTimeout(resolve, 100))
    await vote(running, await stage.client())
    expect(running.intake.stats().shed['host-handshakes']).toBe(1)
    for (const socket of sockets) socket.destroy()
  })
})
