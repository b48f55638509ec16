/** A Java program as a child that can be killed, stopped and started again, and that does not outlive us. */

import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { endChild, exitOf, isRunning, spawnChild } from './child.ts'
import { RealPartError } from './errors.ts'

const STOP_WAIT_MS = 20_000
const POLL_MS = 50
const LOG_TAIL_CHARS = 3_000

/** A signal that gives a start up, and a listener for the end of the process. */
export interface Supervision {
  /** Gives up a start: what was started is ended, and the start rejects with `STOPPED`. */
  readonly signal?: AbortSignal | undefined
  /** Told of a process that was healthy and has ended although nobody had asked: RealPartError `ENDED`, with its exit code. */
  readonly onEnded?: ((error: RealPartError) => void) | undefined
}

export interface JavaProcessOptions extends Supervision {
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
  const asked = new WeakSet<ChildProcess>()
  const stop = (signal: NodeJS.Signals) => {
    asked.add(child)
    return endChild(child, signal, STOP_WAIT_MS)
  }
  const untilUp = async (): Promise<void> => {
    const started = child
    await untilHealthy(started, options)
    const onExit = () => asked.has(started) || options.onEnded?.(ended(started, options))
    if (isRunning(started)) started.once('exit', onExit)
    else onExit()
  }
  await untilUp()
  return {
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
      await untilUp()
    },
  }
}

function launch({ java, args, directory, logFile }: JavaProcessOptions): ChildProcess {
  const log = openSync(logFile, 'a')
  const child = spawnChild(java, args, { cwd: directory, stdio: ['ignore', log, log] })
  closeSync(log)
  return child
}

async function untilHealthy(child: ChildProcess, options: JavaProcessOptions): Promise<void> {
  const { name, healthy, startWaitMs, logFile, signal } = options
  const deadline = Date.now() + startWaitMs
  while (!(await healthy())) {
    const gone = !isRunning(child)
    if (gone || signal?.aborted || Date.now() > deadline) {
      await endChild(child, 'SIGKILL', STOP_WAIT_MS)
      if (signal?.aborted) throw new RealPartError('STOPPED', `${name} was stopped while it started`)
      const why = gone ? exitOf(child).words : `was not healthy within ${startWaitMs / 1000} s`
      throw new RealPartError('START_FAILED', `${name} ${why}; its log is ${logFile} and ends:`, {
        said: tailOf(options),
      })
    }
    await pause(POLL_MS)
  }
}

function ended(child: ChildProcess, options: JavaProcessOptions): RealPartError {
  const { words, code: exitCode } = exitOf(child)
  const message = `${options.name} ${words}; its log is ${options.logFile} and ends:`
  return new RealPartError('ENDED', message, { said: tailOf(options), exitCode })
}

const tailOf = ({ logFile }: JavaProcessOptions): string => readFileSync(logFile, 'utf8').slice(-LOG_TAIL_CHARS).trim()
