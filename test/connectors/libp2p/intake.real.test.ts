import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { YamuxStream } from '@chainsafe/libp2p-yamux/stream'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { describe, expect, test } from 'vitest'
import { partitionFor } from '../../../streams/partitioner.ts'
import { message, messages, open, refusal, ScriptedLog, Stage, topics, until, write } from './harness.ts'

const join36 = (many: readonly { bytes: Buffer }[]) => Buffer.concat(many.map(({ bytes }) => bytes))
const ids = (many: readonly { id: string }[]) => many.map(({ id }) => id)
/** A promise and what resolves it. */
const gate = () => {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** Of a yamux stream. */
const WINDOW_BYTES = 256 * 1024

for (const encryption of ['noise', 'tls'] as const)
  describe(`over ${encryption}`, () => {
    test('default: a submission is in the log under its key, with the time of its receipt', async () => {
      await using stage = new Stage()
      const running = await stage.intake()
      const stream = await open(await stage.client(encryption), running)
      const before = Date.now()
      const { id, bytes } = message()
      await write(stream, bytes)
      await until(() => running.log.records.length === 1, 'appended')
      const [record] = running.log.records
      const [submission] = running.log.submissions
      expect(submission).toMatchObject({ submissionId: id, slotId: 5, epochId: 7, dataMarket: `0x${'Ab'.repeat(20)}` })
      expect(submission!.receivedAt).toBeGreaterThanOrEqual(before)
      expect(submission!.receivedAt).toBeLessThanOrEqual(Date.now())
      expect(topics.submissions.key.decode(record!.key!)).toEqual({
        dataMarket: `0x${'ab'.repeat(20)}`,
        epochId: 7,
        projectId: 'pair:0xabc:UNISWAPV2',
      })
      expect(record).toMatchObject({ partition: partitionFor(record!.key!, 4), timestamp: submission!.receivedAt })
    })

    for (const size of [1, 37, 1_000, 60_000])
      test(`behavior: 200 messages back to back in writes of ${size} bytes`, async () => {
        await using stage = new Stage()
        const running = await stage.intake()
        const stream = await open(await stage.client(encryption), running)
        const many = messages(size === 1 ? 5 : 200)
        await write(stream, join36(many), size)
        await until(() => running.log.records.length === many.length, 'appended')
        expect(running.log.submissions.map(({ submissionId }) => submissionId)).toEqual(ids(many))
      })

    test('behavior: a stream goes on beyond its window, and is told of it once per half a window', async () => {
      await using stage = new Stage()
      const running = await stage.intake()
      const stream = await open(await stage.client(encryption), running)
      let updates = 0
      const handle = (stream as YamuxStream).handleWindowUpdate.bind(stream)
      ;(stream as YamuxStream).handleWindowUpdate = (frame) => {
        updates++
        handle(frame)
      }
      const many = messages(2_000)
      const bytes = join36(many)
      await write(stream, bytes, 500)
      await until(() => running.log.records.length === many.length, 'appended')
      expect(bytes.length).toBeGreaterThan(3 * WINDOW_BYTES)
      expect(updates).toBeGreaterThan(4)
      expect(updates).toBeLessThanOrEqual((2 * bytes.length) / WINDOW_BYTES + 1)
    })

    test('behavior: 300 streams of one connection, each its own messages', async () => {
      await using stage = new Stage()
      const running = await stage.intake()
      const client = await stage.client(encryption)
      const streams = await Promise.all(Array.from({ length: 300 }, () => open(client, running)))
      const many = streams.map(() => messages(4))
      await Promise.all(streams.map((stream, i) => write(stream, join36(many[i]!), 700)))
      await until(() => running.log.records.length === 1_200, 'appended')
      expect(running.intake.stats()).toMatchObject({ connections: 1, streams: 300, taken: 1_200, malformed: 0 })
      expect(new Set(running.log.submissions.map(({ submissionId }) => submissionId))).toEqual(
        new Set(ids(many.flat())),
      )
    })

    test('behavior: garbage resets its stream only', async () => {
      await using stage = new Stage()
      const running = await stage.intake()
      const client = await stage.client(encryption)
      const [bad, good] = [await open(client, running), await open(client, running)]
      const first = message()
      await write(bad, Buffer.concat([first.bytes, Buffer.from('GET / HTTP/1.1\r\n\r\n'), message().bytes]))
      await until(() => bad.status !== 'open', 'reset')
      const second = message()
      await write(good, second.bytes)
      await until(() => running.log.submissions.length === 2, 'appended')
      expect(running.log.submissions.map(({ submissionId }) => submissionId)).toEqual([first.id, second.id])
      expect(running.log.letters).toEqual([
        {
          value: expect.any(Buffer),
          headers: {
            reason: 'MALFORMED',
            message: 'no UUID: byte 0x47 at 0',
            peer: client.peerId.toString(),
            receivedAt: expect.stringMatching(/^\d{13}$/),
          },
        },
      ])
      expect(running.log.letters[0]!.value.toString()).toMatch(/^GET \/ HTTP/)
    })

    test('behavior: while the log takes nothing the sockets are held and memory is bounded; then all arrives', async () => {
      await using stage = new Stage()
      const log = new ScriptedLog()
      const opened = gate()
      log.before = () => opened.promise
      const limits = { inflightBytesMax: 2 * 1024 * 1024, inflightBytesPerConnectionMax: 600 * 1024 }
      const running = await stage.intake({ log, limits })
      const clients = await Promise.all(Array.from({ length: 6 }, () => stage.client(encryption)))
      const many = clients.map(() => messages(6_000, { pad: 250 }))
      let most = 0
      const watch = setInterval(() => {
        most = Math.max(most, running.intake.stats().inflightBytes)
      }, 1)
      const sent = clients.map(async (client, i) => {
        const streams = await Promise.all([0, 1, 2, 3].map(() => open(client, running)))
        await Promise.all(
          streams.map((stream, s) => write(stream, join36(many[i]!.slice(s * 1_500, (s + 1) * 1_500)), 5_000)),
        )
      })
      await until(() => running.intake.stats().stopped, 'reading stopped')
      // Held: while the log stands still, so does what was read (what was under way first comes to its end).
      let read = { bytes: -1, since: Date.now() }
      await until(() => {
        const { bytes } = running.intake.stats()
        if (bytes !== read.bytes) read = { bytes, since: Date.now() }
        return Date.now() - read.since > 300
      }, 'reading stands still')
      expect(running.log.records).toEqual([])
      opened.resolve()
      await Promise.all(sent)
      await until(() => running.log.records.length === 36_000, 'all appended', 60_000)
      clearInterval(watch)
      expect(most).toBeLessThanOrEqual(limits.inflightBytesMax)
      expect(new Set(running.log.submissions.map(({ submissionId }) => submissionId))).toEqual(
        new Set(ids(many.flat())),
      )
      await until(() => running.intake.stats().inflightBytes === 0, 'nothing in flight')
    })
  })

describe('appending', () => {
  test('behavior: an append that fails is repeated with the same records until the log takes it', async () => {
    await using stage = new Stage()
    const log = new ScriptedLog()
    const seen: string[] = []
    log.before = async (records) => {
      seen.push(records.map(({ timestamp, value }) => `${timestamp} ${Buffer.from(value!).toString('hex')}`).join())
      if (seen.length < 5) throw refusal()
    }
    const failures: unknown[] = []
    const running = await stage.intake({
      log,
      limits: { retryMsMin: 1, retryMsMax: 4 },
      observer: { appendFailed: (_, ms) => failures.push(ms) },
    })
    await write(await open(await stage.client(), running), message().bytes)
    await until(() => log.records.length === 1, 'appended')
    expect(new Set(seen).size).toBe(1)
    expect(failures).toEqual([1, 2, 4, 4])
    expect(log.appenders).toBe(1)
  })

  test('behavior: an appender that cannot go on is replaced', async () => {
    await using stage = new Stage()
    const log = new ScriptedLog()
    let calls = 0
    log.before = async () => {
      if (calls++ === 0) throw refusal(false)
    }
    const running = await stage.intake({ log, limits: { retryMsMin: 1 } })
    await write(await open(await stage.client(), running), message().bytes)
    await until(() => log.records.length === 1, 'appended')
    expect({ appenders: log.appenders, closed: log.closed }).toEqual({ appenders: 2, closed: 1 })
  })

  test('behavior: close appends what was read, then closes the appender', async () => {
    await using stage = new Stage()
    const log = new ScriptedLog()
    const opened = gate()
    log.before = () => opened.promise
    const running = await stage.intake({ log })
    await write(await open(await stage.client(), running), join36(messages(500)))
    await until(() => running.intake.stats().taken === 500, 'read')
    const closing = running.intake.close()
    opened.resolve()
    await closing
    expect(log.records).toHaveLength(500)
    expect(log.closed).toBe(1)
    expect(running.intake.stats()).toMatchObject({ appended: 500, unappended: 0, inflightBytes: 0, connections: 0 })
  })

  test('behavior: close gives up on a log that never answers, and says what it left', async () => {
    await using stage = new Stage()
    const log = new ScriptedLog()
    log.before = () => Promise.reject(refusal())
    const running = await stage.intake({ log, limits: { drainMsMax: 100 } })
    await write(await open(await stage.client(), running), join36(messages(3)))
    await until(() => running.intake.stats().taken === 3, 'read')
    await running.intake.close()
    expect(running.intake.stats()).toMatchObject({ appended: 0, unappended: 3 })
  })

  test('behavior: a client that closes its half gets ours closed, and its last message counts', async () => {
    await using stage = new Stage()
    const running = await stage.intake()
    const client = await stage.client()
    for (let i = 0; i < 50; i++) {
      const stream = await open(client, running)
      await write(stream, message().bytes)
      await stream.close()
      await until(() => stream.status === 'closed', 'closed on both sides')
    }
    await until(() => running.log.records.length === 50, 'appended')
    await until(() => running.intake.stats().streams === 0, 'streams gone')
  })
})

describe('dead letters', () => {
  test('behavior: a whole message that is no submission leaves the stream open', async () => {
    await using stage = new Stage()
    const running = await stage.intake()
    const stream = await open(await stage.client(), running)
    const bad = Buffer.from(`${message().id}{"signature":"00"}`)
    const good = message()
    await write(stream, Buffer.concat([bad, good.bytes]))
    await until(() => running.log.records.length === 2, 'appended')
    expect(running.log.submissions.map(({ submissionId }) => submissionId)).toEqual([good.id])
    expect(running.log.letters[0]).toMatchObject({ value: bad, headers: { reason: 'MALFORMED' } })
    expect(stream.status).toBe('open')
  })

  test('behavior: one that is too long leaves the stream open, and 1 KiB of it is kept', async () => {
    await using stage = new Stage()
    const running = await stage.intake()
    const stream = await open(await stage.client(), running)
    const long = Buffer.from(`${message().id}{"a":"${'x'.repeat(300_000)}"}`)
    const good = messages(40)
    const sent = good.flatMap(({ bytes }, at) => (at % 20 === 0 ? [long, bytes] : [bytes]))
    await write(stream, Buffer.concat(sent), 9_000)
    await until(() => running.log.submissions.length === 40, 'appended')
    expect(running.log.submissions.map(({ submissionId }) => submissionId)).toEqual(ids(good))
    expect(running.log.letters).toHaveLength(2)
    expect(running.log.letters[0]).toMatchObject({
      value: long.subarray(0, 1024),
      headers: { reason: 'OVERSIZE', message: `${long.length} bytes, and 65536 are taken` },
    })
    expect(running.intake.stats()).toMatchObject({ messages: 42, oversize: 2, malformed: 0, unfinished: 0 })
    expect(stream.status).toBe('open')
  })

  test('behavior: what is longer than is passed over resets its stream', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { skippedBytesMax: 100_000 } })
    const stream = await open(await stage.client(), running)
    await write(stream, Buffer.from(`${message().id}{"a":"${'x'.repeat(110_000)}"}`), 9_000).catch(() => {})
    await until(() => stream.status !== 'open', 'reset')
    expect(running.intake.stats()).toMatchObject({ oversize: 1, malformed: 0, partialBytes: 0 })
  })

  test('behavior: beyond the rate they are only counted, and the observer hears of each', async () => {
    await using stage = new Stage()
    const added = { malformed: 0, letters: 0 }
    const observer = {
      sampled: (counts: { malformed: number; shed: { letters: number } }) => {
        added.malformed += counts.malformed
        added.letters += counts.shed.letters
      },
    }
    const limits = { lettersPerConnection: { burst: 3, perSecond: 0 }, letters: { burst: 5, perSecond: 0 } }
    const running = await stage.intake({ limits, observer })
    for (const client of [await stage.client(), await stage.client()])
      await write(await open(client, running), Buffer.concat(messages(10).map(({ id }) => Buffer.from(`${id}{}`))))
    await until(() => running.intake.stats().malformed === 20, 'counted')
    await until(() => running.log.letters.length === 5, 'five letters')
    await running.intake.close()
    expect(running.log.letters).toHaveLength(5)
    expect(added).toEqual({ malformed: 20, letters: 15 })
  })
})

describe('identity and address', () => {
  test('default: a key is made for its owner only, and the peer id stays', async () => {
    await using stage = new Stage()
    const first = await stage.intake()
    const keyFile = join(first.directory, 'peer.key')
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600)
    expect(first.intake.peerId).toMatch(/^12D3KooW/)
    expect(first.intake.multiaddrs[0]).toBe(
      `${first.intake.multiaddrs[0]!.split('/p2p/')[0]}/p2p/${first.intake.peerId}`,
    )
    await first.intake.close()
    const second = await stage.intake({ directory: first.directory })
    expect(second.intake.peerId).toBe(first.intake.peerId)
  })

  test('behavior: an RSA key of a deployed listener keeps its Qm… peer id and is dialled by it', async () => {
    await using stage = new Stage()
    const directory = await stage.directory()
    const key = Buffer.from(privateKeyToProtobuf(await generateKeyPair('RSA', 2048))).toString('base64')
    await writeFile(join(directory, 'peer.key'), key, { mode: 0o600 })
    const running = await stage.intake({ directory })
    expect(running.intake.peerId).toMatch(/^Qm/)
    for (const encryption of ['tls', 'noise'] as const)
      await write(await open(await stage.client(encryption), running), message().bytes)
    await until(() => running.log.records.length === 2, 'appended')
    expect(await readFile(join(directory, 'peer.key'), 'utf8')).toBe(key)
  })

  for (const [name, text] of Object.entries({ 'no base64': '{"id":1}', 'no key': 'aGVsbG8gd29ybGQ=', empty: '' }))
    test(`error: a key file with ${name} is refused and left alone`, async () => {
      await using stage = new Stage()
      const directory = await stage.directory()
      await writeFile(join(directory, 'peer.key'), text, { mode: 0o600 })
      await expect(stage.intake({ directory })).rejects.toMatchObject({
        code: 'PEER_KEY',
        message: expect.stringContaining('peer.key'),
      })
      expect(await readFile(join(directory, 'peer.key'), 'utf8')).toBe(text)
    })

  test('error: a key file in a directory that does not exist', async () => {
    await using stage = new Stage()
    await expect(stage.intake({ directory: '/nowhere/at/all' })).rejects.toMatchObject({ code: 'PEER_KEY' })
  })

  test('error: a busy port', async () => {
    await using stage = new Stage()
    const { intake } = await stage.intake()
    const listen = intake.multiaddrs[0]!.split('/p2p/')[0]!
    const log = new ScriptedLog()
    await expect(stage.intake({ listen, log })).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(listen),
    })
    expect(log.closed).toBe(1)
  })

  for (const listen of ['/ip4/203.0.113.9/tcp/0', 'localhost:9100', '/ip4/127.0.0.1/udp/1'])
    test(`error: an address that cannot be listened on: ${listen}`, async () => {
      await using stage = new Stage()
      await expect(stage.intake({ listen })).rejects.toMatchObject({
        code: 'BAD_ADDRESS',
        message: expect.stringContaining(listen),
      })
    })
})
