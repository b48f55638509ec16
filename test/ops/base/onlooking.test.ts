/** Who only looks on waits and says so, and ends nothing; what it leaves out is told once. */
import { expect, test } from 'vitest'
import { createMemoryLog } from '../../../connectors/log/memory/memory.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { openView } from '../../../ops/api/view/view.ts'
import { onlooking, waitingTogether } from '../../../ops/base/onlooking.ts'
import { createLeftOut } from '../../../ops/watch/left-out.ts'
import type { EventLog } from '../../../ops/watch/logging/log.ts'
import { createMetrics } from '../../../ops/watch/metrics/create.ts'
import { LogError } from '../../../streams/ports.ts'
import { newFolder } from '../../folder.ts'
import { createFixture } from '../look/fixture.ts'

const directory = newFolder()
/** A second passes with each wait. */
function quickClock() {
  let now = 0
  return {
    now: () => now,
    async sleep() {
      now += 1_000
    },
  }
}

test('behavior: a call is made again whatever it says, and what lasts is told, with its end', async () => {
  const clock = quickClock()
  const { signal } = new AbortController()
  const said: (string | undefined)[] = []
  let left = 6
  const call = async () => {
    if (left-- > 0) throw left % 2 ? new LogError('CORRUPT', 'for good') : new TypeError('a fault of ours')
    return 'done'
  }
  expect(await onlooking({ clock, signal }, call, (reason) => said.push(reason))).toBe('done')
  expect(said).toEqual(['a fault of ours', 'for good', 'a fault of ours', undefined])
})

test('behavior: what is over soon is not told, and an abort ends the waiting', async () => {
  const stop = new AbortController()
  const said: unknown[] = []
  let calls = 0
  const call = () => {
    if (++calls === 3) stop.abort()
    return Promise.reject(new Error('no'))
  }
  const clock = { now: () => 0, sleep: async () => {} }
  expect(await onlooking({ clock, signal: stop.signal }, call, (reason) => said.push(reason))).toBeUndefined()
  expect([calls, said]).toEqual([3, []])
})

test('behavior: several are ready together when none of them waits', () => {
  const said: (string | undefined)[] = []
  const waits = waitingTogether((reason) => said.push(reason))
  const [view, epochs] = [waits('view'), waits('epochs')]
  view('no leader')
  epochs('no answer')
  view(undefined)
  epochs(undefined)
  expect(said).toEqual(['view: no leader', 'view: no leader; epochs: no answer', 'epochs: no answer', undefined])
})

test('behavior: a view that did not open can be opened again: it lets go of its directory', async () => {
  const { topics } = await createFixture()
  const log = createMemoryLog()
  const options = {
    identity: 'x',
    keepMs: 1,
    submissionsMax: 1,
    log,
    topics,
    clock: systemClock,
    onUnreadable: () => {},
  }
  await log.createTopics(Object.values(topics))
  const away = new LogError('NOT_LEADER_OR_FOLLOWER', 'bounds of submissions/2: NOT_LEADER_OR_FOLLOWER')
  const { bounds } = log
  let refusals = 2
  log.bounds = (partitions) => (refusals-- > 0 ? Promise.reject(away) : bounds.call(log, partitions))
  const { signal } = new AbortController()
  const view = await onlooking({ clock: quickClock(), signal }, () => openView({ ...options, directory }))
  expect(refusals).toBeLessThan(0)
  await view!.close()
})

test('behavior: a record is counted once, however often it is read, and lines are few', async () => {
  const metrics = createMetrics({ version: '0', roles: ['api'], markets: [] })
  const lines: object[] = []
  const log = { warn: (line: object) => void lines.push(line) } as unknown as EventLog
  let now = 0
  const tell = createLeftOut(metrics, log, { now: () => now }).by('view')
  const left = (offset: number) => tell({ topic: 't', partition: 0, offset, reason: 'timestamp', why: 'secret' })
  for (const offset of [4, 5, 4, 5, 6]) left(offset)
  now = 10_000
  left(7)
  expect(await metrics.text()).toContain('seq_unreadable_records_total{reader="view",topic="t",reason="timestamp"} 4')
  expect(lines).toEqual([
    { event: 'record-left-out', reader: 'view', topic: 't', partition: 0, offset: 4, reason: 'timestamp', more: 0 },
    { event: 'record-left-out', reader: 'view', topic: 't', partition: 0, offset: 7, reason: 'timestamp', more: 2 },
  ])
})
