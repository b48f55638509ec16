import { generateKeyPairSync } from 'node:crypto'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, test } from 'vitest'
import { hostOf } from '../../../connectors/libp2p/address.ts'
import { TokenBucket } from '../../../connectors/libp2p/limits.ts'
import { message, open, Stage, until, write } from './harness.ts'
import { guide, signed } from './signed.ts'

const unfinished = () => message().bytes.subarray(0, 60)
const ended = (stream: Stream) => stream.status !== 'open'

/** By then the intake has sent its part of the handshake, and the dialer needs no more for streams. */
const HANDSHAKE_BYTES = 100

/** A relay that keeps what a dialer sends from the end of its handshake on, and lets all of it go at once. */
async function startHoldingRelay(stage: Stage, port: number) {
  const held: Buffer[] = []
  let answered = 0
  let isHolding = true
  const target = connect(port, '127.0.0.1').on('error', () => {})
  const server = createServer((client) => {
    client.on('error', () => {}).on('close', () => target.destroy())
    client.on('data', (data) => (isHolding && answered > HANDSHAKE_BYTES ? held.push(data) : target.write(data)))
    target
      .on('close', () => client.destroy())
      .on('data', (data) => {
        answered += data.length
        client.write(data)
      })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stage.onEnd(async () => void server.close())
  return {
    address: multiaddr(`/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}`),
    heldBytes: () => held.reduce((sum, { length }) => sum + length, 0),
    release: () => {
      isHolding = false
      target.write(Buffer.concat(held))
    },
  }
}

/** Those that could be opened; undefined stands for one that could not. */
const streamsOf = (connection: Connection, count: number) =>
  Promise.all(
    Array.from({ length: count }, () =>
      connection.newStream('/collect', { maxOutboundStreams: 100 }).catch(() => undefined),
    ),
  )

/** The rates of an address are asked from the start on. */
const ARRIVALS = { startMs: 0 }
/** A dialer asks for noise, and says no more. */
const NOISE_ASKED = '\x13/multistream/1.0.0\n\x07/noise\n'

/** A frame that opens a stream, and one that names its protocol. */
const OPENING_BYTES = 54

describe('limits of a running intake', () => {
  test('behavior: a message that does not end is reset; one that is slow but ends is not', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { frameTimeoutMs: 400, sweepMs: 20 } })
    const client = await stage.client()
    const [stuck, slow, idle] = [await open(client, running), await open(client, running), await open(client, running)]
    await write(stuck, Buffer.concat([message().bytes, unfinished()]))
    for (let i = 0; i < 8; i++) {
      await write(slow, message().bytes, 150)
      await write(slow, message().bytes.subarray(0, 0))
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    await until(() => ended(stuck), 'reset')
    expect([slow.status, idle.status]).toEqual(['open', 'open'])
    expect(running.log.submissions).toHaveLength(9)
    expect(running.intake.stats()).toMatchObject({ unfinished: 1, partialBytes: 0, shed: { stalled: 1 } })
  })

  test('behavior: time in which back-pressure keeps us from reading does not count against a message', async () => {
    await using stage = new Stage()
    let release = () => {}
    const running = await stage.intake({
      limits: { frameTimeoutMs: 200, sweepMs: 20, inflightBytesMax: 300_000, inflightBytesPerConnectionMax: 20_000 },
    })
    running.log.before = () =>
      new Promise((resolve) => {
        release = resolve
      })
    const client = await stage.client()
    const stream = await open(client, running)
    const many = Array.from({ length: 400 }, () => message())
    const bytes = Buffer.concat(many.map((one) => one.bytes))
    const sent = write(stream, bytes, 1_000)
    await until(() => running.intake.stats().partialBytes > 0 && running.intake.stats().inflightBytes > 20_000, 'held')
    await new Promise((resolve) => setTimeout(resolve, 500))
    running.log.before = async () => {}
    release()
    await sent
    await until(() => running.log.records.length === 400, 'all appended')
    expect(running.intake.stats().shed.stalled).toBe(0)
  })

  test('behavior: unfinished messages of a connection take bounded memory, and of all; the greediest pays', async () => {
    await using stage = new Stage()
    const running = await stage.intake({
      limits: { partialBytesPerConnectionMax: 20 * 1024, partialBytesMax: 30 * 1024 },
    })
    const [modest, middle, greedy] = [await stage.client(), await stage.client(), await stage.client()]
    const mine = await open(modest, running)
    await write(mine, unfinished())
    for (const [client, count] of [
      [middle, 12],
      [greedy, 15],
    ] as const)
      for (let i = 0; i < count; i++) await write(await open(client, running), unfinished())
    const more = async () => {
      for (let i = 0; i < 8; i++) await write(await open(greedy, running), unfinished())
    }
    await more().catch(() => {}) // thrown out in the middle of it
    await until(() => running.intake.stats().shed['partial-bytes'] > 0, 'shed')
    await until(() => greedy.getConnections().length === 0, 'the greediest is gone')
    expect(mine.status).toBe('open')
    expect(running.intake.stats().partialBytes).toBeLessThanOrEqual(30 * 1024)
  })

  test('behavior: beyond the streams of all connections the greediest connection goes', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { streamsMax: 40 } })
    const [modest, greedy] = [await stage.client(), await stage.client()]
    const mine = await streamsOf(await modest.dial(multiaddr(running.intake.multiaddrs[0]!)), 15)
    await until(() => running.intake.stats().streams === 15, 'the streams of the modest are taken')
    const theirs = await streamsOf(await greedy.dial(multiaddr(running.intake.multiaddrs[0]!)), 30)
    await until(() => running.intake.stats().shed.streams > 0, 'shed')
    await until(() => running.intake.stats().streams === 15, 'streams gone')
    expect(mine.every((stream) => stream && !ended(stream))).toBe(true)
    expect(theirs.filter((stream) => stream && !ended(stream))).toEqual([])
  })

  test('behavior: streams that come before the intake has its end of the handshake are no reason to end another', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { streamsMax: 40 } })
    const [modest, greedy] = [await stage.client(), await stage.client()]
    const mine = await streamsOf(await modest.dial(multiaddr(running.intake.multiaddrs[0]!)), 15)
    await until(() => running.intake.stats().streams === 15, 'the streams of the modest are taken')
    const relay = await startHoldingRelay(stage, Number(/tcp\/(\d+)/.exec(running.intake.multiaddrs[0]!)![1]))
    const theirs = streamsOf(await greedy.dial(relay.address), 30)
    await until(() => relay.heldBytes() >= 30 * OPENING_BYTES, 'all that the greedy opens is under way')
    relay.release()
    await theirs
    await until(() => running.intake.stats().shed.streams > 0, 'shed')
    await until(() => running.intake.stats().streams === 15, 'only the streams of the modest are left')
    expect(mine.every((stream) => stream && !ended(stream))).toBe(true)
    expect(running.intake.stats().shed.streams).toBe(1)
    const { parts } = running.intake as unknown as { parts: { connections: { peers: Set<unknown> } } }
    expect(parts.connections.peers.size).toBe(1)
  })

  test('behavior: beyond the streams of one connection the excess is reset', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { streamsPerConnectionMax: 30 } })
    const connection = await (await stage.client()).dial(multiaddr(running.intake.multiaddrs[0]!))
    const streams = await Promise.all(
      Array.from({ length: 40 }, () => connection.newStream('/collect', { maxOutboundStreams: 100 })),
    )
    await until(() => streams.filter(ended).length === 10, 'ten reset')
    expect(running.intake.stats().streams).toBe(30)
    expect(connection.status).toBe('open')
  })

  test('behavior: one host has bounded connections and handshakes', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { connectionsPerHostMax: 4, handshakesPerHostMax: 2 } })
    const port = Number(/tcp\/(\d+)/.exec(running.intake.multiaddrs[0]!)![1])
    const stats = () => running.intake.stats()
    const stalled = [0, 1].map(() => connect(port, '127.0.0.1'))
    const heard = stalled.map((socket) => new Promise((resolve) => socket.once('data', resolve)))
    for (const socket of stalled) socket.write(NOISE_ASKED)
    await Promise.all(heard)
    await expect(open(await stage.client(), running)).rejects.toThrow()
    expect(stats().shed['host-handshakes']).toBeGreaterThan(0)
    for (const socket of stalled) socket.destroy()
    await until(() => stats().shed['half-open'] === 2, 'the stalled ones are gone')
    for (let i = 0; i < 4; i++) await write(await open(await stage.client(), running), message().bytes)
    await expect(open(await stage.client(), running)).rejects.toThrow()
    expect(stats().shed['host-connections']).toBeGreaterThan(0)
    await until(() => running.log.records.length === 4, 'the four are served')
  })

  test('behavior: sockets that say nothing give way to who comes, however young they are', async () => {
    await using stage = new Stage()
    const limits = { handshakesMax: 4, handshakesPerHostMax: 2, handshakeStallMs: 60_000, upgradeTimeoutMs: 60_000 }
    const running = await stage.intake({ limits })
    const port = Number(/tcp\/(\d+)/.exec(running.intake.multiaddrs[0]!)![1])
    for (let n = 0; n < 6; n++) {
      const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.${n}.1` }).on('error', () => {})
      await until(() => socket.readyState === 'open', 'connected')
      stage.onEnd(async () => void socket.destroy())
    }
    await until(() => running.intake.stats().shed.handshakes >= 2, 'the first ones are gone')
    await open(await stage.client(), running)
    expect(running.intake.stats().shed['host-handshakes']).toBe(0)
  })

  test('bound: connections that say who they are at once have no more places than the others', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { connectionsPerHostMax: 2 } })
    const clients = await Promise.all(Array.from({ length: 6 }, () => stage.client()))
    await Promise.all(clients.map((client) => open(client, running).catch(() => undefined)))
    await until(() => running.intake.stats().connections === 2, 'two places')
    expect(running.intake.stats().shed['host-connections']).toBe(4)
  })

  test('bound: sockets that ask for nothing cost their address no arrivals', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { ...ARRIVALS, arrivalsPerHost: { burst: 1, perSecond: 0.001 } } })
    const port = Number(/tcp\/(\d+)/.exec(running.intake.multiaddrs[0]!)![1])
    for (let n = 0; n < 10; n++)
      connect(port, '127.0.0.1', function (this: Socket) {
        this.destroy()
      })
    await until(() => running.intake.stats().shed['half-open'] === 10, 'they end')
    await open(await stage.client(), running)
  })

  test('behavior: who is refused before it has said who it is, or never says it, is counted', async () => {
    await using stage = new Stage()
    const arrivalsPerHost = { burst: 4, perSecond: 0.001 }
    const running = await stage.intake({
      limits: { ...ARRIVALS, upgradeTimeoutMs: 300, arrivalsPerHost, handshakeStallMs: 60_000 },
    })
    const port = Number(/tcp\/(\d+)/.exec(running.intake.multiaddrs[0]!)![1])
    const dial = () => connect(port, '127.0.0.1').on('error', () => {})
    const silent = dial()
    await until(() => silent.readyState === 'open', 'connected')
    await until(() => running.intake.stats().shed['half-open'] === 1, 'the silent one is ended')
    const other = dial()
    other.write('GET / HTTP/1.1\r\n\r\n')
    await until(() => running.intake.stats().shed['half-open'] === 2, 'what speaks something else is ended')
    for (let n = 0; n < 5; n++) dial().write(NOISE_ASKED)
    await until(() => running.intake.stats().shed['host-rate'] === 1, 'the fifth is refused')
    silent.destroy()
    other.destroy()
  })

  test('bound: a connection that ends without a message costs its address five', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { ...ARRIVALS, arrivalsPerHost: { burst: 9, perSecond: 0.001 } } })
    const port = Number(/tcp\/(\d+)/.exec(running.intake.multiaddrs[0]!)![1])
    for (let n = 0; n < 3; n++) {
      const client = await stage.client()
      await write(await open(client, running), message().bytes)
      await until(() => running.log.records.length === n + 1, 'it brings a message')
      await client.stop()
    }
    connect(port, '127.0.0.1', function (this: Socket) {
      this.on('data', () => this.destroy()).write(NOISE_ASKED)
    })
    await until(() => running.intake.stats().shed['half-open'] === 1, 'it ends')
    expect(running.intake.stats().shed['host-rate']).toBe(0)
    await write(await open(await stage.client(), running), message().bytes) // 9 = 3 + 5 + 1
    await expect(open(await stage.client(), running)).rejects.toThrow()
    expect(running.intake.stats().shed['host-rate']).toBe(1)
  })

  for (const [what, bytes] of [
    ['garbage', () => Buffer.from('x'.repeat(60))],
    ['a vote for an epoch that is over', () => signed({ epochId: 0 }).bytes],
    ['a signature of nobody', () => signed({ bad: true }).bytes],
  ] as const)
    test(`bound: so does one that brings only ${what}`, async () => {
      await using stage = new Stage()
      const limits = { ...ARRIVALS, arrivalsPerHost: { burst: 6, perSecond: 0.001 } }
      const running = await stage.intake({ guide: guide(), limits })
      const client = await stage.client()
      await write(await open(client, running), bytes())
      await until(() => running.intake.stats().messages === 1, 'it is read')
      await client.stop()
      await until(() => running.intake.stats().connections === 0, 'it ends')
      await open(await stage.client(), running) // 6 = 5 + 1
      await expect(open(await stage.client(), running)).rejects.toThrow()
      expect(running.intake.stats().shed['host-rate']).toBe(1)
    })

  test('bound: where votes came from, the end of a connection without any costs nothing', async () => {
    await using stage = new Stage()
    const limits = { ...ARRIVALS, arrivalsPerHost: { burst: 1, perSecond: 0.001 } }
    const running = await stage.intake({ guide: guide(), limits })
    await write(await open(await stage.client(), running), signed().bytes)
    await until(() => running.log.records.length === 1, 'a vote')
    for (let n = 0; n < 5; n++) {
      const client = await stage.client()
      await open(client, running)
      await client.stop()
    }
    await until(() => running.intake.stats().connections === 1, 'they end')
    await open(await stage.client(), running)
  })

  test('behavior: peers that are gone are forgotten', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { forgetPeersMs: 50 } })
    const host = (running.intake as unknown as { host: { peerStore: { all(): Promise<unknown[]> } } }).host
    for (let i = 0; i < 5; i++) {
      const client = await stage.client()
      await write(await open(client, running), message().bytes)
      await client.stop()
    }
    await until(() => running.intake.stats().connections === 0, 'gone')
    await expect.poll(async () => (await host.peerStore.all()).length).toBeLessThanOrEqual(1)
  })
})

describe('identities', () => {
  for (const encryption of ['noise', 'tls'] as const)
    test(`behavior: by ${encryption} one of RSA is taken with the common exponent, and refused with a longer one`, async () => {
      await using stage = new Stage()
      const running = await stage.intake()
      const rsa = (publicExponent: number) => {
        const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048, publicExponent })
        return { privateKey: privateKeyFromRaw(privateKey.export({ type: 'pkcs1', format: 'der' })) }
      }
      await open(await stage.client(encryption, rsa(65_537)), running)
      await open(await stage.client(encryption, rsa(3)), running)
      await expect(open(await stage.client(encryption, rsa(16_777_217)), running)).rejects.toThrow()
      expect(running.intake.stats().connections).toBe(2)
    })
})

describe('token bucket', () => {
  test('default: a burst, then a rate; a clock that goes back gives nothing', () => {
    const bucket = new TokenBucket({ burst: 2, perSecond: 10 }, 0)
    const taken = [0, 0, 0, 50, 100, 100, 99, 250, 10_000, 10_000, 10_000].map((now) => bucket.take(now))
    expect(taken).toEqual([true, true, false, false, true, false, false, true, true, true, false])
  })
})

describe('host of an address', () => {
  for (const [address, host] of Object.entries({
    '/ip4/10.1.2.3/tcp/1': '10.1.2.3',
    '/ip6/2001:db8:1:2:3:4:5:6/tcp/1': '2001:db8:1:2::/64',
    '/ip6/2001:db8::6/tcp/1': '2001:db8:0:0::/64',
    '/ip6/::1/tcp/1': '0:0:0:0::/64',
  }))
    test(`args: ${address}`, () => expect(hostOf({ remoteAddr: multiaddr(address) })).toBe(host))
})
