import { describe, expect, test } from 'vitest'
import { INTAKE_LIMITS } from '../../../connectors/libp2p/limits.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { Collector, GREETING, openSilently, sendAnyhow } from './collector.ts'
import { message, messages, open, type Running, ScriptedLog, Stage, until, write } from './harness.ts'

const inLog = ({ log }: Pick<Running, 'log'>) => new Set(log.submissions.map(({ submissionId }) => submissionId))
/** What was called Success and is not in the log. */
const lost = (collectors: readonly Collector[], running: Pick<Running, 'log'>): string[] => {
  const there = inLog(running)
  return collectors.flatMap(({ success }) => success.filter((id) => !there.has(id)))
}
const successes = (collectors: readonly Collector[]) => collectors.reduce((sum, one) => sum + one.success.length, 0)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function collectorsOf(stage: Stage, { intake }: Running, count: number, pool?: number): Promise<Collector[]> {
  const to = intake.multiaddrs[0]!
  return Promise.all(
    Array.from({ length: count }, async (_, i) => new Collector(await stage.client(i % 2 ? 'noise' : 'tls'), to, pool)),
  )
}

/** Each collector has some calls at a time, one after the other, until the signal. */
async function load(collectors: readonly Collector[], signal: AbortSignal, everyMs: number, size = 64): Promise<void> {
  const one = async (collector: Collector): Promise<void> => {
    while (!signal.aborted) {
      await collector.submit(message({ pad: size }))
      await pause(everyMs)
    }
  }
  await Promise.all(collectors.flatMap((collector) => [0, 1, 2, 3].map(() => one(collector))))
}

describe('what was called Success is in the log', () => {
  for (const appendMs of [0, 150])
    test(`behavior: after a close under load, with appends of ${appendMs} ms`, async () => {
      await using stage = new Stage()
      for (let round = 0; round < 3; round++) {
        const log = new ScriptedLog()
        log.before = () => pause(appendMs).then(() => {})
        const running = await stage.intake({ log })
        const collectors = await collectorsOf(stage, running, 3)
        for (const collector of collectors) await collector.fill()
        const stop = new AbortController()
        const loading = load(collectors, stop.signal, 20)
        await until(() => successes(collectors) > 100, 'under load')
        await running.intake.close()
        stop.abort()
        await loading
        expect(lost(collectors, running)).toEqual([])
        expect(collectors.every(({ failure }) => failure.length > 0)).toBe(true)
        expect(running.intake.stats()).toMatchObject({ unappended: 0, notParted: 0, shed: { parting: 0 } })
      }
    })

  test('behavior: after a close while back-pressure keeps the sockets from being read', async () => {
    await using stage = new Stage()
    const log = new ScriptedLog()
    let appendMs = 60_000
    const opened = new AbortController()
    log.before = () => systemClock.sleep(appendMs, opened.signal)
    const limits = { inflightBytesMax: 60_000, inflightBytesPerConnectionMax: 20_000, appendBytesMax: 10_000 }
    const running = await stage.intake({ log, limits })
    const collectors = await collectorsOf(stage, running, 4)
    const stop = new AbortController()
    const loading = load(collectors, stop.signal, 0)
    await until(() => running.intake.stats().stopped, 'reading stopped')
    const { taken } = running.intake.stats()
    await until(() => successes(collectors) > taken + 200, 'as many wait to be read')
    const closing = running.intake.close()
    appendMs = 50
    opened.abort()
    await closing
    stop.abort()
    await loading
    expect(lost(collectors, running)).toEqual([])
    expect(running.intake.stats()).toMatchObject({ unappended: 0, notParted: 0 })
  })

  for (const bound of [{ partingMsMax: 300 }, { partingBytesMax: 3_000 }])
    test(`behavior: a peer that is told of the end and goes on is cut off, by ${Object.keys(bound)}`, async () => {
      await using stage = new Stage()
      const limits = { partingMsMax: 60_000, partingQuietMs: 60_000, ...bound }
      const running = await stage.intake({ limits })
      const client = await stage.client()
      const stream = await open(client, running)
      const deaf = setInterval(() => sendAnyhow(client.getConnections()[0], stream, message().bytes), 5)
      await until(() => running.log.records.length > 5, 'under load')
      await running.intake.close()
      clearInterval(deaf)
      expect(running.intake.stats()).toMatchObject({ notParted: 0, shed: { parting: 1 } })
    })

  test('behavior: on the first message of a stream that is reset at once, or whose connection closes', async () => {
    await using stage = new Stage()
    const running = await stage.intake()
    const client = await stage.client()
    await open(client, running)
    const sent: string[] = []
    for (let i = 0; i < 60; i++) {
      const stream = await openSilently(client.getConnections()[0]!)
      const { id, bytes } = message()
      stream.send(Buffer.concat([GREETING, bytes]))
      stream.abort(new Error('as a pool that is full'))
      sent.push(id)
    }
    await until(() => sent.every((id) => inLog(running).has(id)), 'all of the streams that were reset')
    for (let i = 0; i < 10; i++) {
      const gone = await stage.client()
      await open(gone, running)
      const [connection] = gone.getConnections()
      // what is sent to a socket that is closed makes TCP forget what came from it: nothing else may be under way
      await until(() => connection!.streams.length === 1, 'identified')
      const { id, bytes } = message()
      ;(await openSilently(connection!)).send(Buffer.concat([GREETING, bytes]))
      await (connection as unknown as { maConn: { close(): Promise<void> } }).maConn.close()
      sent.push(id)
    }
    await until(() => sent.every((id) => inLog(running).has(id)), 'all of the connections that were closed')
    expect(running.log.submissions).toHaveLength(70)
  })

  test('behavior: with one message in twenty too long', async () => {
    await using stage = new Stage()
    const running = await stage.intake()
    const collectors = await collectorsOf(stage, running, 3)
    const good = messages(570)
    for (const [at, one] of good.entries()) {
      const collector = collectors[at % 3]!
      if (at % 20 === 0) await collector.submit(message({ pad: 70_000 }))
      await collector.submit(one)
    }
    await until(() => good.every(({ id }) => inLog(running).has(id)), 'all good ones')
    expect(running.intake.stats()).toMatchObject({ oversize: 29, malformed: 0 })
  })
})

describe('pools that are idle', () => {
  test('default: a stream may wait for its first message until all streams of its collector are opened anew', () => {
    const refreshMs = 300_000
    expect(INTAKE_LIMITS.connectionIdleMs).toBeGreaterThanOrEqual(2 * refreshMs)
  })

  test('behavior: a fresh pool fails no call though it was idle for nearly as long as its connection may be', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { connectionIdleMs: 6_000, sweepMs: 50 } })
    const [collector] = await collectorsOf(stage, running, 1, 90)
    await collector!.fill()
    await pause(2_500)
    const many = messages(90)
    await Promise.all(many.map((one) => collector!.submit(one)))
    expect([collector!.success.length, collector!.failure]).toEqual([90, []])
    await until(() => lost([collector!], running).length === 0, 'all in the log')
  })

  test('behavior: streams without a word count against the streams of all connections', async () => {
    await using stage = new Stage()
    const running = await stage.intake({ limits: { streamsMax: 60 } })
    const [modest, greedy] = [await stage.client(), await stage.client()]
    const mine = await open(modest, running)
    await open(greedy, running)
    for (let i = 0; i < 80; i++) await openSilently(greedy.getConnections()[0]!).catch(() => {})
    await until(() => running.intake.stats().shed.streams > 0, 'shed')
    await until(() => greedy.getConnections().length === 0, 'the greediest is gone')
    const { id, bytes } = message()
    await write(mine, bytes)
    await until(() => inLog(running).has(id), 'the other goes on')
  })
})
