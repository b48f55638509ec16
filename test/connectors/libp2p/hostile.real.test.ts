import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Libp2p, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import type { IntakeStats } from '../../../connectors/libp2p/gauges.ts'
import { message, open as openStream, Stage, write } from './harness.ts'

/** Of the whole process; the bare intake takes some 120 MiB. */
const RSS_MAX = 450 * 1024 * 1024
const RAW_CONNECTIONS = 800
const PEERS = 200
const STREAMS_OF_ONE = 10_000

interface Answer {
  readonly rss: number
  readonly stats: IntakeStats
  readonly submissions: readonly string[]
}

class IntakeProcess {
  readonly multiaddr: string
  readonly arrived = new Set<string>()
  rssMost = 0
  private readonly child: ChildProcess
  private readonly lines: AsyncIterator<string>

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, multiaddr: string) {
    this.child = child
    this.lines = lines
    this.multiaddr = multiaddr
  }

  static async start(limits = {}): Promise<IntakeProcess> {
    const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))
    const child = spawn(
      process.execPath,
      [
        '--expose-gc',
        '--import',
        file('../../../ops/bin/shim.mjs'),
        '--import',
        'tsx',
        file('./intake-process.ts'),
        JSON.stringify(limits),
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
    const first = await lines.next()
    return new IntakeProcess(child, lines, JSON.parse(first.value as string).multiaddr)
  }

  get intake() {
    return { multiaddrs: [this.multiaddr] } as never
  }
  get port(): number {
    return Number(/tcp\/(\d+)/.exec(this.multiaddr)![1])
  }

  async ask(): Promise<Answer> {
    this.child.stdin!.write('\n')
    const line = await this.lines.next()
    if (line.done) throw new Error(`the intake ended: ${this.child.exitCode ?? this.child.signalCode}`)
    const answer = JSON.parse(line.value) as Answer
    for (const id of answer.submissions) this.arrived.add(id)
    this.rssMost = Math.max(this.rssMost, answer.rss)
    return answer
  }

  async stop(): Promise<number | null> {
    this.child.stdin!.end()
    if (this.child.exitCode === null) await new Promise((resolve) => this.child.once('exit', resolve))
    return this.child.exitCode
  }
}

/** Raw sockets come from many loopback addresses, as an attack does. */
function raw(port: number, n: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.${1 + (n >> 7)}.${1 + (n & 127)}` })
  socket.on('error', () => {}) // being refused or reset is what it deserves
  return socket
}

const MULTISTREAM = Buffer.from('\x13/multistream/1.0.0\n')
const RAW_ATTACKS: readonly ((socket: Socket) => void)[] = [
  (socket) => socket.end(),
  (socket) => socket.once('connect', () => socket.resetAndDestroy()),
  (socket) => socket.write(randomBytes(4_096)),
  // half a handshake, then silence
  (socket) => socket.write(MULTISTREAM),
  (socket) =>
    socket.write(Buffer.concat([MULTISTREAM, Buffer.from('\x07/noise\n'), Buffer.of(0, 32), randomBytes(16)])),
  (socket) => socket.write(Buffer.concat([MULTISTREAM, Buffer.from('\x0b/tls/1.0.0\n'), randomBytes(600)])),
  // one byte at a time
  (socket) => {
    let at = 0
    const timer = setInterval(() => socket.write(MULTISTREAM.subarray(at, ++at % MULTISTREAM.length)), 100)
    socket.once('close', () => clearInterval(timer))
  },
  // never ends, never reads
  (socket) => {
    socket.pause()
    const more = () => void (socket.writable && socket.write(randomBytes(64 * 1024)))
    socket.on('drain', more)
    more()
  },
]

const json = Buffer.from('{"a":"')
const PEER_ATTACKS: readonly ((stream: Stream) => Promise<unknown>)[] = [
  (stream) => write(stream, randomBytes(2_000)),
  // too long, and ends
  (stream) =>
    write(
      stream,
      Buffer.concat([message().bytes.subarray(0, 36), json, Buffer.alloc(300_000, 'x'), Buffer.from('"}')]),
      20_000,
    ),
  // too long, and never ends
  (stream) => write(stream, Buffer.concat([message().bytes.subarray(0, 36), json, Buffer.alloc(300_000, 'x')]), 20_000),
  // an object that never ends, up to just below the bound
  (stream) => write(stream, Buffer.concat([message().bytes.subarray(0, 36), json, Buffer.alloc(60_000, '\\')]), 6_000),
  async (stream) => {
    for (const byte of message().bytes.subarray(0, 60)) await write(stream, Buffer.of(byte))
  },
  (stream) =>
    write(stream, Buffer.concat(Array.from({ length: 500 }, () => Buffer.from(`${message().id}{"request":[]}`)))),
  async (stream) => stream.abort(new Error('gone')),
]

test('behavior: 1,000 hostile connections and 10,000 streams of one peer leave honest peers alone, and memory bounded', async () => {
  await using stage = new Stage()
  const intake = await IntakeProcess.start()
  const honest = await Promise.all(
    (['noise', 'tls', 'noise', 'tls'] as const).map(async (encryption) =>
      openStream(await stage.client(encryption), intake),
    ),
  )
  const sent: string[] = []
  const attack = new AbortController()
  const sending = honest.map(async (stream) => {
    while (!attack.signal.aborted) {
      const { id, bytes } = message()
      await write(stream, bytes, 400)
      sent.push(id)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  const watching = (async () => {
    while (!attack.signal.aborted) {
      await intake.ask()
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  })()

  const sockets = Array.from({ length: RAW_CONNECTIONS }, (_, n) => raw(intake.port, n))
  for (const [n, socket] of sockets.entries()) RAW_ATTACKS[n % RAW_ATTACKS.length]!(socket)
  expect(await hostilePeers(stage, intake)).toBeGreaterThan(PEERS / 10) // on a busy machine most give up their handshake
  await manyStreams(await stage.client('noise'), intake)
  // An honest newcomer gets in while the others hold what they hold.
  const late = message()
  await write(await newcomer(stage, intake), late.bytes)
  sent.push(late.id)

  attack.abort()
  await Promise.all([...sending, watching])
  for (let i = 0; i < 100 && !sent.every((id) => intake.arrived.has(id)); i++) {
    await intake.ask()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(sent.length).toBeGreaterThan(400)
  expect(sent.filter((id) => !intake.arrived.has(id))).toEqual([])
  expect(honest.every(({ status }) => status === 'open')).toBe(true)
  const { stats } = await intake.ask()
  expect(stats.malformed).toBeGreaterThan(0)
  expect(stats.oversize).toBeGreaterThan(0)
  process.stderr.write(`hostile: peak rss ${Math.round(intake.rssMost / 2 ** 20)} MiB, ${JSON.stringify(stats)}\n`)
  expect(intake.rssMost).toBeLessThan(RSS_MAX)
  for (const socket of sockets) socket.destroy()
  expect(await intake.stop()).toBe(0)
}, 240_000)

/** Peers that finish the handshake, 25 at a time, and then do their worst on a stream of their own; how many got so far. */
async function hostilePeers(stage: Stage, intake: IntakeProcess): Promise<number> {
  let connected = 0
  const attack = async (n: number): Promise<void> => {
    const stream = await openStream(await stage.client(n % 2 ? 'tls' : 'noise'), intake)
    connected++
    await PEER_ATTACKS[n % PEER_ATTACKS.length]!(stream)
  }
  for (let first = 0; first < PEERS; first += 25)
    await Promise.allSettled(Array.from({ length: 25 }, (_, i) => attack(first + i)))
  return connected
}

/** Dials until it is let in. */
async function newcomer(stage: Stage, intake: IntakeProcess): Promise<Stream> {
  const client = await stage.client('tls')
  for (let tries = 0; ; tries++)
    try {
      return await openStream(client, intake)
    } catch (error) {
      if (tries === 20) throw error
    }
}

async function manyStreams(client: Libp2p, intake: IntakeProcess): Promise<void> {
  const connection = await client.dial(multiaddr(intake.multiaddr))
  const start = message().bytes.subarray(0, 50)
  for (let opened = 0; opened < STREAMS_OF_ONE; opened += 500)
    await Promise.all(
      Array.from({ length: 500 }, async () => {
        const stream = await connection.newStream('/collect', { maxOutboundStreams: 20_000 })
        stream.send(start)
      }),
    ).catch(() => {}) // beyond a limit the connection is closed
}
