/** The API on topics of a real broker: what it answers, what it keeps through a restart, and while the broker is gone. */
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openKafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import type { FetchPosition, Log } from '../../../../streams/ports.ts'
import { useBrokerBehindProxy } from '../../../real/broker-behind-proxy.ts'
import { createFixture } from '../../look/fixture.ts'
import { cidOf, createStory, type RunningApi, type Story, startApi } from '../story.ts'

const SLOTS = 5
/** Short, so that a broker that is gone is soon given up; long enough for a machine that is busy. */
const REQUEST_TIMEOUT_MS = 4_000
const WAIT = { timeout: 60_000, interval: 100 }

const { kafka, proxy } = useBrokerBehindProxy()
let log: Log
let story: Story
let api: RunningApi

/** A process of the role api: its own connections, its view from `directory` if there is one. */
async function serve(directory?: string): Promise<FetchPosition[]> {
  const own = await openLog('api')
  const asked: FetchPosition[] = []
  const fetch: Log['fetch'] = (positions, options) => {
    if (asked.length === 0) asked.push(...positions)
    return own.fetch(positions, options)
  }
  const watched = Object.assign(Object.create(own) as Log, { fetch })
  api = await startApi({ ...story.fixture, log: watched }, directory === undefined ? {} : { directory })
  return asked
}
const openLog = (clientId: string): Promise<Log> =>
  openKafkaLog({
    brokers: kafka().bootstrap,
    clientId,
    clock: systemClock,
    replicationFactor: 1,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
  })

beforeAll(async () => {
  log = await openLog('story')
  story = await createStory(await createFixture(3, log))
  for (const epochId of [1, 2]) await story.epoch(epochId, SLOTS)
  await serve()
  await api.caughtUp()
}, 120_000)
afterAll(async () => {
  await api?.close()
  await log?.close()
})

const URLS = ['/v1/epochs', '/v1/epochs/2', '/v1/epochs/2/projects', '/v1/epochs/2/verdicts', '/v1/slots/3/verdicts']
const answers = async () =>
  (await Promise.all([...URLS, '/v1/batches', '/v1/anchors'].map((url) => api.get(url)))).map((one) => one.json())
const positionOf = async (): Promise<string> => String((await api.get('/v1/epochs')).headers['x-log-position'])

test('default: lists, single things and the bytes of a batch', async () => {
  const [epochs, epoch, , verdicts, slot] = await answers()
  expect(epochs.items).toMatchObject([2, 1].map((epochId) => ({ epochId, phase: 'ANCHORED', submissions: SLOTS })))
  expect(epoch).toMatchObject({ epochId: 2, verdicts: SLOTS, reasons: { COUNTED: 4, OUTVOTED: 1 } })
  expect(verdicts.items.map((item: { slotId: number }) => item.slotId)).toEqual([1, 2, 3, 4, 5])
  expect(slot.items.map((item: { epochId: number }) => item.epochId)).toEqual([2, 1])
  const content = await api.get(`/v1/batches/${await cidOf(2)}/content`)
  expect([content.statusCode, content.json().pids]).toEqual([200, ['project-a']])
})

test('behavior: a listener is told of an epoch as its records come', async () => {
  await api.server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = api.server.server.address() as AddressInfo
  const stop = new AbortController()
  const response = await fetch(`http://127.0.0.1:${port}/v1/events`, { signal: stop.signal })
  const told = (async () => {
    let text = ''
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString()
      if (/event: epoch\ndata: \{[^\n]*"epochId":3,"phase":"ANCHORED"/.test(text)) return true
    }
    return false
  })()
  await story.epoch(3, SLOTS)
  expect(await told).toBe(true)
  stop.abort()
})

test('behavior: a restart goes on with the view on disk, where it stopped', async () => {
  await api.caughtUp()
  const [before, position] = [await answers(), await positionOf()]
  await api.close(true)
  const asked = await serve(api.directory)
  expect([await answers(), await positionOf()]).toEqual([before, position])
  await expect.poll(() => asked.reduce((sum, { offset }) => sum + offset, 0), WAIT).toBe(Number(position.split('.')[0]))
})

test('behavior: while the broker is gone it answers as of its position; what is only in the log is 503', async () => {
  const [before, position, content] = [await answers(), await positionOf(), `/v1/batches/${await cidOf(1)}/content`]
  proxy().down()
  const asked = api.get(content) // is tried again for a while
  expect([await answers(), await positionOf()]).toEqual([before, position])
  const refused = await asked
  expect([await answers(), await positionOf()]).toEqual([before, position])
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '1'])
  expect(refused.json().detail).toContain('the log does not answer')
  proxy().up()
  await story.epoch(4, SLOTS)
  const newest = async () => (await api.get('/v1/epochs')).json().items[0]
  await expect.poll(newest, WAIT).toMatchObject({ epochId: 4, phase: 'ANCHORED', submissions: SLOTS })
  expect((await api.get(content)).statusCode).toBe(200)
})
