import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openFilesMax, requireOpenFiles } from '../../../../ops/base/machine-limits.ts'
import { nodeVersion, openFiles } from '../../../../ops/look/doctor/machine.ts'
import { newFolder } from '../../../folder.ts'
import { runHere } from '../../run-here.ts'

const manifest = JSON.parse(readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8'))

test('behavior: the oldest Node that is good is the one of package.json', () => {
  const [, oldest] = /^>=(\d+\.\d+)$/.exec(manifest.engines.node)!
  for (const version of [`${oldest}.0`, '20.20.1', '22.1.0', '24.0.0']) expect(nodeVersion(version).ok).toBe(true)
  for (const version of ['18.20.0', '20.9.0', '20.18.3']) {
    expect(nodeVersion(version)).toMatchObject({ ok: false, advice: `Install Node ${oldest} or newer.` })
  }
})

test('behavior: few open files are told, by number and with what to do', () => {
  expect(openFiles(4_096)).toEqual({ check: 'open files', ok: true, detail: 'up to 4096' })
  expect(openFiles(4_095)).toMatchObject({
    ok: false,
    detail: expect.stringContaining('4095'),
    advice: expect.stringContaining('ulimit -n'),
  })
  expect(openFiles(Number.POSITIVE_INFINITY).ok).toBe(true)
  expect(openFilesMax()).toBeGreaterThan(0)
  expect(() => requireOpenFiles(1_023)).toThrow('may have 1023 files open, and needs 1024')
  requireOpenFiles(1_024)
})

test('behavior: every port that `dev` listens on is looked at, that of the probes too', async () => {
  const { stdout } = await runHere(['doctor', '--data-dir', newFolder(), '--json'])
  const checks = (JSON.parse(stdout) as { check: string }[]).map(({ check }) => check)
  expect(checks.filter((check) => check.startsWith('port '))).toEqual([
    'port 9100',
    'port 9090',
    'port 9190',
    'port 8545',
  ])
})
