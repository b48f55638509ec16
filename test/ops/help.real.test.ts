import { spawn, spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { runSequencer } from './run-sequencer.ts'

test('default: the help names every command by what it is for', async () => {
  const { exitCode, stdout, stderr } = await runSequencer(['--help'])
  expect(exitCode, stderr).toBe(0)
  for (const heading of ['Run:', 'Look:', 'Check and prove:', 'Deploy and change:'])
    expect(stdout).toContain(`\n${heading}\n`)
  expect(stdout).toContain('Exit codes: 0 done')
})

test('behavior: the help of a command is the same by both ways to ask for it', async () => {
  const [before, after] = await Promise.all([runSequencer(['help', 'why']), runSequencer(['why', '--help'])])
  expect(before.stdout).toBe(after.stdout)
  expect(before.stdout).toContain('--slot <n>')
})

test('behavior: a reader that has seen enough ends it without a word', async () => {
  const child = spawn(process.execPath, ['ops/bin/sequencer.mjs', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const exitCode = await new Promise((resolve) => child.once('close', resolve))
  expect([exitCode, stderr]).toEqual([0, ''])
})

test('error: too few open files for the program itself, and what to do', () => {
  const run = (command: string) =>
    spawnSync('sh', ['-c', `ulimit -n 256; exec "$0" ops/bin/sequencer.mjs ${command}`, process.execPath], {
      encoding: 'utf8',
    })
  const { status, stderr } = run('dev')
  expect(stderr).toContain('this process may have 256 files open, and needs 1024 at least')
  expect(stderr).toContain('ulimit -n 65536')
  expect(status).toBe(3)
  expect(run('--help').status).toBe(0)
})
