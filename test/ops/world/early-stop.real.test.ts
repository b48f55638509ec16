/** Starts that fail, or are told to end before they are through: each ends, and says why. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { directoryPaths } from '../../../ops/ground/directory-paths.ts'
import { newFolder } from '../../folder.ts'
import { until } from '../../until.ts'
import { startSequencer } from '../run-sequencer.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

test.each([['dev', '--listen-port', '0', '--ops-port', '0'], ['devchain']])(
  'behavior: Ctrl-C ends %s while it starts',
  async (...command) => {
    const directory = newFolder()
    const started = startSequencer([...command, '--chain-port', '0', '--data-dir', directory, '--json'])
    await until('its chain starts', () => existsSync(join(directoryPaths(directory).chain, 'anvil.json')))
    expect(started.events.some(({ event }) => event === 'running')).toBe(false)
    started.child.kill('SIGINT')
    const { exitCode, signal } = await started.finished
    expect([exitCode, signal]).toEqual([0, null])
  },
)

test('error: brokers end at once when there is no Java, with one sentence', async () => {
  const temporary = newFolder()
  const { exitCode, stderr } = await brokers({ PATH: '/nowhere', TMPDIR: temporary })
  expect([exitCode, stderr]).toEqual([
    3,
    'error: There is no `java` on PATH. On Debian: apt-get install default-jre-headless\n  Install it, and start again.\n',
  ])
  expect(readdirSync(temporary).filter((name) => name.startsWith('sequencer-'))).toEqual([])
})

async function brokers(environment: NodeJS.ProcessEnv) {
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', 'ops/world/brokers/main.ts'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...environment },
  })
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exitCode = await new Promise((resolve) => child.once('close', resolve))
  return { exitCode, stderr }
}
