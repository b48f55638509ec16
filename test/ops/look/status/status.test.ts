/** The state of things: the same from the log as from the query API, in words and as JSON, and again and again. */
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type ProcessesAnswer,
  processes as processesShape,
  status as statusShape,
} from '../../../../ops/api/status-schema.ts'
import { CliError, EXIT } from '../../../../ops/base/cli-error.ts'
import { outputTo, textOf } from '../../../../ops/base/output.ts'
import type { OpenLog } from '../../../../ops/ground/open-log.ts'
import { watching } from '../../../../ops/look/status/command.ts'
import { renderEpochs, renderStatus } from '../../../../ops/look/status/render.ts'
import { epochsFrom, statusFrom } from '../../../../ops/look/status/source.ts'
import type { EpochReport } from '../../../../ops/reading/status.ts'
import { percentilesOf } from '../../../../ops/reading/status.ts'
import type { ProcessReport } from '../../../../schemas/types.ts'
import { newFolder } from '../../../folder.ts'
import { createStory, ONE_MARKET, type RunningApi, type Story, startApi } from '../../api/story.ts'
import { MARKET } from '../fixture.ts'

const SIGNER = `0x${'ab'.repeat(20)}`
const directory = newFolder()
const OPTIONS = { dataDir: directory } // nobody runs there, so the log is read

let story: Story
let api: RunningApi
beforeEach(async () => {
  story = await createStory()
  api = await startApi(story.fixture)
})
afterEach(() => api.close())

const openIt: OpenLog = async () => ({
  log: story.fixture.log,
  topics: story.fixture.topics,
  rules: ONE_MARKET,
  appId: 'app',
  chain: { rpcUrls: [], chainId: 31337, protocolState: ONE_MARKET.markets[0]!.protocolState },
  close: async () => {},
})

const roleOf = (role: string, ready = true, works = true, detail = '') => ({
  ...{ role, ready, works, detail },
  since: Date.now() - 120_000,
})
async function report(instanceId: string, fields: Partial<ProcessReport> = {}): Promise<void> {
  const { topics, put } = story.fixture
  const addresses = { ops: 'http://10.0.0.9:9090', probes: 'http://10.0.0.9:9190', intake: ['/ip4/10.0.0.9/tcp/1'] }
  const value = { at: Date.now(), startedAt: Date.now() - 60_000, version: '1.2', host: 'host-9.internal', pid: 77 }
  const rest = { roles: [roleOf('clock')], acknowledged: null, signer: null }
  await put(topics.processes, { instanceId }, { ...value, ...addresses, ...rest, ...fields })
}
const heard = async (instanceId: string): Promise<void> => {
  const names = async () =>
    ((await api.get('/v1/processes')).json() as ProcessesAnswer).items.map((one) => one.instanceId)
  await expect.poll(names, { timeout: 20_000 }).toContain(instanceId)
}
const fromApi = async () => {
  await api.caughtUp()
  return statusShape.strict().parse((await api.get('/v1/status')).json())
}

/** Epochs 1 to 4: two on the chain, one on its way, one open. */
async function fourEpochs(): Promise<void> {
  await story.epoch(1, 5)
  await story.epoch(2, 5)
  await story.open(3)
  await story.close(3)
  await story.batch(3, 4)
  await story.anchor(3, 'SENT')
  await story.open(4)
}

describe('status', () => {
  test('default: of a log in which nothing has happened', async () => {
    const status = await statusFrom(openIt, OPTIONS)
    expect(status).toMatchObject({ chain: null, processes: [], moreProcesses: 0, submissionsPerMinute: null })
    expect(status.markets).toEqual([
      { dataMarket: MARKET, served: true, headEpoch: null, epochs: [], agreement: null, toAnchor: null },
    ])
    expect(status.roles.every(({ standing }) => standing === 'NOBODY')).toBe(true)
    const text = textOf(renderStatus(status))
    expect(text).toContain('no block was read yet')
    expect(text).toContain('No process has reported')
    expect(text).toMatch(/^intake +nobody that runs$/m)
  })

  test('behavior: the log and the query API say the same of epochs, signer and times', async () => {
    await fourEpochs()
    const [told, read] = [await fromApi(), await statusFrom(openIt, OPTIONS)]
    const withoutCounts = (epochs: readonly EpochReport[]) => epochs.map(({ submissions: _, ...epoch }) => epoch)
    const [a, b] = [told.markets[0]!, read.markets[0]!]
    expect(withoutCounts(b.epochs)).toEqual(withoutCounts(a.epochs as EpochReport[]))
    expect(b.epochs.map(({ epochId, phase }) => [epochId, phase])).toEqual([
      [4, 'OPEN'],
      [3, 'MINING'],
      [2, 'ANCHORED'],
      [1, 'ANCHORED'],
    ])
    expect({ ...b, epochs: [] }).toEqual({ ...a, epochs: [] })
    expect(b).toMatchObject({ headEpoch: 4, agreement: 3 / 4, toAnchor: { epochs: 2 } })
    expect(read.signer).toEqual(told.signer)
    expect(read.signer).toMatchObject({ pending: 1, inFlight: 1 })
    expect(read.chain).toEqual(told.chain)
    expect(a.epochs.find(({ epochId }) => epochId === 2)).toMatchObject({ submissions: 5, counted: 5 })
  })

  test('behavior: agreement is not told of an epoch of which some projects are out of reach', async () => {
    await story.epoch(1, 5)
    const { topics, log } = story.fixture
    const ends = await log.ends([0, 1].map((partition) => ({ topic: topics.finalizations.name, partition })))
    await log.deleteRecords(ends.map((offset, partition) => ({ topic: topics.finalizations.name, partition, offset })))
    const [epoch] = await epochsFrom(openIt, OPTIONS, { limit: 1 })
    expect(epoch).toMatchObject({ epochId: 1, phase: 'ANCHORED', projects: 1, agreement: null })
  })

  test('behavior: who runs which role where, what one waits for, the signer, and what comes in', async () => {
    const signer = { address: SIGNER, balanceWei: '9980000000000000001', balanceAt: Date.now(), nonce: 12 }
    await report('a', { roles: [roleOf('intake'), roleOf('clock', true, false)], acknowledged: 61 })
    await report('b', { roles: [roleOf('clock'), roleOf('anchor-effects', false, true, 'SEND: no coin')], signer })
    await report('c', { roles: [roleOf('validate')], at: Date.now() - 180_000 })
    await heard('c')
    const status = await statusFrom(openIt, OPTIONS)
    const text = textOf(renderStatus(status))
    expect(text).toContain('submissions  61 a minute\n')
    expect(text).toMatch(new RegExp(`^signer +${SIGNER}, 9.98 coin [0-9.]+ s ago, nonce 12, 0 calls on the way`, 'm'))
    expect(text).toMatch(/^intake +a$/m)
    expect(text).toMatch(/^clock +a stands by; b$/m)
    expect(text).toMatch(/^anchor-effects +b waits for 2 min: SEND: no coin$/m)
    expect(text).toMatch(/^validate +0 +nobody that runs; c is silent for 3 min/m)
    expect(text).toMatch(/^process c 1.2: silent: not heard of for 3 min/m)
    expect(text).toContain('at host-9.internal, http://10.0.0.9:9090, /ip4/10.0.0.9/tcp/1')
    expect(await fromApi()).toMatchObject({ submissionsPerMinute: 61, signer: { address: SIGNER, nonce: 12 } })
  })

  test('behavior: the API, which has no login, tells neither machines nor addresses', async () => {
    await report('a')
    await heard('a')
    for (const path of ['/v1/processes', '/v1/status'])
      expect((await api.get(path)).body).not.toMatch(/10\.0\.0\.9|internal|pid/)
    const answer = processesShape.strict().parse((await api.get('/v1/processes')).json())
    expect(answer.roles.find(({ role }) => role === 'clock')).toMatchObject({ standing: 'RUNS' })
  })

  test('behavior: of itself the process that answers knows better than the log', async () => {
    await report('this', { roles: [roleOf('api', false, true, 'old')], at: Date.now() - 600_000 })
    await heard('this')
    const { items } = (await api.get('/v1/processes')).json() as ProcessesAnswer
    expect(items).toMatchObject([
      { instanceId: 'this', state: 'RUNNING', roles: [{ role: 'api', standing: 'STANDS_BY' }] },
    ])
  })
})

describe('epochs', () => {
  test('default: the newest of each market, in a table', async () => {
    await fourEpochs()
    const epochs = await epochsFrom(openIt, OPTIONS, { limit: 2 })
    expect(epochs.map(({ epochId }) => epochId)).toEqual([4, 3])
    const text = textOf(renderEpochs(epochs, Date.now()))
    expect(text).toMatch(/^ +EPOCH +PHASE +OUTCOME +RELEASED/m)
    expect(text).toMatch(/^ +3 +MINING +-/m)
    expect(await epochsFrom(openIt, OPTIONS, { limit: 2, dataMarket: `0x${'00'.repeat(20)}` })).toEqual([])
    expect(textOf(renderEpochs([], 0))).toBe('No epoch was released yet.\n')
  })

  test('error: an API and a directory are not asked at once', async () => {
    const both = { ...OPTIONS, api: 'http://127.0.0.1:1' }
    await expect(epochsFrom(openIt, both, { limit: 1 })).rejects.toThrow('--api and --data-dir')
  })
})

test('behavior: times are of epochs that are anchored, by the nearest rank', () => {
  const took = (seconds: number, outcome: EpochReport['outcome'] = null) =>
    ({ releasedAt: 0, finalAt: seconds * 1_000, phase: 'ANCHORED', outcome }) as EpochReport
  expect(percentilesOf([])).toBeNull()
  expect(percentilesOf([took(3)])).toEqual({ p50: 3, p95: 3, epochs: 1 })
  const twenty = Array.from({ length: 20 }, (_, at) => took(20 - at))
  expect(percentilesOf([...twenty, took(900, 'LATE'), took(900, 'EMPTY'), took(900, 'NO_QUORUM')])).toEqual({
    p50: 10,
    p95: 19,
    epochs: 20,
  })
  expect(percentilesOf([{ ...took(3), finalAt: null }])).toBeNull()
})

describe('watching', () => {
  const screen = (isTTY: boolean) => {
    const stream = Object.assign(new PassThrough(), { isTTY, rows: 6, columns: 20 })
    return { out: outputTo(stream), text: () => String(stream.read() ?? '') }
  }
  /** Three looks, the second of which fails. */
  async function threeLooks(isTTY: boolean, json: boolean): Promise<string> {
    const { out, text } = screen(isTTY)
    const stop = new AbortController()
    let looks = 0
    const once = async () => {
      looks++
      if (looks === 2) throw new CliError('the brokers are away', 'Start them.', EXIT.unavailable)
      if (looks === 3) stop.abort()
      return { value: { looks }, lines: Array.from({ length: 9 }, (_, n) => `line ${n} of look ${looks} and more`) }
    }
    await watching(out, json, once, stop.signal, 1)
    return text()
  }

  test('behavior: a look that fails is said, and made again', async () => {
    const text = await threeLooks(false, false)
    expect(text).toContain('line 8 of look 1 and more\n\nerror: the brokers are away\n')
    expect(text).toContain('line 8 of look 3')
    const lines = (await threeLooks(false, true)).trim().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { looks: 1 },
      { error: 'error: the brokers are away' },
      { looks: 3 },
    ])
  })

  test('behavior: on a terminal it stays in its place, and within it', async () => {
    const parts = (await threeLooks(true, false)).split('\u001b[0J')
    expect(parts).toHaveLength(3)
    for (const part of [parts[0]!, parts[2]!]) {
      const lines = part.replace(/\r.*/s, '').trimEnd().split('\n')
      expect(lines.length).toBeLessThan(6)
      expect(lines.every((line) => line.length <= 20)).toBe(true)
    }
  })

  test('error: what was asked for wrongly is not asked for again', async () => {
    const once = async () => Promise.reject(new CliError('no such thing', 'Check.'))
    await expect(watching(screen(false).out, false, once, new AbortController().signal, 1)).rejects.toThrow('no such')
  })
})
