import { expect, test } from 'vitest'
import { growthRow, type MemberRun, type RoleRun, rowsOfRun } from '../../bench/kafka/scale-figures.ts'

const member = (records: number, wallSeconds: number, cpuSeconds: number): MemberRun => ({
  records,
  wallSeconds,
  cpuSeconds,
  total: records + 500,
})
const run = (...members: readonly MemberRun[]): RoleRun => ({
  role: 'admit',
  members,
  sent: members.length * 1_500,
  brokerCpuSeconds: 0.3,
})
const valuesOf = (of: RoleRun) => rowsOfRun(of, 'given').map(({ name, value }) => [name, value])

test('default: one process has its rate, its CPU and the CPU of the broker for all that was sent', () => {
  expect(valuesOf(run(member(1_000, 2, 0.05)))).toEqual([
    ['admit, 1 process', 500],
    ['admit, 1 process, CPU', 50],
    ['admit, 1 process, CPU of the broker', 200],
  ])
})

test('default: rates of several processes add up, and their CPU is that of a submission of all of them', () => {
  expect(valuesOf(run(member(1_000, 2, 0.05), member(3_000, 3, 0.35)))).toEqual([
    ['admit, 2 processes', 1_500],
    ['admit, 2 processes, CPU', 100],
    ['admit, 2 processes, CPU of the broker', 100],
  ])
})

test('default: growth is the CPU of a submission with most processes by that with fewest, of one role', () => {
  const other: RoleRun = { ...run(member(1_000, 1, 9)), role: 'validate' }
  const runs = [run(member(1_000, 1, 0.06), member(1_000, 1, 0.06)), other, run(member(1_000, 1, 0.05))]
  expect(growthRow('admit', runs, 'given')).toEqual({
    name: 'admit, CPU per submission: 2 processes / 1',
    value: 1.2,
    unit: 'ratio',
    conditions: 'run by run, given',
  })
})

test.each([
  ['had no records after its warm-up', member(0, 0, 0)],
  ['had one slice', member(10, 0, 0.01)],
])('error: a process that %s has no figures', (_, idle) => {
  expect(() => valuesOf(run(member(1_000, 2, 0.05), idle))).toThrow(
    'process 2 of 2 of admit had nothing to do after its warm-up',
  )
})

test('error: fewer records than were sent are no run', () => {
  expect(() => valuesOf({ ...run(member(1_000, 2, 0.05)), sent: 1_501 })).toThrow(
    'the processes of admit had 1500 records, 1501 submissions were sent',
  )
})
