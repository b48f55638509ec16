/** What processes say of themselves, as it is read: who runs, who is silent, and what nobody can make of it by lying. */
import { describe, expect, test } from 'vitest'
import { ROLES } from '../../../ops/base/roles.ts'
import {
  acknowledgedIn,
  FORGOTTEN_MS,
  HEARD_MS_MAX,
  PROCESSES_MAX,
  ProcessTable,
  rolesOf,
  signerIn,
} from '../../../ops/reading/processes.ts'
import { readProcesses } from '../../../ops/reading/read-processes.ts'
import type { ProcessReport } from '../../../schemas/types.ts'
import { HOSTILE } from '../hostile.ts'
import { createFixture } from '../look/fixture.ts'

const NOW = Date.UTC(2026, 0, 1)

const roleOf = (role: string, ready = true, works = true, detail = '') => ({ role, ready, works, detail, since: NOW })
const reportOf = (fields: Partial<ProcessReport> = {}): ProcessReport => ({
  at: NOW,
  startedAt: NOW - 1_000,
  version: '1',
  host: 'host',
  pid: 7,
  ops: 'http://127.0.0.1:9090',
  probes: 'http://127.0.0.1:9190',
  intake: [],
  roles: [roleOf('intake')],
  acknowledged: null,
  signer: null,
  ...fields,
})

type Row = readonly [string, Partial<ProcessReport>]

function tableOf(...rows: readonly Row[]): ProcessTable {
  const table = new ProcessTable()
  for (const [instanceId, fields] of rows) {
    const report = reportOf(fields)
    table.apply(instanceId, report, report.at)
  }
  return table
}

describe('a process', () => {
  test('default: runs while it is heard of, is silent then, and is forgotten after a day', () => {
    const table = tableOf(['a', {}])
    const stateAfter = (ms: number) => table.list(NOW + ms).items.map(({ state }) => state)
    expect([0, HEARD_MS_MAX, HEARD_MS_MAX + 1, FORGOTTEN_MS, FORGOTTEN_MS + 1].map(stateAfter)).toEqual([
      ['RUNNING'],
      ['RUNNING'],
      ['SILENT'],
      ['SILENT'],
      [],
    ])
    expect(table.forgotten(NOW + FORGOTTEN_MS + 1)).toEqual(['a'])
  })

  test('behavior: one that has ended is gone', () => {
    const table = tableOf(['a', {}], ['b', {}])
    table.apply('a', null, NOW)
    expect(table.list(NOW).items.map(({ instanceId }) => instanceId)).toEqual(['b'])
  })

  test('behavior: of one whose clock is ahead nobody says that it runs, and a day ahead it is not shown', () => {
    const ahead = tableOf(['a', { at: NOW + HEARD_MS_MAX + 1 }], ['b', { at: NOW + FORGOTTEN_MS + 1 }])
    expect(ahead.list(NOW).items.map(({ instanceId, state }) => [instanceId, state])).toEqual([['a', 'AHEAD']])
    expect(ahead.forgotten(NOW)).toEqual(['b'])
  })
})

describe('roles', () => {
  test('default: each has a line, also the one that nobody has', () => {
    const roles = rolesOf(tableOf(['a', {}]).list(NOW).items)
    expect(roles.map(({ role }) => role)).toEqual(ROLES)
    expect(roles.find(({ role }) => role === 'intake')).toMatchObject({ standing: 'RUNS' })
    expect(roles.find(({ role }) => role === 'clock')).toEqual({ role: 'clock', standing: 'NOBODY', processes: [] })
  })

  test('behavior: the best of those that run counts, and one that is silent works nothing', () => {
    const clock = (ready: boolean, works: boolean, detail = '') => ({ roles: [roleOf('clock', ready, works, detail)] })
    const found = (...rows: readonly Row[]) =>
      rolesOf(tableOf(...rows).list(NOW).items).find(({ role }) => role === 'clock')!
    const [works, standsBy, waits] = [clock(true, true), clock(true, false), clock(false, true, 'no node')]
    expect(found(['a', standsBy], ['b', works]).standing).toBe('RUNS')
    expect(found(['a', standsBy], ['b', waits]).standing).toBe('WAITS')
    expect(found(['a', clock(false, false, 'failed')]).standing).toBe('DOWN')
    const silent = found(['a', { ...works, at: NOW - HEARD_MS_MAX - 1 }])
    expect(silent.standing).toBe('NOBODY')
    expect(silent.processes).toEqual([
      { instanceId: 'a', standing: 'SILENT', detail: '', since: NOW - HEARD_MS_MAX - 1 },
    ])
  })

  test('behavior: what intakes acknowledge is added up, and the signer is that of the newest word', () => {
    const signer = (nonce: number) => ({ address: `0x${'ab'.repeat(20)}`, balanceWei: '1', balanceAt: NOW, nonce })
    const { items } = tableOf(
      ['a', { acknowledged: 3, signer: signer(1), at: NOW - 1 }],
      ['b', { acknowledged: 4 }],
      ['c', { acknowledged: 100, at: NOW - HEARD_MS_MAX - 1 }],
      ['d', { signer: signer(2) }],
    ).list(NOW)
    expect(acknowledgedIn(items)).toBe(7)
    expect(acknowledgedIn([])).toBeNull()
    expect(signerIn(items)).toMatchObject({ nonce: 2 })
    expect(signerIn([])).toBeNull()
  })
})

describe('who lies', () => {
  test('error: made-up processes take no place of one that is heard of, and it is said that there are more', () => {
    const table = tableOf(['honest', {}])
    for (let n = 0; n < 3 * PROCESSES_MAX; n++) table.apply(`fake-${n}`, reportOf(), NOW)
    table.apply('honest', reportOf(), NOW + 10_000)
    const { items, more } = table.list(NOW + 10_000)
    expect(items).toHaveLength(PROCESSES_MAX)
    expect(items.map(({ instanceId }) => instanceId)).toContain('honest')
    expect(more).toBe(PROCESSES_MAX)
    expect(table.beyond).toHaveLength(PROCESSES_MAX)
  })

  test('behavior: one that is heard of takes the place of one that is silent', () => {
    const table = tableOf()
    for (let n = 0; n < PROCESSES_MAX; n++) table.apply(`old-${n}`, reportOf(), NOW + n)
    const later = NOW + 2 * HEARD_MS_MAX
    table.apply('new', reportOf({ at: later }), later)
    const names = table.list(later).items.map(({ instanceId }) => instanceId)
    expect(names).toContain('new')
    expect(names).not.toContain('old-0')
  })

  test.each<[string, string, Partial<ProcessReport>]>([
    ['a name that is too long', 'x'.repeat(1_001), {}],
    ['too many roles', 'a', { roles: Array.from({ length: 33 }, () => roleOf('clock')) }],
    ['words that are too long', 'a', { roles: [roleOf('clock', true, true, 'x'.repeat(1_001))] }],
    ['too many addresses', 'a', { intake: Array.from({ length: 33 }, () => '/ip4/1.2.3.4') }],
    ['a time that is none', 'a', { startedAt: Number.MAX_SAFE_INTEGER }],
    ['a time before all', 'a', { roles: [{ ...roleOf('clock'), since: -1 }] }],
    [
      'a balance that is no number',
      'a',
      { signer: { address: `0x${'ab'.repeat(20)}`, balanceWei: '-1', balanceAt: 0, nonce: 0 } },
    ],
    [
      'a signer that is no account',
      'a',
      { signer: { address: HOSTILE, balanceWei: null, balanceAt: null, nonce: null } },
    ],
    ['fewer than no submissions', 'a', { acknowledged: -1 }],
  ])('error: %s is left out', (_, instanceId, fields) => {
    expect(tableOf([instanceId, fields]).list(NOW).items).toEqual([])
  })
})

test('behavior: the log is read from its end, and what is none of the topic is passed over', async () => {
  const { log, topics, put } = await createFixture()
  await put(topics.processes, { instanceId: 'a' }, reportOf({ version: 'old' }))
  await put(topics.processes, { instanceId: 'b' }, reportOf())
  await put(topics.processes, { instanceId: 'a' }, reportOf({ version: 'new' }))
  const appender = await log.appender()
  const at = { topic: topics.processes.name, partition: 0, timestamp: 1 }
  const key = topics.processes.key.encode({ instanceId: 'b' })
  await appender.append([
    { ...at, key: Buffer.from('none'), value: Buffer.from('none') },
    { ...at, key, value: null },
  ])
  const { items } = (await readProcesses(log, topics)).list(NOW)
  expect(items.map(({ instanceId, version }) => [instanceId, version])).toEqual([['a', 'new']])
})
