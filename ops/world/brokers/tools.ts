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
  'prometheus-alertmanager': 'prometheus-alertmanager',
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

interface ToolPorts {
  /** Ends the program when aborted; the call then rejects with `STOPPED`. */
  readonly signal?: AbortSignal | undefined
  /** Told what it prints on standard output. */
  readonly onOutput?: ((text: string) => void) | undefined
  readonly environment?: NodeJS.ProcessEnv
}

/** Runs a program to its end; rejects with `TOOL_FAILED` and the tail of what it printed. */
export function runTool(
  command: string,
  args: readonly string[],
  timeoutMs: number,
  { signal, onOutput, environment = process.env }: ToolPorts = {},
): Promise<void> {
  const bounds = { timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_MAX, env: environment, ...(signal && { signal }) }
  return new Promise((done, fail) => {
    const child = execFile(command, args, bounds, (cause, stdout, stderr) => {
      if (!cause) return done()
      const what = `${command} ${args.join(' ')}`
      if (signal?.aborted) return fail(new RealPartError('STOPPED', `${what} was stopped`, { cause }))
      const why = cause.killed ? `did not end within ${timeoutMs / 1000} s` : `failed (${cause.code})`
      const said = `${stdout}${stderr}`.slice(-TAIL_CHARS).trim()
      fail(new RealPartError('TOOL_FAILED', `${what} ${why}`, { cause, said }))
    })
    if (onOutput) child.stdout?.on('data', onOutput)
  })
}
