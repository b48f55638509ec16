/** The programs of the system that the launchers call, and the Debian package of each. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { RealPartError } from './errors.ts'

const TOOLS = {
  java: 'default-jre-headless',
  mvn: 'maven',
  pip3: 'python3-pip',
  kcat: 'kcat',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  chromium: 'chromium',
} as const

export type Tool = keyof typeof TOOLS

const OUTPUT_BYTES_MAX = 8 * 1024 * 1024
const TAIL_CHARS = 2_000

/** The path of a program on PATH. Throws RealPartError `TOOL_MISSING` with the package to install. */
export function findTool(tool: Tool, path = process.env.PATH ?? ''): string {
  const found = path
    .split(delimiter)
    .map((folder) => join(folder, tool))
    .find((file) => existsSync(file))
  if (found) return found
  const debianPackage = TOOLS[tool]
  throw new RealPartError(
    'TOOL_MISSING',
    `There is no \`${tool}\` on PATH. On Debian: apt-get install ${debianPackage}`,
    { debianPackage },
  )
}

/** Runs a program to its end; rejects with `TOOL_FAILED` and the tail of what it printed. */
export function runTool(command: string, args: readonly string[], timeoutMs: number): Promise<void> {
  return new Promise((done, fail) => {
    execFile(command, args, { timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_MAX }, (cause, stdout, stderr) => {
      if (!cause) return done()
      const why = cause.killed ? `did not end within ${timeoutMs / 1000} s` : `failed (${cause.code})`
      const tail = `${stdout}${stderr}`.slice(-TAIL_CHARS).trim()
      fail(new RealPartError('TOOL_FAILED', `${command} ${args.join(' ')} ${why}: ${tail}`, { cause }))
    })
  })
}
