/**
 * `npm run sim:mutations` takes one guard after another out of a copy of the sources and runs seeds until one fails: what
 * the simulation would not notice is not tested by it. `--only TEXT` picks guards by name, `--write` renews their rows of the
 * table in docs/simulation.md, each when it was tried. Exits with 1 when a guard's absence goes unnoticed, or its text is no longer there once.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Guard } from './guard.ts'
import { GUARDS } from './guards.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const SOURCES = ['streams', 'schemas', 'topology', 'connectors', 'ops', 'test', 'package.json']
const DOCUMENT = join(ROOT, 'docs/simulation.md')
const TABLE = /(<!-- guards -->\n)[\s\S]*(<!-- end of guards -->)/
/** Of 150 seeds on a busy machine. A run that never ends is ended by its steps. */
const CHILD_MS_MAX = 1_200_000

interface Trial {
  readonly guard: Guard | undefined
  /** First seed that failed. */
  readonly seed: number | undefined
  readonly message: string
}

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    seeds: { type: 'string', default: '150' },
    jobs: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
})

const folder = mkdtempSync(join(tmpdir(), 'guards-'))
try {
  process.exitCode = (await tryAll()) ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function tryAll(): Promise<boolean> {
  const untouched = await trial(undefined)
  if (untouched.seed !== undefined) {
    console.log(`the sources as they are fail already: ${untouched.message}`)
    return false
  }
  const waiting = GUARDS.filter(({ name }) => (values.only ?? ['']).some((text) => name.includes(text)))
  const trials = new Map<Guard, Trial>()
  const work = async (): Promise<void> => {
    for (let guard = waiting.shift(); guard; guard = waiting.shift()) {
      const done = await trial(guard)
      trials.set(guard, done)
      if (values.write) writeTable([...trials.values()])
      console.log(`${done.seed ?? (guard.uncaught ? 'as said' : 'UNNOTICED')}\t${guard.name}\t${done.message}`)
    }
  }
  await Promise.all(Array.from({ length: Number(values.jobs) }, work))
  const results = GUARDS.flatMap((guard) => trials.get(guard) ?? [])
  const unnoticed = results.filter(({ guard, seed }) => seed === undefined && !guard!.uncaught)
  console.log(`${results.length} guards, ${unnoticed.length} whose absence no seed noticed`)
  return unnoticed.length === 0
}

/** Runs seeds on a copy of the sources without the guard; on an untouched copy when there is none. */
async function trial(guard: Guard | undefined): Promise<Trial> {
  const copy = mkdtempSync(join(folder, 'copy-'))
  for (const source of SOURCES) cpSync(join(ROOT, source), join(copy, source), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  if (guard) remove(copy, guard)
  const output = await runSeeds(copy, guard?.seeds ?? Number(values.seeds))
  rmSync(copy, { recursive: true, force: true })
  return { guard, ...verdictOn(output) }
}

function remove(copy: string, { file, find, replace, alsoWithout }: Guard): void {
  const path = join(copy, file)
  const parts = readFileSync(path, 'utf8').split(find)
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times, not once: ${find}`)
  writeFileSync(path, parts.join(replace))
  if (alsoWithout !== undefined) remove(copy, GUARDS.find(({ name }) => name === alsoWithout)!)
}

function runSeeds(copy: string, seeds: number): Promise<string> {
  const args = ['--import', 'tsx', 'test/simulation/run.ts', '--stop', '--seeds', `${seeds}`]
  const child = spawn(process.execPath, args, { cwd: copy })
  const timer = setTimeout(() => child.kill('SIGKILL'), CHILD_MS_MAX)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes) => {
      output += bytes
    })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (signal) resolve(`${output}\nseed ?: no end within ${CHILD_MS_MAX / 1000} s`)
      else resolve(code === 0 ? '' : output)
    })
  })
}

function verdictOn(output: string): Pick<Trial, 'seed' | 'message'> {
  if (output === '') return { seed: undefined, message: '' }
  const [, seed, message] = /seed (\d+|\?): (.*)/.exec(output) ?? []
  if (message === undefined) throw new Error(`the child failed outside of a seed:\n${output}`)
  return { seed: seed === '?' ? 0 : Number(seed), message }
}

/** Rows of guards that were not tried stay as they are. */
function writeTable(trials: readonly Trial[]): void {
  const text = readFileSync(DOCUMENT, 'utf8')
  const before = text.split('\n')
  const rows = GUARDS.flatMap((guard) => {
    const tried = trials.find((one) => one.guard === guard)
    return tried ? [rowOf(guard, tried)] : before.filter((line) => line.startsWith(beginOf(guard)))
  })
  const table = ['| guard | why | first seed that fails | symptom |', '| --- | --- | --- | --- |', ...rows]
  writeFileSync(
    DOCUMENT,
    text.replace(TABLE, (_, begin: string, end: string) => `${begin}${table.join('\n')}\n${end}`),
  )
}

function rowOf(guard: Guard, { seed, message }: Trial): string {
  const found = seed === undefined ? `none: ${guard.uncaught ?? 'UNNOTICED'}` : `\`${cell(shortened(message))}\``
  return `${beginOf(guard)}\`${guard.file}\`) | ${cell(guard.why)} | ${seed ?? '–'} | ${found} |`
}

function beginOf({ name }: Guard): string {
  return `| ${cell(name)} (`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

function shortened(message: string): string {
  return message.length > 180 ? `${message.slice(0, 179)}…` : message
}
