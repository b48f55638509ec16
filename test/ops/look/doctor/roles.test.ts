/** A line for each role that has no consumer group: what the processes say of it. */
import { beforeEach, expect, test } from 'vitest'
import { examineConnectors, lastHolder, processesIn } from '../../../../ops/look/doctor/roles.ts'
import type { ProcessReport } from '../../../../schemas/types.ts'
import { createFixture, type Fixture } from '../fixture.ts'

const NOW = Date.UTC(2026, 0, 1)
let fixture: Fixture
beforeEach(async () => {
  fixture = await createFixture()
})

async function report(
  instanceId: string,
  roles: readonly [string, boolean, boolean, string?][],
  at = NOW,
): Promise<void> {
  const addresses = { host: '', pid: 1, ops: '', probes: '', intake: [] }
  const value: ProcessReport = {
    ...{ at, startedAt: 0, version: '1', acknowledged: null, signer: null },
    ...addresses,
    roles: roles.map(([role, ready, works, detail = '']) => ({ role, ready, works, detail, since: NOW - 60_000 })),
  }
  await fixture.put(fixture.topics.processes, { instanceId }, value)
}
const processes = () => processesIn(fixture.log, fixture.topics, NOW)
const found = async () => examineConnectors(await processes(), NOW).map(({ check, ok, detail }) => [check, ok, detail])

test('default: each has one, whatever becomes of it', async () => {
  await report('a', [
    ['clock', true, false],
    ['api', true, true],
    ['validate', true, true],
  ])
  await report('b', [
    ['clock', true, true],
    ['anchor-effects', false, true, 'STORE: no answer'],
  ])
  await report('c', [['intake', true, true]], NOW - 120_000)
  expect(await found()).toEqual([
    ['anchor-effects', false, 'b waits for 1 min: STORE: no answer'],
    ['clock', true, 'b works it'],
    ['intake', false, 'c had it, and was not heard of for 2 min'],
    ['api', true, 'a works it'],
  ])
})

test('behavior: one that nobody has, one that failed, and one whose processes all stand by', async () => {
  await report('a', [
    ['clock', true, false],
    ['anchor-effects', false, false, 'of another chain'],
  ])
  expect(await found()).toEqual([
    ['anchor-effects', false, 'a does not run it for 1 min: of another chain'],
    ['clock', null, 'a stands by; none works it yet'],
    ['intake', false, 'no process has it'],
    ['api', false, 'no process has it'],
  ])
})

test('behavior: of processes that do not report nothing is said', async () => {
  expect(await found()).toEqual([['processes', null, expect.stringContaining('none has said')]])
})

test('behavior: of a stage that nobody runs the process is named that had it', async () => {
  await report('stages', [['admit', true, true]], NOW - 60_000)
  await report('more', [['batch', true, true]])
  expect(lastHolder(await processes(), 'admit', NOW)).toBe('; stages had it, and was not heard of for 1 min')
  expect(lastHolder(await processes(), 'batch', NOW)).toBe('')
  expect(lastHolder(await processes(), 'validate', NOW)).toBe('')
})

test('error: a role whose topic was made anew is not said to go on by itself', async () => {
  const recreated =
    'topic anchors was deleted and made anew while this process ran: its id was a and is b now. Nothing is read'
  await report('a', [
    ['api', false, true, recreated],
    ['anchor-effects', false, true, 'STORE: no answer'],
  ])
  const advice = new Map(examineConnectors(await processes(), NOW).map((one) => [one.check, one.advice]))
  expect(advice.get('api')).toContain('It does not go on by itself')
  expect(advice.get('anchor-effects')).toContain('it goes on by itself')
})
