// Compiles the program and bundles the console into dist/. The one place where that is written down: `npm run build`, the
// first start without a build, and the set-up of the tests all come here.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const APP = join(ROOT, 'ops/api/console/app')
const ASSETS = join(ROOT, 'dist/ops/api/console/assets')

/** Returns whether it went well; what went wrong has been printed. `say` is called with one line about the console. */
export async function build(say = console.log) {
  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json']
  if (spawnSync(process.execPath, tsc, { cwd: ROOT, stdio: ['ignore', 2, 2] }).status !== 0) return false
  return bundleConsole(say)
}

/** Names carry a hash of the content, so that browsers may keep the files for ever. */
async function bundleConsole(say) {
  const esbuild = await import('esbuild')
  rmSync(ASSETS, { recursive: true, force: true })
  const built = await esbuild
    .build({
      absWorkingDir: ROOT,
      entryPoints: ['main.tsx', 'style/main.css', 'icon.svg'].map((file) => join(APP, file)),
      outdir: ASSETS,
      entryNames: '[name]-[hash]',
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      jsx: 'automatic',
      jsxImportSource: 'preact',
      loader: { '.svg': 'copy' },
      metafile: true,
      logLevel: 'warning',
    })
    .catch(() => undefined) // esbuild printed why
  if (!built) return false
  const page = pageOf(Object.entries(built.metafile.outputs))
  writeFileSync(join(ASSETS, 'index.html'), page)
  const bytes = readdirSync(ASSETS).reduce((sum, file) => sum + gzipSync(readFileSync(join(ASSETS, file))).length, 0)
  say(`console: ${(bytes / 1000).toFixed(1)} kB compressed`)
  return true
}

/** The page with the names of the files in the places of the sources' names. */
function pageOf(outputs) {
  let page = readFileSync(join(APP, 'index.html'), 'utf8')
  for (const [output, { entryPoint }] of outputs) {
    const source = entryPoint?.replace('ops/api/console/app/', './')
    if (source) page = page.replaceAll(`"${source}"`, `"/assets/${output.split('/').at(-1)}"`)
  }
  return page
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = (await build()) ? 0 : 1
