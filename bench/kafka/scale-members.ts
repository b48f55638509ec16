/** The processes of a role: started together, begun together, and heard together. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { until } from '../flow-world.ts'
import type { MemberRun } from './scale-figures.ts'
import type { ScaleLine, ScaleMemberOptions } from './scale-member.ts'

const POLL_MS = 20

interface Member {
  readonly child: ChildProcess
  open: number
  measured: MemberRun | undefined
}

/** Everything that waits rejects when a process ends before it has said what it measured. */
export function startMembers(all: readonly ScaleMemberOptions[]) {
  const members = all.map(start)
  const ended = new Promise<never>((_, reject) => {
    for (const [i, { child }] of members.entries())
      child.once('exit', (code, signal) => {
        const { role, instanceId } = all[i]!
        if (members[i]!.measured === undefined)
          reject(new Error(`the process ${instanceId} of ${role} ended with ${code ?? signal}`))
      })
  })
  ended.catch(() => {}) // heard of by who waits
  const orEnd = <T>(work: Promise<T>): Promise<T> => Promise.race([work, ended])
  const say = (line: string): void => {
    for (const { child } of members) child.stdin!.write(`${line}\n`)
  }
  return {
    orEnd,
    /** Each has one task open. */
    ready: () => orEnd(until('each process has its task', POLL_MS, () => members.every(({ open }) => open === 1))),
    go: () => say('go'),
    async stop(): Promise<MemberRun[]> {
      say('stop')
      await orEnd(until('each process said what it measured', POLL_MS, () => members.every(({ measured }) => measured)))
      await until('each process has ended', POLL_MS, () => members.every(({ child }) => hasEnded(child)))
      const failed = members.findIndex(({ child }) => child.exitCode !== 0)
      if (failed >= 0) throw new Error(`the process ${all[failed]!.instanceId} could not end`)
      return members.map(({ measured }) => measured!)
    },
    /** For the end of a run that failed. */
    kill() {
      for (const { child } of members) child.kill('SIGKILL')
    },
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

function start(options: ScaleMemberOptions): Member {
  const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
  const words = ['--import', file('../../ops/bin/shim.mjs'), '--import', 'tsx', file('./scale-member.ts')]
  const child = spawn(process.execPath, [...words, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {}) // its end says more
  const member: Member = { child, open: 0, measured: undefined }
  createInterface(child.stdout).on('line', (text) => {
    const line = JSON.parse(text) as ScaleLine
    if ('open' in line) member.open = line.open
    else member.measured = line.measured
  })
  return member
}
