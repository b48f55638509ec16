/** `sequencer schemas` on a real registry (Apicurio). */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SUBJECTS } from '../../../../schemas/subjects.ts'
import { useRegistry } from '../../../real/registry.ts'
import { runHere } from '../../run-here.ts'
import { changedSchemas, compatible, incompatible } from './changed.ts'

const { directory, server } = useRegistry()
const count = Object.keys(SUBJECTS).length

const schemas = async (...args: string[]) => {
  const run = await runHere(['schemas', ...args, '--registry', server().url])
  return { ...run, exitCode: run.exitCode ?? 0, stdout: run.stdout.replaceAll(server().url, 'REGISTRY') }
}

/** In the order in which an operator meets them: each test goes on from what the one before left. */
test('default: on an empty registry all is new, then all is registered, then nothing is left to do', async () => {
  const before = await schemas('register', '--dry-run')
  expect([before.exitCode, before.stdout]).toEqual([
    0,
    [
      `${count} subjects against REGISTRY`,
      `   ${count} without a version yet`,
      'Every version reads every other (FULL_TRANSITIVE).',
      '',
    ].join('\n'),
  ])
  expect((await schemas('diff')).stdout).toContain('slots-key: no version yet')
  const done = await schemas('register')
  expect(done.exitCode).toBe(0)
  expect(done.stdout).toContain(`${count} subjects at REGISTRY, level FULL_TRANSITIVE: ${count} added, 0 there before`)
  const again = await schemas('register')
  expect(again.stdout).toBe(`${count} subjects at REGISTRY, level FULL_TRANSITIVE: 0 added, ${count} there before\n`)
  const diff = await schemas('diff')
  expect([diff.exitCode, diff.stdout]).toEqual([0, `${count} subjects are as in REGISTRY.\n`])
})

test('behavior: a compatible change is registered as a further version, and its older one is still right', async () => {
  const changed = changedSchemas(compatible)
  const check = await schemas('check', '--schemas', changed, '--json')
  expect(check.exitCode).toBe(0)
  const [history, registry] = (JSON.parse(check.stdout) as { reports: { subjects: { state: string }[] }[] }).reports
  for (const report of [history!, registry!])
    expect(report.subjects.filter(({ state }) => state !== 'same')).toMatchObject([
      { subject: 'slots-key', state: 'changed' },
    ])
  const diff = await schemas('diff', '--schemas', changed)
  expect([diff.exitCode, diff.stdout]).toEqual([
    1,
    ['slots-key, to version 1:', '  + SlotKey (words): A seat.', '  + SlotKey.region: string = "eu"', ''].join('\n'),
  ])
  expect((await schemas('register', '--schemas', changed)).stdout).toMatch(
    new RegExp(`FULL_TRANSITIVE: 1 added, ${count - 1} there before\\n  slots-key +version 2, id \\d+\\n$`),
  )
  expect((await schemas('check')).exitCode).toBe(0)
})

test('error: with one breaking change nothing is registered, and subject, field and rule are named', async () => {
  const changed = changedSchemas({ ...compatible, ...incompatible })
  const refused = await schemas('register', '--schemas', changed)
  expect([refused.exitCode, refused.stdout]).toEqual([
    1,
    [
      `${count} subjects against REGISTRY`,
      `   ${count - 1} unchanged`,
      '    1 REFUSED',
      '      verdicts-value',
      'verdicts-value: Verdict.score: FIELD_WITHOUT_DEFAULT: a field that one version lacks must have a default in the other',
      'Not FULL_TRANSITIVE: give the field a default, or make a new topic.',
      'Nothing was registered.',
      '',
    ].join('\n'),
  ])
})

test('behavior: export writes every version, with ids and levels', async () => {
  const out = join(directory, 'export')
  const { stdout } = await schemas('export', '--out', out)
  expect(stdout).toBe(`${count + 1} schemas of ${count} subjects in ${out}\n`)
  expect(readdirSync(join(out, 'slots-key')).sort()).toEqual(['1.avsc', '2.avsc'])
  const index = JSON.parse(readFileSync(join(out, 'index.json'), 'utf8')) as { subject: string }[]
  expect(index).toHaveLength(count)
  expect(index.find(({ subject }) => subject === 'slots-key')).toMatchObject({
    level: 'FULL_TRANSITIVE',
    versions: [{ version: 1 }, { version: 2 }],
  })
  expect(JSON.parse((await schemas('export')).stdout)).toHaveLength(count)
})

test('args: a prefix makes subjects of their own', async () => {
  const { stdout } = await schemas('check', '--prefix', 'other-', '--json')
  const { reports } = JSON.parse(stdout) as { reports: { subjects: { subject: string; state: string }[] }[] }
  expect(reports[1]!.subjects.every(({ subject, state }) => subject.startsWith('other-') && state === 'new')).toBe(true)
})

test('error: no registry, a wrong address, one that is away', async () => {
  const missing = await runHere(['schemas', 'register'])
  expect([missing.exitCode, missing.stderr]).toEqual([2, expect.stringContaining('--registry is missing')])
  const wrong = await runHere(['schemas', 'check', '--registry', server().url.replace('ccompat/v7', 'nothing')])
  expect([wrong.exitCode, wrong.stderr]).toEqual([3, expect.stringContaining('/apis/ccompat/v7')])
  await server().stop()
  const away = await runHere(['schemas', 'export', '--registry', server().url])
  expect([away.exitCode, away.stderr]).toEqual([
    3,
    expect.stringMatching(/ECONNREFUSED[\s\S]*Start the schema registry/),
  ])
})
