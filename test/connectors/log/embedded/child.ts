import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A program of this folder in a process of its own, which tells line by line what it did. */
export class Child {
  readonly lines: string[] = []
  private readonly process: ChildProcess
  private readonly ended: Promise<unknown>
  private errors = ''
  private waiting: (() => void)[] = []

  constructor(program: string, ...args: readonly string[]) {
    const path = fileURLToPath(new URL(program, import.meta.url))
    this.process = spawn(process.execPath, ['--import', 'tsx', path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.ended = once(this.process, 'close')
    this.process.stderr!.on('data', (chunk) => {
      this.errors += chunk
    })
    createInterface({ input: this.process.stdout! }).on('line', (line) => {
      this.lines.push(line)
      for (const look of this.waiting.splice(0)) look()
    })
    void this.ended.then(() => {
      for (const look of this.waiting.splice(0)) look()
    })
  }

  get pid(): number {
    return this.process.pid!
  }

  /** Resolves when some line from `from` on satisfies the condition. @throws when the child ends first */
  async until(condition: (line: string) => boolean, from = 0): Promise<void> {
    while (!this.lines.slice(from).some(condition)) {
      if (this.process.exitCode !== null || this.process.signalCode !== null)
        throw new Error(`it ended: ${this.errors}`)
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.ended
  }

  /** @returns the exit code */
  async end(): Promise<number | null> {
    await this.ended
    return this.process.exitCode
  }
}
