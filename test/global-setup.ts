import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })

/** The real tests run the program as users do, compiled; the console, for the browser, has types of its own. */
export function setup(): void {
  run('ops/bin/build.mjs')
  run('node_modules/typescript/bin/tsc', '-p', 'ops/console/app')
}
