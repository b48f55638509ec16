/** Peers that keep to no rule of yamux: all that one of them costs is bounded, and others are served. */
import { connect } from 'node:net'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { ConnectionEncrypter, Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { bytesUnder, DATA, frame, PING, RST, SYN, send, socketUnder, WINDOW_UPDATE } from './frames.ts'
import { message, open, type Running, Stage, until, write } from './harness.ts'

const MiB = 1024 * 1024
const proposal = (protocol: string): Buffer => Buffer.from(`${String.fromCharCode(protocol.length + 1)}${protocol}\n`)
const GREETING = proposal('/multistream/1.0.0')

const dial = async (client: Libp2p, running: Running) =>
  client.dial(multiaddr(running.intake.multiaddrs[0]!), { signal: AbortSignal.timeout(20_000) })

/** The only guest, as the intake knows it. */
function guestOf({ intake }: Running): { readonly streams: number; readonly heardBytes: number } {
  type Inside = { parts: { connections: { guests: Set<{ streams: number; heardBytes: number }> } } }
  return [...(intake as unknown as Inside).parts.connections.guests][0]!
}

async function served(stage: Stage, running: Running): Promise<void> {
  const one = message()
  await write(await open(await stage.client(), running), one.bytes)
  await until(() => running.log.submissions.some(({ submissionId }) => submissionId === one.id), 'another is served')
}

for (const encryption of ['noise', 'tls'] as const)
  test(`error: a frame that is longer than a stream may send ends its connection before it is collected, over ${encryption}`, async () => {
    await using stage = new Stage()
    const running = await stage.intake()
    const under = bytesUnder(await dial(await stage.client(encryption), running))
    await send(under, Buffer.concat([frame(WINDOW_UPDATE, SYN, 1, 0), frame(DATA, 0, 1, 0xffff_fff0)]))
    let sent = 0
    const chunk = Buffer.alloc(64 * 1024)
    while (sent < 64 * MiB && (await send(under, chunk))) sent += chunk.length
    await until(() => under.status !== 'open', 'the connection is closed')
    expect(running.intake.stats().shed['frame-bytes']).toBe(1)
    await served(stage, running)
  })

test('bound: frames that have not come whole take bounded memory; the connection with the most of it pays', async () => {
  await using stage = new Stage()
  const running = await stage.intake({ limits: { pendingBytesMax: 300 * 1024 } })
  const begin = async (bytes: number) => {
    const under = bytesUnder(await dial(await stage.client(), running))
    await send(under, Buffer.concat([frame(WINDOW_UPDATE, SYN, 1, 0), frame(DATA, 0, 1, 200_000, Buffer.alloc(bytes))]))
    return under
  }
  const modest = await begin(1_000)
  const first = await begin(150_000)
  const second = await begin(190_000)
  await until(() => running.intake.stats().shed['partial-bytes'] === 1, 'shed')
  await until(() => second.status !== 'open', 'the greediest is gone')
  expect([modest.status, first.status]).toEqual(['open', 'open'])
  await begin(100_000) // there is room again
  await served(stage, running)
  expect(running.intake.stats().shed['partial-bytes']).toBe(1)
})

for (const encryption of ['noise', 'tls'] as const)
  test(`bound: records that have not come whole take bounded memory, over ${encryption}`, async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { pendingBytesMax: 25_000 } })
    const begin = async (bytes: number) => {
      const under = socketUnder(await dial(await stage.client(encryption), running))
      const head = encryption === 'noise' ? Buffer.of(0x3f, 0xff) : Buffer.of(23, 3, 3, 0x3f, 0xff)
      await send(under, Buffer.concat([head, Buffer.alloc(bytes)]))
      return under
    }
    const modest = await begin(1_000)
    const first = await begin(11_000)
    const second = await begin(15_000)
    await until(() => second.status !== 'open', 'the greediest is gone')
    expect([modest.status, first.status]).toEqual(['open', 'open'])
    await begin(5_000) // there is room again
    await served(stage, running)
    expect(running.intake.stats().shed['partial-bytes']).toBe(1)
  })

test('bound: bytes that come behind a handshake before it is over take bounded memory', async () => {
  await using stage = new Stage()
  const running = await stage.intake({ limits: { pendingBytesMax: 20_000 } })
  const handshake = Buffer.concat([GREETING, proposal('/noise'), Buffer.of(0x1f, 0xff)])
  await writeRaw(running, Buffer.concat([handshake, Buffer.alloc(60_000)]))
  expect(running.intake.stats().shed['partial-bytes']).toBe(1)
  await served(stage, running)
})

test('bound: a peer that pings and never reads the answers is closed', async () => {
  await using stage = new Stage()
  const running = await stage.intake({
    limits: { unsentBytesPerConnectionMax: 256 * 1024, framesPerConnection: { burst: 1e7, perSecond: 1e6 } },
  })
  const client = await stage.client()
  const under = bytesUnder(await dial(client, running))
  under.pause()
  const pings = Buffer.concat(Array.from({ length: 2_000 }, () => frame(PING, SYN, 0, 7)))
  for (let sent = 0; sent < 64 * MiB && (await send(under, pings)); ) sent += pings.length
  await until(() => running.intake.stats().shed['unread-answers'] === 1, 'closed')
  await served(stage, running)
})

/** Writes to a new socket of the intake. @returns when the socket is closed */
async function writeRaw(running: Running, bytes: Uint8Array): Promise<void> {
  const port = Number(/\/tcp\/(\d+)/.exec(running.intake.multiaddrs[0]!)![1])
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {}) // it is reset with bytes under way
  const closed = new Promise<void>((resolve) => socket.resume().once('close', () => resolve()))
  socket.write(bytes)
  await closed
}

for (const [what, bytes] of [
  ['proposes encryptions without end', Buffer.concat(Array.from({ length: 10_000 }, () => proposal('/a')))],
  ['sends a length that never ends', Buffer.alloc(256 * 1024, 0x80)],
] as const)
  test(`bound: a socket that ${what} is closed`, async () => {
    await using stage = new Stage()
    const running = await stage.intake()
    await writeRaw(running, Buffer.concat([GREETING, bytes]))
    expect(running.intake.stats().shed).toMatchObject({ negotiation: 1, 'half-open': 0 })
    await served(stage, running)
  })

test('bound: a handshake that is longer than any honest one comes to nothing', async () => {
  await using stage = new Stage()
  const running = await stage.intake({ limits: { upgradeTimeoutMs: 500 } })
  const head = Buffer.alloc(2)
  head.writeUInt16BE(60_000)
  await writeRaw(running, Buffer.concat([GREETING, proposal('/noise'), head, Buffer.alloc(60_000)]))
  expect(running.intake.stats().shed['half-open']).toBe(1)
  await served(stage, running)
})

for (const encryption of ['noise', 'tls'] as const)
  test(`default: a peer with the longest identity in use is let in, over ${encryption}`, async () => {
    await using stage = new Stage()
    const running = await stage.intake()
    const one = message()
    const client = await stage.client(encryption, { privateKey: await generateKeyPair('RSA', 4_096) })
    await write(await open(client, running), one.bytes)
    await until(() => running.log.submissions.some(({ submissionId }) => submissionId === one.id), 'it is heard')
  })

test('bound: a peer that pings by the protocol and never reads is given up', async () => {
  await using stage = new Stage()
  const running = await stage.intake()
  const under = bytesUnder(await dial(await stage.client(), running))
  const hello = Buffer.concat([GREETING, proposal('/ipfs/ping/1.0.0')])
  await send(under, Buffer.concat([frame(WINDOW_UPDATE, SYN, 1_001, 0), frame(DATA, 0, 1_001, hello.length, hello)]))
  const guest = guestOf(running)
  await until(() => guest.streams > 0, 'it is open')
  for (let sent = 0; sent < 16 * MiB && guest.streams > 0; sent += 128 * 1024)
    await send(under, frame(DATA, 0, 1_001, 128 * 1024, Buffer.alloc(128 * 1024)))
  await until(() => guest.streams === 0, 'the stream is reset')
  expect(under.status).toBe('open')
  await served(stage, running)
})

test('bound: a frame in records of one byte each is read no faster than a rate', async () => {
  await using stage = new Stage()
  const running = await stage.intake({
    limits: { framesPerConnection: { burst: 1_000, perSecond: 1 }, holdMsMax: 60_000 },
  })
  const under = bytesUnder(await dial(await stage.client(), running))
  await send(under, Buffer.concat([frame(WINDOW_UPDATE, SYN, 1_001, 0), frame(DATA, 0, 1_001, 2_000)]))
  for (let i = 0; i < 1_500; i++) under.send(Buffer.alloc(1))
  await until(() => running.intake.stats().holds > 0, 'held')
  expect(under.status).toBe('open')
  await served(stage, running)
})

test('bound: an encrypted connection that proposes muxers without end is closed', async () => {
  await using stage = new Stage()
  const running = await stage.intake()
  const client = await stage.client('noise', {
    connectionEncrypters: [withoutMuxer(noise())], // else noise negotiates the muxer by itself
    streamMuxers: Array.from({ length: 20 }, (_, at) => () => ({ ...yamux()(), protocol: `/muxer/${at}` })),
  })
  await expect(dial(client, running)).rejects.toThrow()
  expect(running.intake.stats().shed.negotiation).toBe(1)
  await served(stage, running)
})

for (const [what, bytes] of [
  ['proposes protocols without end', Buffer.concat(Array.from({ length: 10_000 }, () => proposal('/a')))],
  ['sends a length that never ends', Buffer.alloc(200 * 1024, 0x80)],
] as const)
  test(`bound: a stream that ${what} ends its connection`, async () => {
    await using stage = new Stage()
    const running = await stage.intake()
    const under = bytesUnder(await dial(await stage.client(), running))
    const proposals = Buffer.concat([GREETING, bytes])
    await send(
      under,
      Buffer.concat([frame(WINDOW_UPDATE, SYN, 1_001, 0), frame(DATA, 0, 1_001, proposals.length, proposals)]),
    )
    await until(() => under.status !== 'open', 'the connection is closed')
    expect(running.intake.stats().shed.negotiation).toBe(1)
    await served(stage, running)
  })

test('bound: streams that propose a few protocols each are read no faster than a rate', async () => {
  await using stage = new Stage()
  const running = await stage.intake({
    limits: { framesPerConnection: { burst: 500, perSecond: 1 }, holdMsMax: 60_000 },
  })
  const under = bytesUnder(await dial(await stage.client(), running))
  const proposals = Buffer.concat([GREETING, ...Array.from({ length: 14 }, () => proposal('/a'))])
  // ten streams: opening them takes 200 frames, their bytes and records some tens, what they propose 750
  for (let id = 1_001; id < 1_020; id += 2)
    await send(
      under,
      Buffer.concat([frame(WINDOW_UPDATE, SYN, id, 0), frame(DATA, 0, id, proposals.length, proposals)]),
    )
  await until(() => running.intake.stats().holds > 0, 'held')
  expect(under.status).toBe('open')
  await served(stage, running)
})

test('default: a stream that was negotiated is answered as often as it asks', async () => {
  await using stage = new Stage()
  const running = await stage.intake({ limits: { negotiationMessagesMax: 3 } })
  const client = await stage.client()
  const stream = await client.dialProtocol(multiaddr(running.intake.multiaddrs[0]!), ['/none/1', '/ipfs/ping/1.0.0'])
  let heard = 0
  stream.addEventListener('message', ({ data }) => {
    heard += data.byteLength
  })
  for (let pings = 1; pings <= 10; pings++) {
    stream.send(Buffer.alloc(32, pings))
    await until(() => heard === 32 * pings, 'the ping is answered')
  }
  expect(running.intake.stats().shed.negotiation).toBe(0)
})

function withoutMuxer<C>(create: (components: C) => ConnectionEncrypter): (components: C) => ConnectionEncrypter {
  return (components) => {
    const encrypter = create(components)
    const secure = encrypter.secureOutbound.bind(encrypter)
    encrypter.secureOutbound = (socket, options) => secure(socket, { ...options, skipStreamMuxerNegotiation: true })
    return encrypter
  }
}

for (const [what, frames] of [
  ['of streams that do not exist', () => frame(WINDOW_UPDATE, 0, 0x7fff_fff1, 0)],
  [
    'that open and reset streams',
    (id: number) => Buffer.concat([frame(WINDOW_UPDATE, SYN, id, 0), frame(WINDOW_UPDATE, RST, id, 0)]),
  ],
] as const)
  test(`bound: frames ${what} are read no faster than a rate`, async () => {
    await using stage = new Stage()
    const running = await stage.intake({
      limits: { framesPerConnection: { burst: 2_000, perSecond: 1 }, holdMsMax: 60_000 },
    })
    const under = bytesUnder(await dial(await stage.client(), running))
    const many = (first: number) => Buffer.concat(Array.from({ length: 500 }, (_, i) => frames(2 * (first + i) + 1)))
    const sending = (async () => {
      for (let first = 0; first < 1_000_000 && (await send(under, many(first))); ) first += 500
    })()
    await until(() => running.intake.stats().holds > 0, 'held')
    const guest = guestOf(running)
    const heard = guest.heardBytes
    await served(stage, running)
    expect(guest.heardBytes).toBe(heard)
    expect(under.status).toBe('open')
    under.abort(new Error('enough'))
    await sending
  })
