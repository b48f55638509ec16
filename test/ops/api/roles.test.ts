/** The roles that no process does, in `/v1/health`. */
import { expect, test } from 'vitest'
import { troubledRoles } from '../../../ops/api/queries/roles.ts'
import { createHealth } from '../../../ops/base/health.ts'
import { ROLES } from '../../../ops/base/roles.ts'
import { type ProcessStatus, REPORT_MS } from '../../../ops/reading/processes.ts'

const process = (instanceId: string, roles: readonly string[], more: Partial<ProcessStatus> = {}): ProcessStatus => ({
  ...{ instanceId, state: 'RUNNING', heardAt: 5, startedAt: 0, version: '1', host: '', pid: 1, ops: '', probes: '' },
  ...{ intake: [], acknowledged: null, signer: null },
  roles: roles.map((role) => ({ role, standing: 'RUNS', detail: '', since: 1 })),
  ...more,
})

function troubled(items: readonly ProcessStatus[]) {
  const health = createHealth(['api'], () => REPORT_MS)
  health.set('api', true, '', true)
  const asked = { processes: { list: () => ({ items, more: 0 }), close: async () => {} }, health, instanceId: 'front' }
  return troubledRoles(asked).map(({ role, standing, processes }) => [role, standing, processes[0]?.instanceId])
}
const others = ROLES.filter((role) => role !== 'api' && role !== 'clock')

test('default: none while each role is done by a process that runs', () => {
  expect(troubled([process('front', ['api']), process('back', ['clock', ...others])])).toEqual([])
})

test('behavior: the role of a silent process is one, with the name of that process', () => {
  const silent = process('chain', ['clock'], { state: 'SILENT' })
  expect(troubled([process('front', ['api']), process('back', others), silent])).toEqual([['clock', 'NOBODY', 'chain']])
})

test('behavior: a role that waits in its only process is one, and one that others do is none', () => {
  const waits = process('chain', [], { roles: [{ role: 'clock', standing: 'WAITS', detail: 'x', since: 1 }] })
  const all = [process('front', ['api']), process('back', others), waits]
  expect(troubled(all)).toEqual([['clock', 'WAITS', 'chain']])
  expect(troubled([...all, process('more', ['clock'])])).toEqual([])
})

test('behavior: of processes that do not report nothing is claimed', () => expect(troubled([])).toEqual([]))
