/** So that `npm test` works on a fresh Debian image, where one is root: the missing packages are installed by it. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { RealPartError } from '../../ops/world/brokers/errors.ts'
import { findTool, type Tool } from '../../ops/world/brokers/tools.ts'

const INSTALL_WAIT_MS = 600_000
const LOCK_FILE = '/tmp/sequencer-apt-get.lock'

/** Installs the Debian packages of the tools that are not on PATH. Throws RealPartError where that is not possible. */
export function installMissing(tools: readonly Tool[]): void {
  const missing = tools.flatMap((tool) => packageMissing(tool) ?? [])
  if (missing.length === 0) return
  console.log(`[test] installing what the tests need: apt-get install ${missing.join(' ')}`)
  aptGet('update', '-q')
  aptGet('install', '-q', '-y', '--no-install-recommends', ...missing)
  for (const tool of tools) findTool(tool)
}

/** The package of a missing tool when we may install it. */
function packageMissing(tool: Tool): string | undefined {
  try {
    findTool(tool)
    return undefined
  } catch (error) {
    const mayInstall = process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
    if (error instanceof RealPartError && error.debianPackage && mayInstall) return error.debianPackage
    throw error
  }
}

/** One at a time: test files that run beside each other may each miss something. */
const aptGet = (...args: string[]): void => {
  execFileSync('/usr/bin/flock', [LOCK_FILE, '/usr/bin/apt-get', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: INSTALL_WAIT_MS,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}
