/**
 * `npm run success`: what a client that does as the deployed collector calls Success, against what is in the log. An intake is ended
 * by SIGTERM twenty times at 300 calls a second, with a quick and a slow log; one message in twenty is too long; pools are idle for longer
 * than libp2p lets a stream wait. Prints what was lost; exit code 1 when anything was.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Collector } from '../connectors/libp2p/collector.ts'
import { message, Stage } from '../connectors/libp2p/harness.ts'

const TERMS = Number(process.env.SUCCESS_TERMS ?? 20)
const PER_SECOND = 300
const LOADED_MS = 3_000
const COLLECTORS = 3
const IDLE_MS = Number(process.env.SUCCESS_IDLE_MS ?? 75_000)
const SLOW_APPEND_MS = 400
const TICK_MS = 20

interface Ended {
  readonly ids: readonly string[]
  readonly ms: number
  readonly unappended: number
  readonly notParted: number
  readonly oversize: number
  readonly cut: number
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const print = (line: string) => void process.stdout.write(`${line}\n`)

class IntakeChild {
  private readonly child: ChildProcess
  private readonly lines: AsyncIterator<string>
  private constructor(child: ChildProcess) {
    this.child = child
    this.lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
  }

  static async start(folder: string, appendMs: number): Promise<{ child: IntakeChild; multiaddr: string }> {
    const program = new URL('intake-child.ts', import.meta.url).pathname
    const node = ['--import', './ops/bin/shim.mjs', '--import', 'tsx', program, '0', folder, String(appendMs)]
    const child = new IntakeChild(spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'inherit'] }))
    return { child, multiaddr: ((await child.next()) as { multiaddr: string }).multiaddr }
  }

  async end(): Promise<Ended> {
    this.child.kill('SIGTERM')
    return (await this.next()) as Ended
  }

  private async next(): Promise<unknown> {
    const { value } = await this.lines.next()
    return JSON.parse(value ?? 'null')
  }
}

/** Calls at a rate, whether the ones before were answered or not, until the signal. */
async function load(collectors: readonly Collector[], oversizeEvery: number, signal: AbortSignal): Promise<void> {
  const calls: Promise<void>[] = []
  const began = Date.now()
  for (let made = 0; !signal.aborted; ) {
    for (; made < ((Date.now() - began) / 1_000) * PER_SECOND; made++) {
      const collector = collectors[made % collectors.length]!
      calls.push(collector.submit(message()))
      // its call is a Success too, and its verdict is OVERSIZE: it is no part of what is looked for
      if (oversizeEvery > 0 && made % oversizeEvery === 0)
        calls.push(collector.submit({ ...message({ pad: 70_000 }), id: '' }))
    }
    await pause(TICK_MS)
  }
  await Promise.all(calls)
}

interface Tally {
  success: number
  failure: number
  lost: number
}

async function round(name: string, appendMs: number, oversizeEvery: number, idleMs: number, sum: Tally): Promise<void> {
  await using stage = new Stage()
  const folder = await mkdtemp(join(tmpdir(), 'success-'))
  const { child, multiaddr } = await IntakeChild.start(folder, appendMs)
  const collectors = await Promise.all(
    Array.from(
      { length: COLLECTORS },
      async (_, i) => new Collector(await stage.client(i % 2 ? 'noise' : 'tls'), multiaddr, 30),
    ),
  )
  for (const collector of collectors) await collector.fill()
  await pause(idleMs)
  const stop = new AbortController()
  const loading = load(collectors, oversizeEvery, stop.signal)
  await pause(LOADED_MS)
  const early = collectors.reduce((all, { failure }) => all + failure.length, 0)
  const ended = await child.end()
  stop.abort()
  await loading
  const there = new Set(ended.ids)
  const success = collectors.flatMap((one) => one.success).filter((id) => id !== '')
  const lost = success.filter((id) => !there.has(id)).length
  const failure = collectors.reduce((all, one) => all + one.failure.length, 0)
  sum.success += success.length
  sum.failure += failure
  sum.lost += lost
  const { ms, unappended, notParted, oversize, cut } = ended
  print(
    `${name.padEnd(22)} Success ${success.length}, failed ${failure} (${early} before SIGTERM), lost ${lost}; ` +
      `ended in ${ms} ms, too long ${oversize}, unappended ${unappended}, cut ${notParted + cut}`,
  )
}

const sum: Tally = { success: 0, failure: 0, lost: 0 }
for (let n = 1; n <= TERMS; n++)
  await round(`SIGTERM ${n}${n % 2 ? '' : ', slow log'}`, n % 2 ? 0 : SLOW_APPEND_MS, 0, 0, sum)
await round('one in 20 too long', 0, 20, 0, sum)
await round(`idle for ${IDLE_MS / 1_000} s`, 0, 0, IDLE_MS, sum)
print(`Success ${sum.success}, failed ${sum.failure}, Success without a record ${sum.lost}`)
process.exit(sum.lost > 0 ? 1 : 0)
