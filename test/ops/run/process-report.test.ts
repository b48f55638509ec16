/** What a process tells of itself in the log: at once, again and again, when a role changes, and at the end. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SimulatedClock } from '../../../connectors/log/simulated/simulated-clock.ts'
import { createHealth, type Health } from '../../../ops/base/health.ts'
import { FORGOTTEN_MS, REPORT_MS } from '../../../ops/reading/processes.ts'
import { scanTopic } from '../../../ops/reading/scan.ts'
import { type ProcessReporting, startProcessReports } from '../../../ops/run/process-report.ts'
import { createTold, LastMinute, type Told, toldSigner } from '../../../ops/run/told.ts'
import type { ProcessReport } from '../../../schemas/types.ts'
import type { Log } from '../../../streams/ports.ts'
import { createFixture, type Fixture } from '../look/fixture.ts'

let fixture: Fixture
let clock: SimulatedClock
let health: Health
let told: Told
let running: ProcessReporting[]
beforeEach(async () => {
  fixture = await createFixture()
  clock = new SimulatedClock()
  health = createHealth(['clock', 'intake'], () => clock.now())
  told = createTold(() => clock.now())
  running = []
})
afterEach(() => Promise.all(running.map((one) => one.close())))

function start(log: Log = fixture.log, collects = true): ProcessReporting {
  const process = { instanceId: 'a', version: '1', ops: 'http://o', probes: 'http://p', collects }
  const one = startProcessReports(process, { log, clock, topics: fixture.topics, health, told })
  running.push(one)
  return one
}

async function rows(): Promise<readonly (readonly [string, ProcessReport | null])[]> {
  const { processes } = fixture.topics
  const found: (readonly [string, ProcessReport | null])[] = []
  for await (const { records } of scanTopic(fixture.log, processes))
    for (const { key, value } of records)
      found.push([processes.key.decode(key!).instanceId, value && processes.value.decode(value)])
  return found
}
const written = async (count: number) => {
  await expect.poll(async () => (await rows()).length).toBe(count)
  return (await rows()).at(-1)![1]
}
/** Time passes, and what begins in it comes to rest. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    clock.advance(Math.min(1_000, left))
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  }
}

describe('reports', () => {
  test('default: at the start, with its addresses and roles, and a tombstone at the end', async () => {
    health.set('clock', false, 'node: no answer', true)
    const reporting = start()
    expect(await written(1)).toMatchObject({
      at: clock.now(),
      startedAt: clock.now(),
      version: '1',
      ops: 'http://o',
      probes: 'http://p',
      intake: [],
      roles: [
        { role: 'clock', ready: false, works: true, detail: 'node: no answer', since: clock.now() },
        { role: 'intake', ready: false, works: false },
      ],
      acknowledged: 0,
      signer: null,
    })
    reporting.intake(['/ip4/127.0.0.1/tcp/1'])
    await pass(REPORT_MS)
    expect(await written(2)).toMatchObject({ intake: ['/ip4/127.0.0.1/tcp/1'] })
    await reporting.close()
    expect(await written(3)).toBeNull()
  })

  test('behavior: a role that begins to work, or ceases to, is told within seconds', async () => {
    start()
    await written(1)
    await pass(3_000)
    await written(1)
    health.set('clock', true, '', true)
    await pass(2_000)
    expect(await written(2)).toMatchObject({ roles: [{ role: 'clock', ready: true, works: true }, {}] })
  })

  test('behavior: words that change all the time are not told more often', async () => {
    start()
    await written(1)
    for (let n = 0; n < 3; n++) {
      health.set('clock', false, `next try in ${n} ms`)
      await pass(2_000)
    }
    await written(1)
  })

  test('behavior: of one that failed for good the last word stays, and says so', async () => {
    const reporting = start()
    await written(1)
    health.fail('clock', 'of another chain')
    told.failed = true
    await reporting.close()
    expect(await written(2)).toMatchObject({ roles: [{ role: 'clock', ready: false, detail: 'of another chain' }, {}] })
  })

  test('error: a log that refuses everything, or never answers, ends nothing and holds up no end', async () => {
    const refusing = { ...logOf(), appender: () => Promise.reject(new Error('away')) } as Log
    const first = start(refusing)
    await pass(2 * REPORT_MS)
    await first.close()
    const silent = start({ ...logOf(), appender: () => new Promise(() => {}) } as Log)
    await pass(2_000)
    const closing = silent.close()
    await pass(3_000)
    await closing
    running.pop() // it would be closed again, and time stands still
    expect(await rows()).toEqual([])
  })

  test('behavior: rows of processes that ended without a word long ago are taken away, no others', async () => {
    const { topics, put } = fixture
    const report = { startedAt: 0, version: '', host: '', pid: 1, ops: '', probes: '', intake: [], roles: [] }
    const rest = { acknowledged: null, signer: null }
    await put(topics.processes, { instanceId: 'gone' }, { ...report, ...rest, at: clock.now() - FORGOTTEN_MS })
    await put(topics.processes, { instanceId: 'of late' }, { ...report, ...rest, at: clock.now() - FORGOTTEN_MS / 2 })
    start()
    await pass(REPORT_MS + 4_000)
    const ended = async () => (await rows()).filter(([, value]) => value === null).map(([instanceId]) => instanceId)
    await expect.poll(ended).toEqual(['gone'])
  })
})

/** The methods of the log, so that some can be others. */
function logOf(): Log {
  const { log } = fixture
  return {
    partitionCount: (topic) => log.partitionCount(topic),
    bounds: (partitions) => log.bounds(partitions),
    fetch: (positions, options) => log.fetch(positions, options),
    appender: () => log.appender(),
  } as Partial<Log> as Log
}

test('behavior: a sum over the last minute forgets what is older, and survives a clock that goes back', () => {
  let now = 1_000_000
  const sum = new LastMinute(() => now)
  sum.add(3)
  now += 30_000
  sum.add(4)
  expect(sum.sum).toBe(7)
  now += 40_000
  expect(sum.sum).toBe(4)
  now -= 500_000
  expect(sum.sum).toBe(0)
})

test('behavior: the signer is told of the process that sends, with coin and nonce, and of no other', () => {
  const heard: bigint[] = []
  const observer = toldSigner({ balance: (wei) => heard.push(wei) }, told, '0xab', () => 5)
  observer.balance?.(1n)
  expect(told.signer).toBeNull()
  observer.owning?.(true)
  observer.balance?.(10n ** 18n)
  observer.signed?.(7, 1n, 1)
  observer.signed?.(6, 2n, 1)
  expect(told.signer).toEqual({ address: '0xab', balanceWei: String(10n ** 18n), balanceAt: 5, nonce: 7 })
  expect(heard).toEqual([1n, 10n ** 18n])
  observer.lowBalance?.(2n, 3n)
  expect(told.signer).toMatchObject({ balanceWei: '2' })
  observer.owning?.(false)
  expect(told.signer).toBeNull()
})
