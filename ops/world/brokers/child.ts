/** Children that can be killed and stopped, and that do not outlive us: brokers, the registry, processes of the sequencer. */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

const POLL_MS = 50

/** A child of its own process group: Ctrl-C on the terminal comes to us alone, and we end the children in order. */
export function spawnChild(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(command, args, { ...options, detached: true })
  child.on('error', () => {}) // seen as a process without a pid
  if (child.pid !== undefined) guard(child)
  return child
}

/** Kills the child when our end of its standard input closes, which the system does even when we are killed. */
function guard(child: ChildProcess): void {
  const script = 'cat >/dev/null; kill -9 "$1" 2>/dev/null'
  const watcher = spawn('sh', ['-c', script, 'sh', String(child.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watcher.unref()
  child.unref()
  child.once('exit', () => watcher.kill('SIGKILL')) // the pid may be another's from now on
}

export const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null

/** Resolves when it is gone; SIGKILL follows when it has not ended after `waitMs`. */
export async function endChild(child: ChildProcess, signal: NodeJS.Signals, waitMs: number): Promise<void> {
  const deadline = Date.now() + waitMs
  if (isRunning(child)) child.kill(signal)
  while (isRunning(child)) {
    if (Date.now() > deadline) child.kill('SIGKILL')
    await pause(POLL_MS)
  }
}

/** The end of the process, in words and as an exit code: a shell's, for a signal. */
export function exitOf({ exitCode, signalCode }: Pick<ChildProcess, 'exitCode' | 'signalCode'>): {
  readonly words: string
  readonly code: number
} {
  if (signalCode !== null)
    return { words: `was ended by ${signalCode}`, code: 128 + (constants.signals[signalCode] ?? 0) }
  return exitCode === null
    ? { words: 'could not be started', code: 127 }
    : { words: `ended with code ${exitCode}`, code: exitCode }
}
