import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const run = (...args: string[]) => execFileSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })

/** On the global object, since each project that has this set-up loads it anew: one build serves all of a run. */
const BUILT = Symbol.for('sequencer: built for the tests')

/** The real tests run the program as users do, compiled; the console, for the browser, has types of its own. */
export function setup(): void {
  if (Reflect.get(globalThis, BUILT)) return
  Reflect.set(globalThis, BUILT, true)
  run('ops/bin/build.mjs')
  run('node_modules/typescript/bin/tsc', '-p', 'ops/api/console/app')
}
