/** A command of the sequencer as a child: its events, its log, its end. */
import type { ChildProcess } from 'node:child_process'
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endChild, exitOf, spawnChild } from '../brokers/child.ts'
import { RealPartError } from '../brokers/errors.ts'

/** `run` closes within 25 s, or ends by itself. */
const STOP_WAIT_MS = 30_000
/** Size of a log; the one before it is kept as `.old`. */
const LOG_BYTES_MAX = 16 * 2 ** 20
/** Characters of its output that the message about its end may quote. */
const SAID_CHARS = 2_000
/** Longest line that is read as an event. */
const LINE_CHARS_MAX = 100_000

export interface MemberEvent {
  readonly event: string
  readonly [field: string]: unknown
}

export interface MemberOptions {
  /** For messages and the log file, e.g. `stages`. */
  readonly name: string
  /** The arguments of `sequencer`; with --json. */
  readonly args: readonly string[]
  /** Where its log is: `<name>.log`. */
  readonly directory: string
  /** Aborted: the wait for an event rejects with `STOPPED`. */
  readonly signal: AbortSignal
  /** Told of each event, in order. */
  readonly onEvent?: ((event: MemberEvent) => void) | undefined
}

export interface Ended {
  /** A shell's, for a signal. */
  readonly code: number
  /** Nobody had asked for it. */
  readonly unasked: boolean
  /** `ENDED`, with the code, or 1 for 0. */
  readonly error: RealPartError
}

export interface Member {
  readonly name: string
  readonly args: readonly string[]
  readonly pid: number
  readonly logFile: string
  /** The first event of the name, also one from before; rejects with `ENDED` or `STOPPED`. */
  event(name: string): Promise<MemberEvent>
  readonly ended: Promise<Ended>
  /** SIGTERM, and SIGKILL after 30 s; resolves when it is gone. */
  close(): Promise<void>
}

export function startMember(options: MemberOptions): Member {
  const { name, args, directory } = options
  mkdirSync(directory, { recursive: true })
  const logFile = join(directory, `${name}.log`)
  const child = spawnChild(process.execPath, [entry(), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  })
  const heard = listen(child, logFile, options)
  let asked = false
  const ended = new Promise<Ended>((resolve) => {
    const tell = (): void => resolve({ ...endOf(child, logFile, heard.said(), name), unasked: !asked })
    child.once('close', tell).once('error', tell)
  })
  return {
    name,
    args,
    ended,
    pid: child.pid ?? 0,
    logFile,
    event: (wanted) =>
      new Promise((resolve, reject) => {
        heard.once(wanted, resolve)
        void ended.then(({ error }) => reject(error))
        const stopped = (): void => reject(new RealPartError('STOPPED', `${name} was stopped while it started`))
        if (options.signal.aborted) stopped()
        else options.signal.addEventListener('abort', stopped, { once: true })
      }),
    async close() {
      asked = true
      await endChild(child, 'SIGTERM', STOP_WAIT_MS)
    },
  }
}

/** The first event of each name, and the end of what was said on standard error. */
function listen(child: ChildProcess, logFile: string, { onEvent }: MemberOptions) {
  const first = new Map<string, MemberEvent>()
  const waiting = new Map<string, (event: MemberEvent) => void>()
  let pending = ''
  let said = ''
  const keep = (text: string): void => appendBounded(logFile, text)
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    keep(text)
    const lines = (pending + text).split('\n')
    pending = lines.pop()!.slice(0, LINE_CHARS_MAX)
    for (const line of lines) {
      const event = readEvent(line)
      if (!event) continue
      if (!first.has(event.event)) first.set(event.event, event)
      waiting.get(event.event)?.(event)
      onEvent?.(event)
    }
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    keep(text)
    said = (said + text).slice(-SAID_CHARS)
  })
  return {
    said: () => said,
    once(name: string, resolve: (event: MemberEvent) => void): void {
      const there = first.get(name)
      if (there) resolve(there)
      else waiting.set(name, resolve)
    },
  }
}

function readEvent(line: string): MemberEvent | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const value = JSON.parse(line) as Partial<MemberEvent>
    return typeof value.event === 'string' ? (value as MemberEvent) : undefined
  } catch {
    return undefined
  }
}

function appendBounded(file: string, text: string): void {
  const { size = 0 } = statSync(file, { throwIfNoEntry: false }) ?? {}
  if (size > LOG_BYTES_MAX) renameSync(file, `${file}.old`)
  appendFileSync(file, text)
}

function endOf(child: ChildProcess, logFile: string, said: string, name: string): Omit<Ended, 'unasked'> {
  const { words, code } = exitOf(child)
  // its words about its end begin with its last `error:`; lines of its log and warnings stand before that, or there are no others
  const from = said.lastIndexOf('error: ')
  const why = from < 0 ? '' : said.slice(from)
  const message = `${name} ${words}; its output is in ${logFile}`
  return { code, error: new RealPartError('ENDED', message, { said: why, exitCode: code === 0 ? 1 : code }) }
}

/** The program of the checkout, from its sources as from dist/. */
function entry(): string {
  const here = dirname(fileURLToPath(import.meta.url))
  return here.includes('/dist/')
    ? join(here, '../../../../ops/bin/sequencer.mjs')
    : join(here, '../../bin/sequencer.mjs')
}
