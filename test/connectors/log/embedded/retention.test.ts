import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { createSystemClock } from '../../../../connectors/system-clock.ts'
import type { Clock, Log } from '../../../../streams/ports.ts'
import { append, record, values } from '../../../contract/log-kit.ts'

const DAY_MS = 86_400_000
const ROUND_MS = 30_000
const TOPIC = 'kept'

let directory: string
let passed: number
let offset: number
let round: (() => void) | undefined
let waits: (() => void) | undefined
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-retention-'))
  passed = 0
  offset = 0
})
afterEach(() => rm(directory, { recursive: true }))

/** The clock of real runs on a wall clock with an offset; a wait between two rounds of maintenance ends when a test says so. */
function clockOf(): Clock {
  const { now } = createSystemClock({ wall: () => 1_700_000_000_000 + passed + offset, monotonic: () => passed })
  return {
    now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (ms === ROUND_MS) round = resolve
        else setImmediate(resolve)
        if (ms === ROUND_MS) waits?.()
        signal?.addEventListener('abort', () => resolve(), { once: true })
      }),
  }
}

const open = async (): Promise<{ log: Log; clock: Clock }> => {
  const clock = clockOf()
  return { log: await openEmbeddedLog({ directory, clock, maintenanceIntervalMs: ROUND_MS }), clock }
}

async function maintain(ms: number): Promise<void> {
  passed += ms
  const again = new Promise<void>((resolve) => {
    waits = resolve
  })
  round!()
  await again
}

const send = (log: Log, clock: Clock, value: string) =>
  append(log, [{ ...record(TOPIC, 0, value), timestamp: clock.now() }])

async function create(log: Log): Promise<void> {
  await log.createTopics([{ name: TOPIC, partitions: 1, cleanup: 'delete', retentionMs: 7 * DAY_MS }])
}

test.each([900_000, -900_000, 8.1 * DAY_MS, -8.1 * DAY_MS])(
  'behavior: a wall clock that an injected offset sets by %d ms for 50 s, and back, drops nothing',
  async (jump) => {
    const { log, clock } = await open()
    await create(log)
    await send(log, clock, 'before')
    await maintain(ROUND_MS)
    offset = jump
    await send(log, clock, 'meanwhile')
    await maintain(50_000)
    await send(log, clock, 'meanwhile')
    offset = 0
    await maintain(ROUND_MS)
    await send(log, clock, 'after')
    await maintain(DAY_MS)
    expect(await values(log, TOPIC)).toEqual(['before', 'meanwhile', 'meanwhile', 'after'])
    await log.close()
  },
)

test('behavior: a start while the clock is wrong drops nothing, and the days that a log was closed are caught up with', async () => {
  const first = await open()
  await create(first.log)
  await send(first.log, first.clock, 'old')
  await maintain(ROUND_MS)
  await first.log.close()
  offset = 8.1 * DAY_MS
  const wrong = await open()
  await maintain(600_000)
  await send(wrong.log, wrong.clock, 'stamped too late')
  await maintain(600_000)
  await wrong.log.close()
  const again = await open()
  await maintain(600_000)
  expect(await values(again.log, TOPIC)).toEqual(['old', 'stamped too late'])
  await maintain(DAY_MS)
  expect(await values(again.log, TOPIC)).toEqual(['stamped too late'])
  await again.log.close()
})

test('default: what is older than its topic keeps it goes, in its time', async () => {
  const { log, clock } = await open()
  await create(log)
  await send(log, clock, 'old')
  for (let day = 0; day < 6; day++) await maintain(DAY_MS)
  await send(log, clock, 'new')
  expect(await values(log, TOPIC)).toEqual(['old', 'new'])
  await maintain(1.5 * DAY_MS)
  expect(await values(log, TOPIC)).toEqual(['new'])
  await log.close()
})
