/** `npm run cluster` as somebody new starts it: it anchors, ends all that it started, goes on, and ends when a part does. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { newFolder } from '../../folder.ts'
import { until } from '../../until.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const LIMIT = { limitMs: 240_000, everyMs: 250 }
/** Two starts of everything: some 60 s on an idle machine, minutes on one that is busy. */
const TEST_MS = 600_000
const PROGRAM = ['--import', 'tsx', 'ops/world/cluster/main.ts']

const directory = newFolder()
const config = join(directory, 'sequencer.yaml')
const started: ChildProcess[] = []
afterAll(() => {
  for (const child of started) child.kill('SIGKILL') // its children go with it
})

test(
  'default: it anchors, Ctrl-C ends all of it, a second start goes on, and a part that is killed ends it',
  async () => {
    const first = startCluster()
    await until('an epoch with submissions is anchored', () => first.has('The first epoch with submissions'), LIMIT)
    const shown = first
      .output()
      .match(/ {2}\.\/sequencer .*/g)!
      .map((line) => line.trim().split(' ')[1])
    expect(shown).toEqual(['status', 'doctor', 'epoch', 'why', 'audit'])
    const before = readFileSync(config, 'utf8')
    const anchoredBefore = epochsAnchored()
    const processes = processesOf(first.child.pid!)
    // a broker, the registry, devchain with anvil and its guard, three of the sequencer, snapshotters
    expect(processes.length).toBeGreaterThanOrEqual(9)
    first.child.kill('SIGINT')
    expect(await first.ended, first.output()).toBe(0)
    expect(first.output().trim().split('\n').at(-1)).toBe(
      `Everything has ended. To go on: npm run cluster -- --directory ${directory}`,
    )
    expect([...processes.filter(isAlive), ...processesOf(first.child.pid!)]).toEqual([])

    const second = startCluster()
    await until('another epoch is anchored', () => epochsAnchored() > anchoredBefore, LIMIT)
    expect(chainOf(readFileSync(config, 'utf8'))).toEqual(chainOf(before))
    const more = processesOf(second.child.pid!)
    process.kill(more.find((pid) => commandOf(pid).includes('--instance-id stages'))!, 'SIGKILL')
    expect(await second.ended).toBe(137)
    expect(second.output()).toContain(
      `error: stages was ended by SIGKILL; its output is in ${join(directory, 'stages.log')}\n`,
    )
    expect([...more.filter(isAlive), ...processesOf(second.child.pid!)]).toEqual([])
  },
  TEST_MS,
)

function startCluster() {
  const ports = ['--listen-port', '0', '--ops-port', '0', '--chain-port', '0']
  const child = spawn(process.execPath, [...PROGRAM, '--directory', directory, ...ports], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const has = (text: string): boolean => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${output}`)
    return output.includes(text)
  }
  return { child, ended, has, output: () => output }
}

/** Highest epoch that the process with the API has seen anchored. */
const epochsAnchored = (): number =>
  readFileSync(join(directory, 'front.log'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{"event":"anchored"'))
    .reduce((highest, line) => Math.max(highest, (JSON.parse(line) as { epochId: number }).epochId), 0)

/** What stays the same over a restart. */
const chainOf = (yaml: string) => yaml.match(/(protocolState|startBlock|chainId|publicKey).*/g)

/** Children of a process, and whatever works on the directory, but for the process itself. */
const processesOf = (parent: number): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== parent && pid !== process.pid)
    .filter((pid) => commandOf(pid).includes(directory) || parentOf(pid) === parent)

const isAlive = (pid: number): boolean => commandOf(pid) !== ''
const commandOf = (pid: number): string => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
const parentOf = (pid: number): number => Number(/\) \w (\d+)/.exec(read(`/proc/${pid}/stat`))?.[1])

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // it has ended
  }
}
