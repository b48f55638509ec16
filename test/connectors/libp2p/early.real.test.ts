/** Peers that send on streams which nobody has taken over, and read nothing: what they cost is bounded, and gone with them. */
import { getEventListeners } from 'node:events'
import type { MessageStream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test, vi } from 'vitest'
import { GREETING } from './collector.ts'
import { bytesUnder, countFrames, DATA, frame, PING, SYN, send, WINDOW_UPDATE } from './frames.ts'
import { message, open, type Running, Stage, until, write } from './harness.ts'

const MiB = 1024 * 1024
const IDENTIFY = Buffer.from('\x13/multistream/1.0.0\n\x0f/ipfs/id/1.0.0\n')

const NONE = Buffer.alloc(0)

async function hostile(stage: Stage, running: Running): Promise<MessageStream> {
  // one with services asks who we are, by a stream of its own
  const client = await stage.client('noise', { services: {} })
  return bytesUnder(
    await client.dial(multiaddr(running.intake.multiaddrs[0]!), { signal: AbortSignal.timeout(20_000) }),
  )
}

/** The answers that wait for the only guest to read. */
function unsentBytes({ intake }: Running): number {
  type Inside = { parts: { connections: { guests: Set<{ muxer?: { maConn: { writeBufferLength: number } } }> } } }
  return [...(intake as unknown as Inside).parts.connections.guests][0]?.muxer?.maConn.writeBufferLength ?? 0
}

/** Reads nothing from now on, and has answers sent until they wait here. */
async function fillWayBack(under: MessageStream, running: Running): Promise<void> {
  under.pause()
  const pings = Buffer.concat(Array.from({ length: 2_000 }, () => frame(PING, SYN, 0, 7)))
  for (let sent = 0; sent < 64 * MiB && unsentBytes(running) === 0; sent += pings.length) await send(under, pings)
  expect(unsentBytes(running)).toBeGreaterThan(0)
}

const beginStream = (id: number, greeting: Buffer, bytes: Buffer): Buffer => {
  const data = Buffer.concat([greeting, bytes])
  return Buffer.concat([frame(WINDOW_UPDATE, SYN, id, 0), frame(DATA, 0, id, data.length, data)])
}

async function served(stage: Stage, running: Running): Promise<void> {
  const one = message()
  await write(await open(await stage.client(), running), one.bytes)
  await until(() => running.log.submissions.some(({ submissionId }) => submissionId === one.id), 'another is served')
}

const UNREAD = {
  unsentBytesPerConnectionMax: 64 * MiB,
  framesPerConnection: { burst: 1e7, perSecond: 1e6 },
  framesPerHost: { burst: 1e8, perSecond: 1e7 },
} as const

test('bound: streams of a peer that does not read are taken over at once, so that nothing waits on them', async () => {
  await using stage = new Stage()
  const running = await stage.intake({ limits: { ...UNREAD, pendingBytesPerConnectionMax: 300_000 } })
  const under = await hostile(stage, running)
  await fillWayBack(under, running)
  const sent = Array.from({ length: 40 }, () => message({ pad: 20_000 }))
  for (const [at, { bytes }] of sent.entries()) await send(under, beginStream(1_001 + 2 * at, GREETING, bytes))
  await until(() => running.log.letters.length + running.log.submissions.length > 0, 'some are heard')
  await until(() => running.intake.stats().messages === sent.length, 'all are heard')
  expect(running.intake.stats().shed).toMatchObject({ 'partial-bytes': 0 })
  await served(stage, running)
})

test('bound: nothing is left of a stream when it is closed, though its connection did not read', async () => {
  const signals: AbortSignal[] = []
  const connectionIdleMs = 901_234
  const timeout = AbortSignal.timeout.bind(AbortSignal)
  using _ = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    const signal = timeout(ms)
    if (ms === connectionIdleMs) signals.push(signal)
    return signal
  })
  await using stage = new Stage()
  const running = await stage.intake({ limits: { ...UNREAD, connectionIdleMs } })
  const under = await hostile(stage, running)
  await fillWayBack(under, running)
  for (let id = 1_001; id < 1_021; id += 2) await send(under, beginStream(id, GREETING, Buffer.from('x')))
  await until(() => signals.length >= 10, 'they are negotiated')
  under.abort(new Error('enough'))
  await until(() => running.intake.stats().connections === 0, 'it is gone')
  await until(() => signals.every((signal) => getEventListeners(signal, 'abort').length === 0), 'nothing listens')
})

test('bound: bytes on streams that nobody takes over are counted; who has too many of them is closed', async () => {
  await using stage = new Stage()
  const running = await stage.intake({ limits: { pendingBytesPerConnectionMax: 250_000 } })
  const under = await hostile(stage, running)
  await send(under, beginStream(1_001, IDENTIFY, Buffer.alloc(200_000)))
  await served(stage, running)
  expect(under.status).toBe('open')
  await send(under, frame(DATA, 0, 1_001, 60_000, Buffer.alloc(60_000)))
  await until(() => under.status !== 'open', 'it is closed')
  expect(running.intake.stats().shed['partial-bytes']).toBe(1)
  await served(stage, running)
})

test('bound: such bytes of all connections have a bound too; the connection with the most of them pays', async () => {
  await using stage = new Stage()
  const running = await stage.intake({ limits: { pendingBytesMax: 250_000 } })
  const [first, second] = [await hostile(stage, running), await hostile(stage, running)]
  await send(first, beginStream(1_001, IDENTIFY, Buffer.alloc(100_000)))
  await send(second, beginStream(1_001, IDENTIFY, Buffer.alloc(180_000)))
  await until(() => second.status !== 'open', 'the greediest is closed')
  await send(first, frame(DATA, 0, 1_001, 100_000, Buffer.alloc(100_000))) // there is room again
  await served(stage, running)
  expect(running.intake.stats().shed['partial-bytes']).toBe(1)
  expect(first.status).toBe('open')
})

test('bound: frames of a byte are not answered one by one before somebody takes the stream over', async () => {
  await using stage = new Stage()
  const running = await stage.intake()
  const under = await hostile(stage, running)
  const answers: Uint8Array[] = []
  under.addEventListener('message', ({ data }) => answers.push(data.subarray()))
  const bytes = Array.from({ length: 900 }, () => frame(DATA, 0, 1_001, 1, Buffer.alloc(1)))
  await send(under, Buffer.concat([beginStream(1_001, IDENTIFY, NONE), ...bytes, frame(PING, SYN, 0, 7)]))
  await until(() => countFrames(Buffer.concat(answers), PING) > 1, 'the ping behind them is answered') // the other is theirs
  expect(countFrames(Buffer.concat(answers), WINDOW_UPDATE)).toBeLessThan(10)
})

for (const [what, one] of [
  // 40 pings weigh 200, and as mere frames 40
  ['pings', () => Buffer.concat(Array.from({ length: 40 }, () => frame(PING, SYN, 0, 7)))],
  // 231 each, and as streams like others 31
  ['streams that ask who we are', (id: number) => beginStream(id, IDENTIFY, NONE)],
] as const)
  test(`bound: ${what} are read no faster than the work that their answers make`, async () => {
    await using stage = new Stage()
    const running = await stage.intake({
      limits: { framesPerConnection: { burst: 1_000, perSecond: 1 }, holdMsMax: 60_000 },
    })
    const under = await hostile(stage, running)
    for (let id = 1_001; id < 1_015; id += 2) await send(under, one(id))
    await until(() => running.intake.stats().holds > 0, 'held')
    expect(under.status).toBe('open')
    await served(stage, running)
  })
