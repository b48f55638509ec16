#!/usr/bin/env node
import './shim.mjs'
import { existsSync } from 'node:fs'

// `npm ci` works with install scripts blocked, so nothing is compiled then: the first start compiles.
const entry = new URL('../../dist/ops/bin/cli.js', import.meta.url)
if (!existsSync(entry)) {
  process.stderr.write('sequencer: compiling (first start)\n')
  const { build } = await import('./build.mjs')
  if (!(await build(() => {}))) {
    process.stderr.write('sequencer: the sources do not compile; run `npm run build` and read its errors\n')
    process.exit(70)
  }
}
// Node ends with 13, and without a word, when nothing is left that could settle what is awaited.
process.once('exit', () => {
  if (process.exitCode !== 13) return
  process.stderr.write('sequencer: waits for something that cannot come any more: a fault of ours, please report it\n')
  process.exitCode = 70
})
// Our reader may stop, as `head` does.
process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 70))
const { main } = await import(entry.href)
await main(process.argv)

// A node that took a connection and never answered must not keep the process; what is still written is written first.
const endSoon = () => setTimeout(() => (process.stdout.writableLength > 0 ? endSoon() : process.exit()), 1_000).unref()
endSoon()
