/** The sequencer's processes in a campaign, started again whenever they end, as a supervisor does. */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Role } from '../../ops/base/roles.ts'
import { type SequencerEvent, type StartedSequencer, startSequencer } from '../ops/run-sequencer.ts'

const RESTART_MS = 1_000
const RUNNING_WAIT_MS = 120_000
const STDERR_KEPT_CHARS = 400

export interface MemberOptions {
  readonly name: string
  readonly roles: readonly Role[]
  /** Further arguments of `run`. */
  readonly args: readonly string[]
  readonly configFile: string
  /** Where its output is appended. */
  readonly directory: string
}

/** An end that nobody had asked for. */
export interface UnexpectedExit {
  readonly member: string
  readonly exitCode: number | null
  readonly stderr: string
}

export class Member {
  readonly name: string
  readonly unexpected: UnexpectedExit[] = []
  /** How often it was started. */
  starts = 0
  private readonly options: MemberOptions
  private current: StartedSequencer | undefined
  private wanted = false
  private asked = false

  constructor(options: MemberOptions) {
    this.name = options.name
    this.options = options
  }

  /** Starts it, and again whenever it ends, until `stop`. */
  start(): void {
    this.wanted = true
    const { name, roles, args, configFile } = this.options
    const run = ['run', '--config', configFile, '--roles', roles.join(','), '--instance-id', name, '--ops-port', '0']
    const started = startSequencer([...run, '--json', ...args])
    this.current = started
    this.asked = false
    this.starts++
    void started.finished.then(({ exitCode, stdout, stderr }) => {
      appendFileSync(join(this.options.directory, `${name}.log`), `${stdout}${stderr}-- ended: ${exitCode}\n`)
      if (!this.asked) this.unexpected.push({ member: name, exitCode, stderr: stderr.slice(-STDERR_KEPT_CHARS) })
      if (this.wanted) setTimeout(() => this.wanted && this.start(), RESTART_MS)
    })
  }

  /** Its `running` event; rejects when there is none in two minutes. */
  async running(): Promise<SequencerEvent> {
    const deadline = Date.now() + RUNNING_WAIT_MS
    while (Date.now() < deadline) {
      const { current } = this
      const late = new Promise<void>((resolve) => {
        setTimeout(resolve, deadline - Date.now()).unref()
      })
      const up = await Promise.race([current!.waitFor(({ event }) => event === 'running').catch(() => undefined), late])
      if (up) return up
      await new Promise((resolve) => setTimeout(resolve, RESTART_MS)) // it ended, and is started again
    }
    throw new Error(`${this.name} does not run after ${RUNNING_WAIT_MS / 1000} s; see ${this.options.directory}`)
  }

  /** Where collectors dial it, with its peer id. */
  async address(): Promise<string> {
    const { intake } = await this.running()
    return (intake as readonly string[])[0]!
  }

  /** SIGKILL; it is started again. */
  async kill(): Promise<void> {
    this.asked = true
    this.current!.child.kill('SIGKILL')
    await this.current!.finished
  }

  /** SIGTERM; it is started again, so its groups are rebalanced twice. */
  async recycle(): Promise<void> {
    this.asked = true
    this.current!.child.kill('SIGTERM')
    await this.current!.finished
  }

  async stop(): Promise<void> {
    this.wanted = false
    this.asked = true
    this.current?.child.kill('SIGTERM')
    await this.current?.finished
  }
}
