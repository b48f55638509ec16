/** A Java program as a child that can be killed, stopped and started again, and that does not outlive us. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { RealPartError } from './errors.ts'

const STOP_WAIT_MS = 20_000
const POLL_MS = 50
const LOG_TAIL_CHARS = 3_000

export interface JavaProcessOptions {
  /** For messages, e.g. `broker 1`. */
  readonly name: string
  readonly java: string
  readonly args: readonly string[]
  readonly directory: string
  /** Everything it prints; appended to. */
  readonly logFile: string
  readonly healthy: () => Promise<boolean>
  readonly startWaitMs: number
}

export interface JavaProcess {
  /** Id of the process that runs now. */
  readonly pid: number
  readonly running: boolean
  /** SIGKILL; resolves when it is gone. */
  kill9(): Promise<void>
  /** SIGTERM, and SIGKILL when it has not ended after 20 s; resolves when it is gone. */
  stop(): Promise<void>
  /** Starts it again (stopping it first); resolves when it is healthy. */
  restart(): Promise<void>
}

/** Resolves when the process is healthy. Rejects with `START_FAILED` and the end of its log. */
export async function startJava(options: JavaProcessOptions): Promise<JavaProcess> {
  let child = launch(options)
  const stop = (signal: NodeJS.Signals) => end(child, signal)
  const running: JavaProcess = {
    get pid() {
      return child.pid!
    },
    get running() {
      return isRunning(child)
    },
    kill9: () => stop('SIGKILL'),
    stop: () => stop('SIGTERM'),
    restart: async () => {
      await stop('SIGTERM')
      child = launch(options)
      await untilHealthy(child, options)
    },
  }
  await untilHealthy(child, options)
  return running
}

function launch({ java, args, directory, logFile }: JavaProcessOptions): ChildProcess {
  const log = openSync(logFile, 'a')
  const child = spawn(java, args, { cwd: directory, stdio: ['ignore', log, log] })
  closeSync(log)
  child.on('error', () => {}) // seen as a process without a pid
  if (child.pid !== undefined) guard(child)
  return child
}

/** Kills the child when our end of its standard input closes, which the system does even when we are killed. */
function guard(child: ChildProcess): void {
  const script = 'cat >/dev/null; kill -9 "$1" 2>/dev/null'
  const watcher = spawn('sh', ['-c', script, 'sh', String(child.pid)], {
    detached: true, // a Ctrl-C on the terminal must not end it before us
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watcher.unref()
  child.unref()
  child.once('exit', () => watcher.kill('SIGKILL')) // the pid may be another's from now on
}

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null

async function untilHealthy(child: ChildProcess, { name, healthy, startWaitMs, logFile }: JavaProcessOptions) {
  const deadline = Date.now() + startWaitMs
  while (!(await healthy())) {
    const ended = !isRunning(child)
    if (ended || Date.now() > deadline) {
      await end(child, 'SIGKILL')
      const why = ended ? `ended with code ${child.exitCode}` : `was not healthy within ${startWaitMs / 1000} s`
      const tail = readFileSync(logFile, 'utf8').slice(-LOG_TAIL_CHARS).trim()
      throw new RealPartError('START_FAILED', `${name} ${why}; its log is ${logFile} and ends: ${tail}`)
    }
    await pause(POLL_MS)
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const deadline = Date.now() + STOP_WAIT_MS
  if (isRunning(child)) child.kill(signal)
  while (isRunning(child)) {
    if (Date.now() > deadline) child.kill('SIGKILL')
    await pause(POLL_MS)
  }
}

export const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))
