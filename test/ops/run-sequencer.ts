/** Runs the command line as a user does: a child process, its output, its exit code. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface SequencerEvent {
  readonly event: string
  readonly [field: string]: unknown
}

export interface SequencerRun {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** The lines of standard output that are JSON, in order. */
  readonly events: readonly SequencerEvent[]
}

export interface StartedSequencer {
  readonly child: ChildProcess
  readonly finished: Promise<SequencerRun>
  /** So far. */
  readonly events: readonly SequencerEvent[]
  /** Resolves with the first event that matches, also one from before the call; rejects when the process ends without it. */
  waitFor(matches: (event: SequencerEvent) => boolean): Promise<SequencerEvent>
}

/** @param root of the checkout whose sequencer is meant */
export function startSequencer(args: readonly string[], root = ROOT): StartedSequencer {
  const child = spawn(process.execPath, ['ops/bin/sequencer.mjs', ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  })
  const events: SequencerEvent[] = []
  const waiters = new Set<() => void>()
  let stdout = ''
  let stderr = ''
  let pending = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    const lines = (pending + text).split('\n')
    pending = lines.pop()!
    for (const line of lines) if (line.startsWith('{')) events.push(JSON.parse(line) as SequencerEvent)
    for (const wake of waiters) wake()
  })
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const finished = new Promise<SequencerRun>((resolve) => {
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr, events }))
  })
  const waitFor = (matches: (event: SequencerEvent) => boolean) =>
    new Promise<SequencerEvent>((resolve, reject) => {
      const look = () => {
        const found = events.find(matches)
        if (!found) return
        waiters.delete(look)
        resolve(found)
      }
      waiters.add(look)
      look()
      void finished.then((run) =>
        reject(new Error(`the process ended (${run.exitCode ?? run.signal}):\n${run.stderr}`)),
      )
    })
  return { child, finished, events, waitFor }
}

export const runSequencer = (args: readonly string[], root = ROOT): Promise<SequencerRun> =>
  startSequencer(args, root).finished
